"""What the page draws: every node as a short row, and the sweep that is under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from botd.board.answer import StatusAnswer
from botd.display.formats import to_json
from botd.display.rows import RowDocument
from botd.documents import CheckDocument, ChosenHead, ProgressDocument, check_document, progress_document
from botd.model import Sweep
from botd.resources.base import BotdResource
from botd.web.here import board
from botd.web.params import MAX_AGE_S, TableBody, TableQuery, body, query
from botd.web.questions import joined_lists, status_question
from botd.web.replies import reply, survey_of


class TableHead(ChosenHead):
    """The rows' answer without them. `reached` is a sentence about who could not be reached."""

    groups: list[str]
    checks: list[CheckDocument]
    sweep: int | None
    reached: str
    running: ProgressDocument | None


class TableDocument(TableHead):
    """What the page draws."""

    rows: list[RowDocument]


class TableResource(BotdResource):
    """GET and POST /api/v1/table: the nodes of the groups as rows of cells."""

    QUERY = TableQuery
    BODY = TableBody
    ANSWER = TableDocument

    def get(self) -> Response:
        """Rows of groups and nodes in the words of the page, from the latest readings."""
        return _table(query(TableQuery))

    def post(self) -> Response:
        """Rows of groups and nodes, for lists too long for a URL."""
        return _table({**query(TableQuery), **joined_lists(body(TableBody))})


def _table(args: Mapping[str, Any]) -> Response:
    """The rows as they are known. Only who gives a `max_age` has nodes asked: a page that looks again does not."""
    here = board()
    answer = here.answer(status_question({"max_age": MAX_AGE_S, **args}), sweep_allowed="max_age" in args)
    running = here.running(answer)
    progress = (running.id, running.done, running.total) if running else None
    return reply("json", *here.bodies.encoded(answer, ("rows", progress), lambda: _body(answer, running)))


def _body(answer: StatusAnswer, running: Sweep | None) -> bytes:
    here = board()
    head: TableHead = {
        **answer.head(),
        "checks": [check_document(here.checks[name]) for name in answer.checks],
        "reached": survey_of(answer).reached(here.checks),
        "running": progress_document(running) if running else None,
    }
    return to_json(head, "rows", here.bodies.row_json(answer))
