"""What the history says of a node that a diagnosis needs: its incidents, and since when a check is as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from botd.checks import Checks
from botd.history.incidents import imported_incidents, incident_subjects, is_return, offenders
from botd.model import Change, Clock

LOOK_BACK = timedelta(days=30)
"""How far back incidents count."""

KEPT = timedelta(hours=1)
"""How long what was read of a node counts while it has no new change: an incident is forgotten so much too late."""

TOLD = ("ipmi_state", "memory", "slurmd", "ping")
"""The checks besides those that open incidents, and every mount, of which a diagnosis tells since when."""


@dataclass(frozen=True)
class NodePast:
    """One node: its incidents in LOOK_BACK, and when each check became what it is now, as far as that is on record.

    A check that was so when the record began has been so for nobody knows how long. `back_at` is when Slurm last took
    the node back into service in that time; None where it did not.
    """

    incidents: int = 0
    since: Mapping[str, datetime] = field(default_factory=dict)
    back_at: datetime | None = None


NOTHING = NodePast()
"""A node of which the history knows nothing."""


def past_subjects(checks: Checks) -> tuple[str, ...]:
    """The subjects of the changes that `node_pasts` reads: none that changes at every sweep."""
    told = [name for name in checks if name in TOLD or name.startswith("df_")]
    return tuple(dict.fromkeys([*incident_subjects(checks), *told]))


class Record(Protocol):
    """Where the changes stand."""

    def about(self, nodes: Collection[str], subjects: Sequence[str], since: datetime) -> Iterable[Change]:
        """The changes of these subjects of these nodes since a time, oldest first."""

    def touched(self, subjects: Sequence[str], after: int | None) -> tuple[int, Collection[str]]:
        """The id of the newest change of all, and the nodes with one of these subjects above the id `after`."""

    def imported(self) -> Mapping[str, Sequence[datetime]]:
        """When incidents of nodes began that were over before the changes begin."""


class Pasts:
    """The history of nodes as it is on record. A node is read again when it has a new change, and after KEPT.

    Of 500 sick nodes of 10,000 it takes 0.4 s to read, which no sweep should cost. One belongs to one thread.
    """

    def __init__(self, record: Record, checks: Checks, clock: Clock) -> None:
        self._record = record
        self._checks = checks
        self._clock = clock
        self._kept: dict[str, NodePast] = {}
        self._last: int | None = None
        self._imported: Mapping[str, Sequence[datetime]] = {}
        self._read_at: datetime | None = None

    def of(self, nodes: Collection[str]) -> Mapping[str, NodePast]:
        """The history of these nodes. It raises what the record raises."""
        subjects, now = past_subjects(self._checks), self._clock()
        last, touched = self._record.touched(subjects, self._last)
        imported = self._record.imported()
        is_another = self._last is None or last < self._last  # the database before was lost
        is_old = self._read_at is None or not timedelta(0) <= now - self._read_at < KEPT
        if is_another or is_old or imported != self._imported:
            self._kept, self._read_at, self._imported = {}, now, imported
        for node in touched:
            self._kept.pop(node, None)
        self._last = last
        if missing := [node for node in nodes if node not in self._kept]:
            changes = self._record.about(missing, subjects, now - LOOK_BACK)
            before = {node: imported[node] for node in missing if node in imported}
            found = node_pasts(changes, self._checks, now, before)
            self._kept |= {node: found.get(node, NOTHING) for node in missing}
        return {node: self._kept[node] for node in nodes}


def node_pasts(
    changes: Iterable[Change],
    checks: Checks,
    now: datetime,
    imported: Mapping[str, Sequence[datetime]] = MappingProxyType({}),
) -> dict[str, NodePast]:
    """What these changes of `past_subjects` say, oldest first, by node, with when imported incidents began."""
    opening, since = incident_subjects(checks), dict[str, dict[str, datetime]]()
    back: dict[str, datetime] = {}
    counted = imported_incidents(imported)
    for change in changes:
        since.setdefault(change.node, {}).update({change.subject: change.at} if change.old else {})
        if is_return(change):
            back[change.node] = change.at
        if change.is_bad and change.subject in opening:
            counted.append(change)
    recent = (change for change in counted if change.at >= now - LOOK_BACK)
    incidents = {offender.node: offender.incidents for offender in offenders(recent)}
    nodes = since.keys() | incidents.keys()
    return {node: NodePast(incidents.get(node, 0), since.get(node, {}), back.get(node)) for node in nodes}
