"""Limits that numbers are held against, the same way in every check."""

from __future__ import annotations

from botd.model import State

CANNOT_RUN = (126, 127)
"""Exit statuses of a shell that could not start the command (POSIX, sh, 2.8.2)."""


def judge(value: float, warn: float | None, fail: float | None, *, worse: str = "higher") -> State:
    """Fail or warn for a value beyond that limit, else ok. `worse` says on which side of a limit beyond lies."""

    def beyond(limit: float | None) -> bool:
        return limit is not None and (value > limit if worse == "higher" else value < limit)

    if beyond(fail):
        return State.FAIL
    return State.WARN if beyond(warn) else State.OK


def human_bytes(count: float) -> str:
    """A size for a person, in powers of 1024: `62.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} PiB"


def human_seconds(seconds: float) -> str:
    """A span for a person, in its two largest units: `12 d 3 h`."""
    if abs(seconds) < 60:
        return f"{seconds:.3g} s"
    seconds = int(seconds)
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} {seconds % size // below:.0f} {small}"
    return f"{seconds // 60} min {seconds % 60} s"
