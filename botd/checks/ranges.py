"""Numbers of several nodes as one: `{"low": 48.2, "high": 61.0}`, as a fold makes them, and how they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def is_range(value: object) -> bool:
    """Whether this stands for the numbers of several nodes."""
    return isinstance(value, Mapping) and list(value) == ["low", "high"]


def show_each(value: Any, show: Callable[[float], str]) -> str:
    """A number as `show` tells it, or a range with the unit once: `0.11-0.30 ms`, `48-61%`, `3 h 2 min-87 d 8 h`."""
    return _joined(*map(show, value.values())) if is_range(value) else show(value)


def _joined(low: str, high: str) -> str:
    if low == high:
        return low
    number, _, unit = low.partition(" ")
    same = bool(unit) and high.endswith(" " + unit) and high.count(" ") == 1
    start = number if same else low.removesuffix("%") if high.endswith("%") else low
    return f"{start}-{high}"
