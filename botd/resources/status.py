"""The heart: nodes with their readings, by group, by node, by check."""

from __future__ import annotations

from flask import Response

from botd.board.answer import Question
from botd.board.timeline import Span, read_page
from botd.checks import parents, select
from botd.display.formats import MIME, Form, StatusDocument, status_body
from botd.documents import change_document, encode
from botd.errors import UnknownNode
from botd.resources.base import BotdResource
from botd.web.here import board, store
from botd.web.params import CheckQuery, NodeQuery, StatusBody, StatusQuery, body, chosen_format, query
from botd.web.questions import joined_lists, status_question
from botd.web.replies import reply, status_reply

NODE_CHANGES = 20
"""Changes that come with the readings of one node."""


def _node_reply(question: Question, form: Form) -> Response:
    """One node as JSON, with the newest changes of its history and the cursor for `history/<node>` to go on with."""
    here = board()
    answer = here.answer(question)

    def make() -> bytes:
        [document] = here.bodies.node_documents(answer)
        page = read_page(store(), [document["node"]], Span(), limit=NODE_CHANGES)
        document["history"] = list(map(change_document, page.changes))
        document["history_next"] = page.next
        return status_body(form, answer.head(), lambda: [document], lambda: [encode(document)], here.checks, here.now())

    return reply(form.name, *here.bodies.encoded(answer, (form, "history"), make))


class StatusResource(BotdResource):
    """GET and POST /api/v1/status: every node of the groups with its readings."""

    QUERY = StatusQuery
    BODY = StatusBody
    FORMS = tuple(MIME)
    ANSWER = StatusDocument

    def get(self) -> Response:
        """Readings of groups and nodes."""
        args = query(StatusQuery)
        return status_reply(status_question(args), chosen_format(args))

    def post(self) -> Response:
        """Readings of groups and nodes, for lists too long for a URL."""
        args = {**query(StatusQuery), **joined_lists(body(StatusBody))}
        return status_reply(status_question(args), chosen_format(args))


class StatusNameResource(BotdResource):
    """GET /api/v1/status/<name>: one node, or one check of a group. Check names win."""

    QUERY = NodeQuery
    FORMS = tuple(MIME)
    ANSWER = StatusDocument

    def get(self, name: str) -> Response:
        """Readings of one node, or of one check."""
        args = query(NodeQuery)
        here = board()
        if name in here.checks or name in parents(here.checks):
            return status_reply(status_question(args, checks=name), chosen_format(args))
        if not {"groups", "g", "nodes", "h"}.isdisjoint(args):
            select(here.checks, [name])
        question = status_question({**args, "nodes": name})
        if len(question.nodes) != 1:
            raise UnknownNode(f'"{name[:60]}" names {len(question.nodes)} nodes; ask /api/v1/status?nodes= for several')
        form = chosen_format(args)
        with_history = form.name in ("json", "ndjson") and not form.fold
        return _node_reply(question, form) if with_history else status_reply(question, form)


class StatusCheckResource(BotdResource):
    """GET /api/v1/status/cmd/<check> and the short forms: one check of a group."""

    QUERY = CheckQuery
    FORMS = tuple(MIME)
    ANSWER = StatusDocument

    def get(self, check: str) -> Response:
        """Readings of one check."""
        args = query(CheckQuery)
        return status_reply(status_question(args, checks=check), chosen_format(args))


class StatusMountResource(BotdResource):
    """GET /api/v1/df/<mount>: one mount of a group."""

    QUERY = CheckQuery
    FORMS = tuple(MIME)
    ANSWER = StatusDocument

    def get(self, mount: str) -> Response:
        """Readings of one mount."""
        args = query(CheckQuery)
        return status_reply(status_question(args, checks=f"df_{mount}"), chosen_format(args))
