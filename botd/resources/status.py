"""The heart: nodes with their readings, by group, by node, by check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from botd.checks import parents, select
from botd.errors import UnknownNode
from botd.formats import MIME, status_body
from botd.resources.base import BotdResource, board, reply
from botd.resources.params import CheckQuery, NodeQuery, StatusBody, StatusQuery, body, chosen_format, either, query
from botd.status import Question


def status_question(args: Mapping[str, Any], *, checks: str | None = None) -> Question:
    """The question in the parameters of a request; `checks` where the path names them."""
    return board().question(
        groups=either(args, "groups", "g"),
        nodes=either(args, "nodes", "h"),
        checks=checks or args.get("checks"),
        max_age_s=args.get("max_age"),
        wait_s=args.get("wait"),
    )


def status_reply(question: Question, form: str) -> Response:
    """The answer to a status question in one form."""
    here = board()
    answer = here.answer(question)

    def make() -> bytes:
        return status_body(
            form, answer.head(), lambda: here.node_documents(answer), lambda: here.node_json(answer), here.checks
        )

    return reply(form, *here.encoded(answer, form, make))


class StatusResource(BotdResource):
    """GET and POST /api/v1/status: every node of the groups with its readings."""

    QUERY = StatusQuery
    BODY = StatusBody
    FORMS = tuple(MIME)
    ANSWER = "Status"

    def get(self) -> Response:
        """Readings of groups and nodes."""
        args = query(StatusQuery)
        return status_reply(status_question(args), chosen_format(args))

    def post(self) -> Response:
        """The same for lists too long for a URL."""
        url = query(StatusQuery)
        args = {**url, **body(StatusBody)}
        lists = {key: ",".join(args[key]) for key in ("nodes", "groups", "checks") if isinstance(args.get(key), list)}
        return status_reply(status_question({**args, **lists}), chosen_format(args))


class StatusNameResource(BotdResource):
    """GET /api/v1/status/<name>: one node, or one check of a group. Check names win."""

    QUERY = NodeQuery
    FORMS = tuple(MIME)
    ANSWER = "Status"

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
        return status_reply(question, chosen_format(args))


class StatusCheckResource(BotdResource):
    """GET /api/v1/status/cmd/<check> and the short forms: one check of a group."""

    QUERY = CheckQuery
    FORMS = tuple(MIME)
    ANSWER = "Status"

    def get(self, check: str) -> Response:
        """Readings of one check."""
        args = query(CheckQuery)
        return status_reply(status_question(args, checks=check), chosen_format(args))


class StatusMountResource(BotdResource):
    """GET /api/v1/df/<mount>: one mount of a group."""

    QUERY = CheckQuery
    FORMS = tuple(MIME)
    ANSWER = "Status"

    def get(self, mount: str) -> Response:
        """Readings of one mount."""
        args = query(CheckQuery)
        return status_reply(status_question(args, checks=f"df_{mount}"), chosen_format(args))
