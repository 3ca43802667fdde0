"""What a call costs, counted and not timed: the same on every machine, however busy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps_of(work: Callable[[], object]) -> int:
    """How many instructions of Python a call takes; what is done in C counts as one."""
    taken = 0

    def step(frame: FrameType, _event: str, _arg: Any) -> Any:
        nonlocal taken
        taken += 1
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        work()
    finally:
        sys.settrace(before)
    return taken


def grows_at_most_as(factor: float, work: Callable[[int], object], size: int) -> bool:
    """Whether twice the size takes at most `factor` times the steps: 2 is linear, 4 is quadratic."""
    work(size)  # what is worked out once and kept
    return steps_of(lambda: work(2 * size)) <= factor * steps_of(lambda: work(size))
