"""What is new since a moment: the nodes that left service, that are back, and of which something else is so. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from botd.history.changes import IN_SERVICE, NOT_LISTED
from botd.model import DIAGNOSIS, REASON, SLURM, Change

TOLD = (SLURM, REASON, DIAGNOSIS)
"""The subjects of the changes that are news of a node: its readings come to its diagnosis."""


@dataclass(frozen=True)
class News:
    """What became of nodes since a moment. `is_whole` unless the record begins later than was asked for.

    `new` are out of service and were not all the time; `back` the other way round; of the others that are out,
    `changed` have another state, reason or diagnosis.
    """

    since: datetime
    is_whole: bool
    new: frozenset[str]
    back: frozenset[str]
    changed: frozenset[str]


def news_of(changes: Iterable[Change], asked: datetime, begun_at: datetime, out: Collection[str]) -> News:
    """The news by these changes of TOLD since the moment that is asked for, oldest first; `out` are out of service now.

    `begun_at` is when the record begins.
    What the record began with is no news: how a node was before is not known.
    """
    is_whole = begun_at <= asked
    by_node: dict[str, list[Change]] = {}
    for change in changes if is_whole else _after_the_first(list(changes)):
        by_node.setdefault(change.node, []).append(change)
    new = {node for node, found in by_node.items() if node in out and any(map(_leaves, found))}
    back = {node for node, found in by_node.items() if node not in out and any(map(_returns, found))}
    changed = {node for node, found in by_node.items() if node in out and node not in new and _differs(found)}
    return News(max(asked, begun_at), is_whole, frozenset(new), frozenset(back), frozenset(changed))


def _after_the_first(changes: Sequence[Change]) -> list[Change]:
    """The changes without those of the first node list, of which nothing was known before."""
    first = min((change.at for change in changes if change.subject == SLURM and not change.old), default=None)
    return [change for change in changes if change.at != first or change.old]


def _leaves(change: Change) -> bool:
    """Whether a node left service."""
    return change.subject == SLURM and not _is_out(change.old) and _is_out(change.new)


def _returns(change: Change) -> bool:
    return change.subject == SLURM and _is_out(change.old) and change.new.startswith(IN_SERVICE)


def _is_out(word: str) -> bool:
    return word not in ("", NOT_LISTED) and not word.startswith(IN_SERVICE)


def _differs(changes: Sequence[Change]) -> bool:
    """Whether anything is another than before the first of these changes. A first diagnosis is none that changed."""
    before: dict[str, str] = {}
    for change in changes:
        before.setdefault(change.subject, change.old)
    after = {change.subject: change.new for change in changes}
    return any(old != after[subject] for subject, old in before.items() if old or subject == REASON)
