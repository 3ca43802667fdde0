"""What the history says of a node that a diagnosis needs: its incidents, and since when a check is as it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from botd.checks import Checks
from botd.history.incidents import incident_subjects, offenders
from botd.model import Change

LOOK_BACK = timedelta(days=30)
"""How far back incidents count."""

TOLD = ("ipmi_state", "memory", "slurmd", "ping")
"""The checks besides those that open incidents, and every mount, of which a diagnosis tells since when."""


@dataclass(frozen=True)
class NodePast:
    """One node: its incidents in LOOK_BACK, and when each check became what it is now, as far as that is on record.

    A check that was so when the record began has been so for nobody knows how long.
    """

    incidents: int = 0
    since: Mapping[str, datetime] = field(default_factory=dict)


NOTHING = NodePast()
"""A node of which the history knows nothing."""


def past_subjects(checks: Checks) -> tuple[str, ...]:
    """The subjects of the changes that `node_pasts` reads: none that changes at every sweep."""
    told = [name for name in checks if name in TOLD or name.startswith("df_")]
    return tuple(dict.fromkeys([*incident_subjects(checks), *told]))


About = Callable[[Collection[str], Sequence[str], datetime], Iterable[Change]]
"""What gives the changes of nodes and subjects since a time, oldest first."""


def pasts_from(about: About, checks: Checks, now: datetime) -> Callable[[Collection[str]], Mapping[str, NodePast]]:
    """What gives the history of nodes as it is on record now. It raises what `about` raises."""
    return lambda nodes: node_pasts(about(nodes, past_subjects(checks), now - LOOK_BACK), checks, now)


def node_pasts(changes: Iterable[Change], checks: Checks, now: datetime) -> dict[str, NodePast]:
    """What these changes of `past_subjects` say, oldest first, by node."""
    opening, since, counted = incident_subjects(checks), dict[str, dict[str, datetime]](), list[Change]()
    for change in changes:
        since.setdefault(change.node, {}).update({change.subject: change.at} if change.old else {})
        if change.is_bad and change.subject in opening and change.at >= now - LOOK_BACK:
            counted.append(change)
    incidents = {offender.node: offender.incidents for offender in offenders(counted)}
    return {node: NodePast(incidents.get(node, 0), times) for node, times in since.items()}
