"""What the BMC's own event log says of the hardware."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from botd.answers import EventsAnswer, Source
from botd.checks.limits import human_seconds
from botd.checks.sel_records import Event, read_record
from botd.model import Check, Facts, Finding, Option, State

_TOLD = 3
"""Entries that a detail repeats."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """An event and how old it is by its BMC's clock, None where that cannot be told."""

    event: Event
    age_s: int | None

    def is_within(self, limit_s: float) -> bool:
        return self.age_s is not None and self.age_s <= limit_s

    @property
    def line(self) -> str:
        """`2026-11-26 03:10:12 memory: uncorrectable error (02 0c 12 6f a1 ff ff)`, the time of its BMC."""
        at = _moment(self.event.at_s)
        return f"{at or 'no time'} {self.event.words}"


def parse_sel(answer: EventsAnswer, facts: Facts) -> Finding:
    """An object: a fault (`part`, `what`, `at` by the BMC's own clock), and the entries as `lines`, oldest first.

    It is the newest that breaks a part, which counts for `days`, else the newest that passes, which counts for `hours`;
    null where there is neither. One whose end is logged after it does not count, and one of unknown age never for more
    than one that passes.
    """
    if answer.nothing_kept:
        return Finding(State.SKIPPED, None, answer.nothing_kept)
    days_s = float(facts.settings["days"]) * 86400
    entries = [entry for entry in _entries(answer) if entry.age_s is None or entry.is_within(days_s)]
    faults = list(_standing(entries))
    broken = next((entry for entry in faults if entry.event.breaks and entry.age_s is not None), None)
    if broken:
        return Finding(State.FAIL, _value(broken, entries), _words(broken, answer, entries))
    if answer.error:
        return Finding(State.UNKNOWN, _value(None, entries), answer.error)
    hours_s = float(facts.settings["hours"]) * 3600
    passing = [entry for entry in faults if entry.age_s is None or entry.is_within(hours_s)]
    passed = next((entry for entry in passing if entry.event.breaks), passing[0] if passing else None)
    state = State.WARN if passed else State.OK
    return Finding(state, _value(passed, entries), _words(passed, answer, entries))


def show_sel(value: Mapping[str, Any]) -> str:
    """The part that the fault is of."""
    return value["part"] or "none"


def _entries(answer: EventsAnswer) -> Iterator[_Entry]:
    """The events, the newest first. One from the future of its BMC's clock is as old as nobody knows."""
    for event in map(read_record, answer.records):
        age_s = None if event.at_s is None or answer.clock_s is None else answer.clock_s - event.at_s
        yield _Entry(event, None if age_s is None or age_s < 0 else age_s)


def _standing(entries: Sequence[_Entry]) -> Iterator[_Entry]:
    """The faults whose end does not stand after them."""
    over = set()
    for entry in entries:
        if entry.event.is_end:
            over.add(entry.event.subject)
        elif entry.event.part and entry.event.subject not in over:
            yield entry


def _value(fault: _Entry | None, entries: Sequence[_Entry]) -> dict[str, object]:
    return {
        "part": fault.event.part if fault else None,
        "what": fault.event.what if fault else None,
        "at": _moment(fault.event.at_s) if fault else None,
        "lines": [entry.line for entry in reversed(entries)],
    }


def _words(fault: _Entry | None, answer: EventsAnswer, entries: Sequence[_Entry]) -> str:
    if fault:
        age = "age unknown" if fault.age_s is None else f"{human_seconds(fault.age_s)} ago by its BMC's clock"
        return f"{fault.event.part}: {fault.event.what}, {age}"
    if not entries:
        return f"nothing new among {answer.held} entries" if answer.held else "the log is empty"
    return "; ".join(entry.line for entry in entries[:_TOLD])


def _moment(at_s: int | None) -> str | None:
    return None if at_s is None else f"{datetime.fromtimestamp(at_s, UTC):%F %T}"


CHECK = Check(
    name="sel",
    title="SEL",
    help="The newest entries of the BMC's event log, and the newest fault among them.",
    source=Source.EVENTS,
    needs=("ipmi_reachable",),
    parse=parse_sel,
    show=show_sel,
    columns={"part": itemgetter("part"), "what": itemgetter("what"), "at": itemgetter("at")},
    tells=("part", "what"),
    options=(
        Option("days", "int", 7, "A fault that breaks a part counts for so many days, at most 30."),
        Option("hours", "int", 24, "One that passes by itself counts for so many hours."),
    ),
)
