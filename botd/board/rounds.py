"""The morning round as the store has it: the nodes of an answer that need somebody, and what is new of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from botd.advice.rules import ASIDE, FAMILIES, GLOSSES
from botd.board.answer import Question, StatusAnswer
from botd.display.findings import Survey
from botd.display.round import NOTED, Families, RoundDocument, round_document
from botd.documents import NodeDocument
from botd.history.news import TOLD, News, news_of
from botd.inventory import Inventory
from botd.inventory.request import with_those_in_service
from botd.model import Note, Sweep
from botd.store import Store

ROUND_FAMILIES = Families(
    {**FAMILIES, NOTED: "noted"}, {**GLOSSES, NOTED: "somebody knows of them, or has put them off"}, (*ASIDE, NOTED)
)


def read_round(
    store: Store,
    question: Question,
    answer: StatusAnswer,
    documents: Callable[[StatusAnswer], Iterable[NodeDocument]],
    *,
    since: datetime,
    read: Survey,
    running: Sweep | None = None,
    notes: Iterable[Note] = (),
) -> RoundDocument:
    """The round of an answer's nodes, with the news since a moment. Raises StoreUnavailable.

    Which of them are new is chosen here, by the record: it knows more than since when a node has its reason.
    """
    view, choice = answer.view, question.choice
    scope = view.once(("scope", question.groups, question.nodes), lambda: _scope(question, view.inventory))
    out = scope.intersection(view.inventory.down())
    news = _news(store, answer, scope, out, since)
    ill = view.morning.given.keys() & (news.new if news and choice.new_since else scope)
    chosen = replace(answer, nodes=tuple(node for node in answer.nodes if node in ill))
    return round_document(
        {**answer.head(), "chosen": choice.words, "of": len(question.nodes)},
        documents(chosen),
        ROUND_FAMILIES,
        out=out,
        total=len(scope),
        is_sorted=bool(choice.sort),
        read=read,
        news=news,
        running=running,
        notes=notes,
    )


def _scope(question: Question, inventory: Inventory) -> frozenset[str]:
    """The nodes of the groups asked for, in service or not: those that are out are so many of these."""
    groups = with_those_in_service(question.groups)
    found = inventory.expand_groups(groups, max_nodes=len(inventory.names())) if groups else []
    return frozenset(question.nodes).union(found)


def _news(
    store: Store, answer: StatusAnswer, scope: frozenset[str], out: frozenset[str], since: datetime
) -> News | None:
    """What is new of these nodes since a moment; None where there is no record yet."""
    begun_at = answer.view.pulse.history_since
    if begun_at is None:
        return None
    changes = store.changes.news(TOLD, max(since, begun_at))
    return news_of((change for change in changes if change.node in scope), since, begun_at, out)
