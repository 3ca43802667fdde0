"""A reading as a few characters: what stands in a cell of the table, in a page, in text and on the command line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from botd.checks.limits import human_bytes, human_seconds
from botd.documents import Document

MARKS = {"ok": "", "warn": "!", "fail": "!!", "unknown": "?", "skipped": "-"}
"""What stands before a value, so that nobody needs colours to see what is wrong."""

_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def cell(reading: Document) -> str:
    """The reading for a person: its mark, then its value in the unit that reads best."""
    state = reading["state"]
    if state == "skipped":
        return "-"
    return f"{MARKS[state]} {plain(short_value(reading))}".strip()


def short_value(reading: Document) -> str:
    """The value alone, short; its state as a word where there is no value."""
    value, unit = reading["value"], reading["unit"]
    if value is None:
        return "none" if reading["state"] == "ok" else "no answer" if reading["state"] == "fail" else "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return _number(value, unit)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list([str(item) for item in value])
    return str(value)


def plain(text: str) -> str:
    """The text on one line with nothing that a terminal or a reader could be fooled by: no controls, no bidi marks."""
    return "".join(char if char.isprintable() else " " for char in _BIDI.sub("", text))


def width(text: str) -> int:
    """The columns that plain text takes on a terminal: two for a wide character, none for a combining one (UAX #11)."""
    return sum(map(_columns, text))


def fit(text: str, columns: int) -> str:
    """Plain text in exactly this many columns: filled up with blanks, or cut with an ellipsis at its end."""
    missing = columns - width(text)
    if missing >= 0:
        return text + " " * missing
    kept, room = "", columns - 1
    for char in text:
        room -= _columns(char)
        if room < 0:
            break
        kept += char
    return fit(kept + "…", columns)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _list(items: Sequence[str]) -> str:
    """Names as they are, lines of text by their number."""
    if any(" " in item for item in items):
        return f"{len(items)} line{'s' if len(items) > 1 else ''}"
    return ", ".join(items) or "none"


def _number(value: float, unit: str | None) -> str:
    if unit == "s":
        return human_seconds(value)
    if unit == "B":
        return human_bytes(value)
    shown = str(value) if isinstance(value, int) else f"{value:.2f}"
    return f"{shown} {unit}" if unit and unit != "per core" else shown


def _object(value: Mapping[str, Any]) -> str:
    """The objects of the built-in checks: a file system, memory, slurmd, a job. Any other shows its values."""
    if value.get("hung"):
        return "hung"
    if value.get("mounted") is False:
        return "not mounted"
    if "used_percent" in value and value["used_percent"] is not None:
        read_only = "read-only, " if value.get("read_only") else ""
        return f"{read_only}{value['used_percent']:.0f}% of {human_bytes(value['size'])}"
    if value.get("size") is not None:
        return human_bytes(value["size"])
    if "mounted" in value:
        return "no answer"
    if "running" in value:
        return f"{value['version'] or 'running'}" if value["running"] else "stopped"
    if "job_id" in value:
        return f"{value['job_id']} {value['state']} {value['exit_code']}"
    return " ".join(str(item) for item in value.values() if item is not None)
