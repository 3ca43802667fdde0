"""A reading as a few characters: what stands in a cell of the table, in a page, in text and on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from botd.checks.limits import human_bytes, human_seconds
from botd.checks.ranges import is_range, show_each
from botd.documents import ReadingDocument
from botd.model import Check
from botd.text import plain

MARKS = {"ok": "", "warn": "!", "fail": "!!", "unknown": "?", "skipped": "-"}
"""What stands before a value, so that nobody needs colours to see what is wrong."""

AGES = ((36 * 3600, 86400, "d"), (90 * 60, 3600, "h"), (90, 60, "min"), (0, 1, "s"))
"""From how many seconds on an age is told in a unit, and how many seconds the unit has. `age` of static/words.js has
the same: a page that JavaScript draws and one that it does not say the same."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def cell(reading: ReadingDocument, check: Check) -> str:
    """The reading for a person: its mark, then its value in the unit that reads best."""
    state = reading["state"]
    if state == "skipped":
        return "-"
    return f"{MARKS[state]} {plain(short_value(reading, check))}".strip()


def short_value(reading: ReadingDocument, check: Check) -> str:
    """The value alone, short; its state as a word where there is no value."""
    value, unit = reading["value"], None if check.bare else reading["unit"]
    if value is None:
        return "none" if reading["state"] == "ok" else "no answer" if reading["state"] == "fail" else "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)) or is_range(value):
        return show_each(value, partial(_number, unit=unit))
    if isinstance(value, Mapping):
        return _object(value, check)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list([str(item) for item in value], check)
    return str(value)


def age(at: str | None, now: datetime) -> str:
    """How long ago a time of a document was, in one unit and rounded down: `12 s`, `4 min`, `26 h`, `2 d`.

    `never` for no time.
    """
    if at is None:
        return "never"
    seconds = max(0, int((now - datetime.fromisoformat(at)).total_seconds()))
    size, unit = next((size, unit) for least, size, unit in AGES if seconds >= least)
    return f"{seconds // size} {unit}"


def with_ages(text: str, now: datetime) -> str:
    """The sentence with its age behind every time in it: `last seen at 2026-11-23T21:54:45.272Z (3 min ago)`."""
    return _TIME.sub(lambda match: f"{match[0]} ({age(match[0], now)} ago)", text)


def _list(items: Sequence[str], check: Check) -> str:
    """Names as they are, lines of text by their number."""
    if check.lines and items:
        return f"{len(items)} line{'s' if len(items) > 1 else ''}"
    return ", ".join(items) or "none"


def _number(value: float, unit: str | None) -> str:
    if unit == "s":
        return human_seconds(value)
    if unit == "B":
        return human_bytes(value)
    shown = str(value) if isinstance(value, int) else f"{value:.2f}"
    return f"{shown} {unit}" if unit else shown


def _object(value: Mapping[str, Any], check: Check) -> str:
    """An object as its check tells it; else, and where an earlier version left it in another shape, all its values."""
    try:
        told = check.show(value) if check.show else ""
    except (LookupError, TypeError, ValueError, AttributeError):
        told = ""
    return told or _values(value)


def _values(value: Mapping[str, Any]) -> str:
    return " ".join(show_each(item, str) for item in value.values() if item is not None)
