"""The morning round that a request asks for, in each of its forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Response

from botd.board.answer import StatusAnswer
from botd.board.rounds import read_round
from botd.display.formats import Form, to_csv, to_json, to_ndjson
from botd.display.round import RoundDocument, RoundNodeDocument
from botd.display.round_text import round_text
from botd.documents import encode
from botd.web.here import board, may_ask, store
from botd.web.notes import notes_of
from botd.web.questions import NEWS_SINCE, moment, patience, status_question
from botd.web.replies import reply, survey_of, tag_of

COLUMNS = ("family", *(name for name in RoundNodeDocument.__annotations__ if name not in ("notes", "confidence")))
"""The columns of the round as CSV, a row for each node, without what is no text: the notes, of which a node may have
several, and the confidence, which `sure` has in words."""


def asked_round(args: Mapping[str, Any]) -> tuple[StatusAnswer, RoundDocument]:
    """The round in the parameters of a request, and what it was made of.

    Raises BadRequest, and what a status question raises.
    """
    here = board()
    since = moment("since", args.get("since", NEWS_SINCE), here.now())
    question = status_question(patience(args))
    others = replace(question, choice=replace(question.choice, new_since=None))
    answer = here.answer(others, sweep_allowed=may_ask())
    documents, running = here.bodies.node_documents, here.running(answer)
    read, notes = survey_of(answer), notes_of()
    document = read_round(store(), question, answer, documents, since=since, read=read, running=running, notes=notes)
    return answer, document


def round_reply(document: RoundDocument, form: Form) -> Response:
    """The round in a form. Its tag is a weak one: since when there is news moves with the clock."""
    body = _body(document, form)
    news = document["news"]
    still: RoundDocument = {**document, "news": {**news, "since": ""} if news else None}
    response = reply(form.name, body)
    if form.name != "table":  # that one tells ages
        response.set_etag(f"{tag_of(encode(still))}-{form.name}", weak=True)
    return response


def _body(document: RoundDocument, form: Form) -> bytes:
    families = document["families"]
    if form.name == "json":
        head = {name: value for name, value in document.items() if name != "families"}
        return to_json(head, "families", map(encode, families))
    if form.name == "ndjson":
        return to_ndjson(map(encode, families))
    if form.name == "csv":
        rows = [{"family": family["family"], **node} for family in families for node in family["nodes"]]
        return to_csv(COLUMNS, ([row[column] for column in COLUMNS] for row in rows))
    return round_text(document, form.look, board().now()).encode()
