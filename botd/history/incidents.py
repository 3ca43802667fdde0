"""Incidents: when a node left service or took no login, and which nodes have the most of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from botd.checks import Checks
from botd.history.changes import IN_SERVICE, NOT_LISTED, OUT
from botd.model import SLURM, Change, State

SAME_INCIDENT = timedelta(hours=1)

IMPORTED = f"{OUT}, imported"
"""What an imported incident is: no state of Slurm is called so."""


def incident_subjects(checks: Checks) -> tuple[str, ...]:
    """What an incident may begin with: Slurm, and the checks that say so."""
    return (SLURM, *(name for name, check in checks.items() if check.opens_incident))


@dataclass(frozen=True)
class Offender:
    """A node and its incidents in some time: how many, when the last one began, what it was, how many are imported."""

    node: str
    incidents: int
    last_at: datetime
    last: str
    imported: int = 0


def imported_incidents(times: Mapping[str, Iterable[datetime]]) -> list[Change]:
    """Incidents that were imported, as `offenders` counts them, of when they began by node."""
    return [Change(node, SLURM, "", IMPORTED, at, is_bad=True) for node, begun in times.items() for at in begun]


def offenders(changes: Iterable[Change]) -> list[Offender]:
    """The nodes with incidents among these changes for the worse, most incidents first.

    An incident begins when Slurm takes a node out of service or a login to it begins to fail; whatever else of the
    kind follows within an hour of its begin belongs to it.
    """
    begun: dict[str, list[Change]] = {}
    for change in sorted(changes, key=lambda change: change.at):
        if not _was_well(change):
            continue
        incidents = begun.setdefault(change.node, [])
        if not incidents or change.at - incidents[-1].at >= SAME_INCIDENT:
            incidents.append(change)
    counted = [_offender(node, incidents) for node, incidents in begun.items()]
    return sorted(counted, key=lambda offender: (-offender.incidents, -offender.last_at.timestamp(), offender.node))


def is_return(change: Change) -> bool:
    """Whether Slurm has taken a node back into service with this change."""
    is_back = change.subject == SLURM and change.new.startswith(IN_SERVICE)
    return is_back and not change.old.startswith(IN_SERVICE)


def _was_well(change: Change) -> bool:
    """Whether the subject of a change was well before it: a node that was down and is drained only changed its ill."""
    if change.subject == SLURM:
        return not change.old or change.old == NOT_LISTED or change.old.startswith(IN_SERVICE)
    return not change.old.startswith(State.FAIL)


def _offender(node: str, incidents: Sequence[Change]) -> Offender:
    last = incidents[-1]
    what = f"{last.subject} {last.new}" + (f": {last.why}" if last.why else "")
    return Offender(node, len(incidents), last.at, what, sum(each.new == IMPORTED for each in incidents))
