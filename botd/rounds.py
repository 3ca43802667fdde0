"""The morning round as the store has it: the nodes that need somebody, and what is new, for page and mail alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from botd.advice.rules import ASIDE, FAMILIES, GLOSSES
from botd.checks import Checks
from botd.display.findings import Survey, survey
from botd.display.round import NOTED, Families, RoundDocument, round_document
from botd.documents import NodeDocument, StatusHead, status_head
from botd.history.news import TOLD, News, news_of
from botd.inventory import Inventory
from botd.inventory.request import with_those_in_service
from botd.model import Note, Sweep
from botd.nodeset import natural_key
from botd.store import Store
from botd.view import View, list_is_old

ROUND_FAMILIES = Families(
    {**FAMILIES, NOTED: "noted"}, {**GLOSSES, NOTED: "somebody knows of them, or has put them off"}, (*ASIDE, NOTED)
)


@dataclass(frozen=True)
class Scope:
    """The nodes that a round is of, in service or not, and those of them that are `out`.

    `news` is what became of them since the moment asked for, None where there is no record yet.
    """

    nodes: frozenset[str]
    out: frozenset[str]
    news: News | None


def scope_of(store: Store, view: View, groups: Sequence[str], nodes: Sequence[str], since: datetime) -> Scope:
    """What a round of these groups and nodes is of. Raises StoreUnavailable."""
    asked = tuple(groups), tuple(nodes)
    found = view.once(("scope", *asked), lambda: _nodes(*asked, view.inventory))
    out = found.intersection(view.inventory.down())
    return Scope(found, out, _news(store, view, found, out, since))


def round_of(
    head: StatusHead,
    documents: Iterable[NodeDocument],
    scope: Scope,
    *,
    read: Survey,
    is_sorted: bool = False,
    running: Sweep | None = None,
    notes: Iterable[Note] = (),
) -> RoundDocument:
    """The round of these nodes of a scope."""
    return round_document(
        head,
        documents,
        ROUND_FAMILIES,
        out=scope.out,
        total=len(scope.nodes),
        is_sorted=is_sorted,
        read=read,
        news=scope.news,
        running=running,
        notes=notes,
    )


def usual_round(
    store: Store, view: View, groups: Sequence[str], checks: Checks, *, since: datetime, now: datetime
) -> RoundDocument:
    """The round as who asks for nothing in particular gets it: of these groups, by what is known.

    Raises StoreUnavailable, and UnknownGroup and its kind for groups that there are not.
    """
    every = len(view.inventory.names())
    nodes = sorted(view.inventory.expand_groups(",".join(groups), max_nodes=every), key=natural_key)
    problems = [list_is_old(view.pulse)] if view.pulse.list_error else []
    times = view.pulse.revised_at, view.pulse.list_as_of
    head = status_head(
        groups,
        checks,
        as_of=max(filter(None, times), default=None),
        count=len(nodes),
        complete=not problems,
        problems=problems,
    )
    ill = [view.document(node, ()) for node in nodes if node in view.morning.given]
    read = survey((view.readings.get(node, {}) for node in nodes), checks, checks)
    notes = [note for note in store.notes.of() if not note.is_over(now)]
    return round_of(head, ill, scope_of(store, view, groups, nodes, since), read=read, notes=notes)


def _nodes(groups: Sequence[str], nodes: Sequence[str], inventory: Inventory) -> frozenset[str]:
    """The nodes of the groups asked for, in service or not: those that are out are so many of these."""
    wanted = with_those_in_service(groups)
    found = inventory.expand_groups(wanted, max_nodes=len(inventory.names())) if wanted else []
    return frozenset(nodes).union(found)


def _news(store: Store, view: View, scope: frozenset[str], out: frozenset[str], since: datetime) -> News | None:
    """What is new of these nodes since a moment; None where there is no record yet."""
    begun_at = view.pulse.history_since
    if begun_at is None:
        return None
    changes = store.changes.news(TOLD, max(since, begun_at))
    return news_of((change for change in changes if change.node in scope), since, begun_at, out)
