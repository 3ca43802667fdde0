"""Power cycles that people did by themselves, as far as Slurm shows them: for the breaker they count as botd's own do.

A node that boots while it is out of service was switched by somebody, or fell over once more: both say that something
is going on. A boot that Slurm was asked for is none, because nobody cuts a power there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from botd.acting.actions import BY_NAME
from botd.inventory.states import is_out_of_service
from botd.model import SlurmNode

COUNTED = timedelta(minutes=60)
"""How long a cycle counts."""

EXACTLY = timedelta(seconds=60)
"""How far two times of one boot lie apart at most: slurmctld works it out at each registration, by its own clock."""

LONGEST = timedelta(seconds=max(action.deadline_s for action in BY_NAME.values()))
"""How long after it was sent an action still explains a boot."""

_ASKED_FOR = frozenset({"REBOOT_REQUESTED", "REBOOT_ISSUED"})


class Cycle(NamedTuple):
    """A node that was out of service and booted, and when."""

    node: str
    at: datetime


class Sending(NamedTuple):
    """A hard action of botd's that was sent to a node."""

    node: str
    at: datetime


def add_cycles(
    known: tuple[Cycle, ...], before: Mapping[str, SlurmNode], after: Mapping[str, SlurmNode], now: datetime
) -> tuple[Cycle, ...]:
    """The cycles that are known and those between two node lists, without old ones; `known` where none is new."""
    new = tuple(cycle for cycle in _between(before, after) if cycle.at > now - COUNTED)
    return (*(cycle for cycle in known if cycle.at > now - COUNTED), *new) if new else known


def united(known: Iterable[Cycle], new: Iterable[Cycle], now: datetime) -> tuple[Cycle, ...]:
    """The cycles of both, each once, without old ones."""
    found: list[Cycle] = []
    for cycle in (*known, *new):
        is_there = any(cycle.node == each.node and abs(cycle.at - each.at) <= EXACTLY for each in found)
        if cycle.at > now - COUNTED and not is_there:
            found.append(cycle)
    return tuple(found)


def cycles_text(cycles: Iterable[Cycle]) -> str:
    """Cycles as the ledger keeps them."""
    return json.dumps([[cycle.node, cycle.at.timestamp()] for cycle in cycles])


def read_cycles(text: str) -> tuple[Cycle, ...]:
    """What such a text says; none for none. Raises ValueError or TypeError for one that is damaged."""
    return tuple(Cycle(node, datetime.fromtimestamp(at, UTC)) for node, at in json.loads(text or "[]"))


def by_people(cycles: Iterable[Cycle], sent: Iterable[Sending]) -> list[datetime]:
    """When people cycled nodes: the cycles that nothing explains that botd has sent."""
    times: dict[str, list[datetime]] = {}
    for sending in sent:
        times.setdefault(sending.node, []).append(sending.at)
    return [
        cycle.at
        for cycle in cycles
        if not any(at - EXACTLY <= cycle.at <= at + LONGEST for at in times.get(cycle.node, ()))
    ]


def _between(before: Mapping[str, SlurmNode], after: Mapping[str, SlurmNode]) -> Iterator[Cycle]:
    for name, node in after.items():
        old = before.get(name)
        if old and old.boot_at and node.boot_at and node.boot_at - old.boot_at > EXACTLY and _is_counted(old):
            yield Cycle(name, node.boot_at)


def _is_counted(node: SlurmNode) -> bool:
    return is_out_of_service(node) and _ASKED_FOR.isdisjoint(node.flags)
