"""The times that Slurm prints, in any form that SLURM_TIME_FORMAT makes of them.

They are local and carry no zone. Without that variable, and with `standard`, they are `2026-11-23T20:16:37`; with
`relative` one of five shapes that name no year or no day; else whatever strftime(3) makes of it, blanks inside.
Source: slurm_make_time_str and _relative_date_fmt in parse_time.c, 14.03 to 25.11.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

NEVER = ("", "Unknown", "None", "N/A")
"""What stands where there is no time."""

MAX_WORDS = 8
"""Words of one time: no more fit into the 19 bytes of its column, or are likely in a wider one."""

_STANDARD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_READABLE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", re.ASCII)
_EPOCH = re.compile(r"\d{9,11}", re.ASCII)
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# Ystday 20:13, Tomorr 03:22, Sat 02:17, 12:26:38, 18 Jun 13:14, 19 Jan 2003; a format that makes nothing gives ####
_SHAPE = re.compile(
    rf"{_READABLE.pattern}|(?:Ystday|Tomorr|{_DAY}) \d\d:\d\d|\d\d:\d\d:\d\d"
    rf"|\d\d? {_MONTH} (?:\d\d:\d\d|\d{{4}})|\d{{9,11}}|#{{8,}}|Unknown|None",
    re.ASCII,
)
_WORD = re.compile(rf"\d[\w.,:/+-]*|[+-]\d{{4}}|(?:{_DAY}|{_MONTH})[a-z]*[.,]?|[AaPp][Mm]|[A-Z]{{3,5}}|#+|-", re.ASCII)


def parse_time(text: str) -> datetime | None:
    """A time that Slurm printed, local and without a zone, in UTC; None where it names no one moment."""
    try:
        if _READABLE.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
        return datetime.fromtimestamp(int(text), UTC) if _EPOCH.fullmatch(text) else None
    except (ValueError, OverflowError, OSError):
        return None


def is_standard(text: str) -> bool:
    """Whether it is written as Slurm does when nobody asks for another form."""
    return bool(_STANDARD.fullmatch(text))


def looks_like_time(text: str) -> bool:
    """Whether it is a time by its shape, readable or not, or says that there is none."""
    words = text.split()
    shaped = bool(_SHAPE.fullmatch(" ".join(words)))
    return shaped or (bool(words) and any(map(str.isdigit, text)) and all(map(_WORD.fullmatch, words)))


def words_of_time(words: Sequence[str], *, at_end: bool = False) -> int:
    """How many of the words at the beginning, or at the end, are one time; at least 1.

    A known shape is taken whole; else all that could stand in a time.
    """
    run = list(reversed(words)) if at_end else list(words)
    shaped = [n for n in range(1, min(len(run), 3) + 1) if _SHAPE.fullmatch(_joined(run[:n], at_end))]
    if shaped:
        return shaped[-1]
    count = next((i for i, word in enumerate(run) if not _WORD.fullmatch(word)), len(run))
    return max(count, 1)


def _joined(words: Sequence[str], backwards: bool) -> str:
    return " ".join(reversed(words) if backwards else words)
