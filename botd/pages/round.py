"""GET /: the morning round."""

from __future__ import annotations

from flask import Response, request

from botd.pages.base import page_form
from botd.pages.nodes import nodes_page
from botd.web.params import RoundQuery, query
from botd.web.questions import patience, status_question
from botd.web.replies import status_reply
from botd.web.rounds import asked_round, round_reply

MATRIX = frozenset({"checks", "fold", "page"})
"""Parameters that only the matrix has: who gives one at `/` gets the matrix, as before there was a round."""


def round_page() -> Response:
    """The morning round; the matrix, byte for byte, for who asks in the matrix's own words.

    As JSON, NDJSON and CSV it is the answer of `status`, as it has always been.
    """
    if not MATRIX.isdisjoint(request.args):
        return nodes_page()
    args = query(RoundQuery)
    form = page_form(args)
    if form and form.name != "table":
        return status_reply(status_question(patience(args)), form)
    document = asked_round(args)
    if form:
        return round_reply(document, form)
    return nodes_page()
