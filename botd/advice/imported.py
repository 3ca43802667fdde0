"""What slurmdbd's record of node events tells of resumes and of healing alone. Pure.

It has no word of what was done to a node, nor of what ailed it beyond Slurm's own reason. So no power cycle is read out
of it, and of what ended later than people can have come nothing is said but that it had lasted so long. It tells three
things: when nodes were out of service, that a drained node which is back was resumed by somebody, and that one which
Slurm called `Not responding` was back so soon that nobody can have had a hand in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from botd.advice.outcomes import WINDOW, Verdict, is_a_persons
from botd.advice.reasons import Author, Tells, read_reason
from botd.inventory.events import NodeEvent

SILENT = "silent"
"""What Slurm called `Not responding` counts as this diagnosis."""

READY, READY_AFTER = (
    "ready",
    MappingProxyType({Tells.PROLOG: "ready-prolog", Tells.REBOOTED: "ready-rebooted", Tells.KILL: "ready-killed"}),
)
"""Whoever resumed a node held it for ready: by what the reason tells, the diagnosis."""

ALONE = timedelta(minutes=30)
"""Who is back so soon came back alone: nobody has seen it, gone there, and waited for its boot."""

JOINED = timedelta(seconds=2)
"""What begins so soon after the end of an event before it goes on with it: another state, or another reason."""


class Resumed(NamedTuple):
    """A node that somebody put back, and what came of it: GOOD, BAD or NOT_COUNTED, and why in words."""

    node: str
    diagnosis: str
    at: datetime
    verdict: Verdict
    words: str


class Silence(NamedTuple):
    """How long a node was silent untouched, and whether it was over then by itself."""

    node: str
    began_at: datetime
    hours: float
    healed: bool


class Outage(NamedTuple):
    """Events of one node that go on with each other: an incident."""

    node: str
    events: tuple[NodeEvent, ...]

    @property
    def begins_at(self) -> datetime:
        """When it left service."""
        return self.events[0].begins_at

    @property
    def ends_at(self) -> datetime | None:
        """When it was back, None where it is not."""
        return self.events[-1].ends_at


def outages(events: Iterable[NodeEvent]) -> list[Outage]:
    """The incidents in these events, by node and time; events that go on with each other are one."""
    found: list[Outage] = []
    for node, each in groupby(sorted(events, key=lambda e: (e.node, e.begins_at)), key=lambda event: event.node):
        joined: list[NodeEvent] = []
        for event in each:
            if joined and not _goes_on(joined[-1], event):
                found.append(Outage(node, tuple(joined)))
                joined = []
            joined.append(event)
        found.append(Outage(node, tuple(joined)))
    return found


def resumed(found: Sequence[Outage], until: datetime) -> Iterator[Resumed]:
    """The drained nodes that somebody put back, and what came of it as far as the record reaches, to `until`."""
    for place, outage in enumerate(found):
        at = outage.ends_at
        if at is None or at + WINDOW > until or not _takes_a_resume(outage):
            continue
        after = found[place + 1] if place + 1 < len(found) and found[place + 1].node == outage.node else None
        yield Resumed(outage.node, _ready(outage), at, *_came_of(at, after))


def silences(found: Iterable[Outage]) -> Iterator[Silence]:
    """How long nodes were silent untouched. Of one that lasted longer than ALONE it is not told how it ended."""
    for outage in found:
        first = outage.events[0]
        is_silent = first.state.startswith("DOWN") and [p.tells for p in read_reason(first.reason)] == [Tells.SILENT]
        if not is_silent or (first.ends_at is None and len(outage.events) > 1):
            continue
        lasted = min(first.ends_at - first.begins_at, ALONE) if first.ends_at else ALONE
        healed = len(outage.events) == 1 and first.ends_at is not None and lasted < ALONE
        yield Silence(outage.node, first.begins_at, lasted / timedelta(hours=1), healed)


def _goes_on(before: NodeEvent, event: NodeEvent) -> bool:
    return before.ends_at is not None and event.begins_at - before.ends_at <= JOINED


def _takes_a_resume(outage: Outage) -> bool:
    """Whether nothing but somebody's resume ends it: Slurm's own drain, which it does not take back by itself.

    NHC takes back its own, and Slurm that of a reboot.
    """
    last = outage.events[-1]
    parts = read_reason(last.reason)
    is_slurms = bool(parts) and all(part.author is Author.SLURM for part in parts)
    return last.state.startswith("DRAIN") and is_slurms and not any(p.tells is Tells.REBOOTING for p in parts)


def _ready(outage: Outage) -> str:
    """The diagnosis of who is put back: the first that fits, as in the rules."""
    told = {part.tells for part in read_reason(outage.events[-1].reason)}
    return next((name for tells, name in READY_AFTER.items() if tells in told), READY)


def _came_of(at: datetime, after: Outage | None) -> tuple[Verdict, str]:
    if after is None or after.begins_at > at + WINDOW:
        return Verdict.GOOD, "in service for a day, by Slurm's record"
    reason = after.events[0].reason
    if is_a_persons(reason):
        return Verdict.NOT_COUNTED, f"somebody took it out of service: {reason}"
    return Verdict.BAD, f"out of service again within a day: {reason}"
