"""What the history shows that people did to nodes, and how long nodes were ill untouched. Pure.

It shows three things well: a node that booted while it was out of service, which somebody made it do, a slurmd that was
started while it was what the node lacked, and one that was drained and is back in service, which nothing but a person
undoes. What botd did itself is not counted a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from botd.advice.outcomes import CALM, OTHERS, UNTOLD, WINDOW, Aftermath, is_a_persons
from botd.advice.rules import POWER_CYCLE, POWER_ON, RESTART_SLURMD, RESUME, RULES
from botd.advice.titles import diagnosis_of
from botd.history.changes import IN_SERVICE, NOT_LISTED, boot_time
from botd.model import BOOT, DIAGNOSIS, REASON, SLURM, STARTED, Change, State

READ = (SLURM, REASON, DIAGNOSIS, BOOT, STARTED)
"""The subjects of the changes that it is read out of."""

LACKS_SLURMD = frozenset(rule.name for rule in RULES if RESTART_SLURMD in rule.ladder)
"""The diagnoses that a start of slurmd may mend. Of others it says nothing: that of Slurm 23.11 or later may start
itself anew when it is reconfigured."""

LOST_JOB = "last_job"
"""The check that fails where a node took its job with it."""

OURS = timedelta(minutes=30)
"""What happens so soon after an action of botd's own is that action's doing."""

UNTOUCHED_BY_NATURE = frozenset({"draining", *CALM, *OTHERS, *UNTOLD})
"""The diagnoses of which it says nothing whether they were over soon."""


class Deed(NamedTuple):
    """What somebody did to a node that had a diagnosis."""

    node: str
    diagnosis: str
    action: str
    at: datetime


class Illness(NamedTuple):
    """How long a node had a diagnosis untouched, and whether it was over then by itself."""

    node: str
    diagnosis: str
    began_at: datetime
    hours: float
    healed: bool


@dataclass
class _Node:
    """A node as the changes go by: its words so far with when they began, None for a begin that is not known."""

    titles: list[tuple[datetime | None, str]] = field(default_factory=lambda: [(None, "")])
    slurm: list[tuple[datetime | None, str]] = field(default_factory=list)
    touched_at: datetime | None = None


def _at(words: Sequence[tuple[datetime | None, str]], at: datetime) -> str:
    """The word of a moment."""
    return next((word for begin, word in reversed(words) if begin is None or begin <= at), "")


def observed(changes: Iterable[Change], ours: Mapping[str, Sequence[datetime]]) -> tuple[list[Deed], list[Illness]]:
    """What these changes of READ show, in the order of their recording; `ours` is when botd acted, by node."""
    nodes: dict[str, _Node] = {}
    deeds, illnesses = list[Deed](), list[Illness]()
    for change in changes:
        node, acted = nodes.setdefault(change.node, _Node()), ours.get(change.node, ())
        if change.subject == SLURM and not node.slurm:
            node.slurm.append((None, change.old))
        deed = _deed(node, change)
        if deed and not _is_ours(deed.at, acted):
            deeds.append(deed)
        if touched := _touched_at(node, change):
            node.touched_at = min(touched, node.touched_at or touched)
        if change.subject == SLURM:
            node.slurm.append((change.at, change.new))
        if change.subject == DIAGNOSIS:
            illnesses += _illness(node, change, acted)
            node.titles.append((change.at, change.new))
            node.touched_at = None
    return deeds, illnesses


def aftermath(changes: Sequence[Change], at: datetime, others: Sequence[datetime], blind: timedelta) -> Aftermath:
    """What became of a node after a moment, by all its changes of DIAGNOSIS and SLURM and when it booted."""
    told = [change for change in changes if change.subject in (DIAGNOSIS, SLURM)]
    boots = [boot_time(change.new) for change in changes if change.subject == BOOT]
    starts = [boot_time(change.new) for change in changes if change.subject == STARTED]
    boots += [start for start in starts if diagnosis_of(_word_at(told, DIAGNOSIS, start, "")) in LACKS_SLURMD]
    return Aftermath(
        _word_at(told, DIAGNOSIS, at, ""),
        _word_at(told, SLURM, at, IN_SERVICE),
        [change for change in told if change.at > at],
        sorted([*others, *(boot for boot in boots if boot > at + timedelta(minutes=1))]),
        blind,
    )


def lost_a_job(changes: Iterable[Change], at: datetime) -> bool:
    """Whether a job was lost on the node within a day of a moment."""
    lost = (each for each in changes if each.subject == LOST_JOB and each.new.startswith(State.FAIL))
    return any(at < each.at <= at + WINDOW for each in lost)


def _word_at(changes: Sequence[Change], subject: str, at: datetime, usual: str) -> str:
    """What a subject was at a moment; `usual` where it never was anything else."""
    these = [change for change in changes if change.subject == subject]
    before = [change.new for change in these if change.at <= at]
    return before[-1] if before else next((change.old for change in these), usual) or usual


def _deed(node: _Node, change: Change) -> Deed | None:
    """What somebody has done, as a change shows it."""
    if change.subject == BOOT:
        at = boot_time(change.new)
        if _at(node.slurm, at).startswith((IN_SERVICE, NOT_LISTED)) or not node.slurm:
            return None
        action = POWER_ON if diagnosis_of(_at(node.titles, at)) == "powered-off" else POWER_CYCLE
    elif _is_started(node, change):
        at, action = boot_time(change.new), RESTART_SLURMD
    elif _undrained(change):
        at, action = change.at, RESUME
    else:
        return None
    name = diagnosis_of(_at(node.titles, at))
    return Deed(change.node, name, action, at) if name and name not in OTHERS | UNTOLD else None


def _undrained(change: Change) -> bool:
    """Whether a node is back that only a person lets back."""
    return change.subject == SLURM and change.new.startswith(IN_SERVICE) and "drain" in change.old


def _is_started(node: _Node, change: Change) -> bool:
    """Whether slurmd was started on a node that lacked it."""
    return change.subject == STARTED and diagnosis_of(_at(node.titles, boot_time(change.new))) in LACKS_SLURMD


def _touched_at(node: _Node, change: Change) -> datetime | None:
    """When somebody had a hand in the node, as a change shows it."""
    if change.subject == BOOT or _is_started(node, change):
        return boot_time(change.new)
    is_written = change.subject == REASON and change.new and is_a_persons(change.new)
    return change.at if is_written or _undrained(change) else None


def _illness(node: _Node, change: Change, acted: Sequence[datetime]) -> Iterator[Illness]:
    """The diagnosis that is over now, where its begin is known and it could have ended by itself."""
    begin, title = node.titles[-1]
    name = diagnosis_of(title)
    if begin is None or not name or name in UNTOUCHED_BY_NATURE:
        return
    hands = [at for at in (node.touched_at, *acted) if at and begin - OURS <= at <= change.at]
    end = max(begin, min(hands)) if hands else change.at
    healed = not hands and (not change.new or diagnosis_of(change.new) in CALM)
    yield Illness(change.node, name, begin, (end - begin) / timedelta(hours=1), healed)


def _is_ours(at: datetime, acted: Sequence[datetime]) -> bool:
    return any(timedelta(minutes=-1) <= at - each <= OURS for each in acted)
