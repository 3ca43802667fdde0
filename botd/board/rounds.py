"""The morning round of the nodes that a request chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from botd.board.answer import Question, StatusAnswer
from botd.display.findings import Survey
from botd.display.round import RoundDocument
from botd.documents import NodeDocument, StatusHead
from botd.model import Note, Sweep
from botd.rounds import round_of, scope_of
from botd.store import Store


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
    scope = scope_of(store, view, question.groups, question.nodes, since)
    ill = view.morning.given.keys() & (scope.news.new if scope.news and choice.new_since else scope.nodes)
    chosen = replace(answer, nodes=tuple(node for node in answer.nodes if node in ill))
    head: StatusHead = {**answer.head(), "chosen": choice.words, "of": len(question.nodes)}
    is_sorted = bool(choice.sort)
    return round_of(head, documents(chosen), scope, is_sorted=is_sorted, read=read, running=running, notes=notes)
