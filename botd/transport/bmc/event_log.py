"""Reading the end of a BMC's event log, as questions and answers: nothing here sends anything.

The newest record is asked for first (record id FFFFh), then the one before it by its number, which BMCs count up. A
whole record needs no reservation. So a log of thousands costs as many packets as an empty one and a few more, and a
quiet one three.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from botd.answers import EventsAnswer
from botd.checks.sel_records import read_record, seconds

MOST = 16
"""Records that are read of one log."""

OLDEST_S = 30 * 86400
"""Older records, by the BMC's own clock, are left where they are."""

NO_LOG = "this BMC keeps no event log"
_LAST, _WHOLE, _RECORD = 0xFFFF, 0xFF, 16
_UNKNOWN_COMMAND, _NOT_PRESENT = (0xC1, 0xC2), (0xCB,)


class Question(NamedTuple):
    """A request of the network function Storage. It changes nothing, and the privilege level User suffices."""

    number: int
    data: bytes = b""


class Said(NamedTuple):
    """Completion code and data of an answer."""

    code: int
    data: bytes


INFO, TIME, ENTRY = 0x40, 0x48, 0x43
"""Get SEL Info (31.2), Get SEL Time (31.10) and Get SEL Entry (31.5)."""

Reading = Generator[Question, Said, EventsAnswer]


def read_events() -> Reading:
    """The newest records of the log. Sent the answer to each question that it yields, it returns what came of them."""
    code, info = yield Question(INFO)
    if code in _UNKNOWN_COMMAND:
        return EventsAnswer(nothing_kept=NO_LOG)
    if code or len(info) < 14:
        return EventsAnswer(error=_refused("what its event log holds", code))
    held = int.from_bytes(info[1:3], "little")
    code, time = yield Question(TIME)
    clock_s = seconds(time) if not code and len(time) == 4 else None
    if not held or _is_old(seconds(info[5:9]), clock_s):
        return EventsAnswer((), clock_s, held)
    return (yield from _read_records(held, clock_s))


def _read_records(held: int, clock_s: int | None) -> Reading:
    found: list[bytes] = []
    wanted = _LAST
    while len(found) < min(MOST, held) and wanted:
        code, data = yield Question(ENTRY, bytes(2) + wanted.to_bytes(2, "little") + bytes((0, _WHOLE)))
        record = data[2:]
        if code in _NOT_PRESENT and found:
            break  # it does not count by ones
        if code or len(record) != _RECORD:
            return EventsAnswer(tuple(found), clock_s, held, _refused("an entry of its event log", code))
        number = int.from_bytes(record[:2], "little")
        if wanted not in (_LAST, number) or _is_old(read_record(record).at_s, clock_s):
            break
        found.append(record)
        wanted = number - 1
    return EventsAnswer(tuple(found), clock_s, held)


def _is_old(at_s: int | None, clock_s: int | None) -> bool:
    return at_s is not None and clock_s is not None and at_s < clock_s - OLDEST_S


def _refused(what: str, code: int) -> str:
    return f"the BMC refused to say {what}: completion code 0x{code:02x}" if code else f"no answer that says {what}"
