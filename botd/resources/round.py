"""The morning round: the nodes that need somebody, by what is to be done."""

from __future__ import annotations

from flask import Response

from botd.display.formats import MIME
from botd.display.round import RoundDocument
from botd.resources.base import BotdResource
from botd.web.params import RoundQuery, chosen_format, query
from botd.web.rounds import asked_round, round_reply


class RoundResource(BotdResource):
    """GET /api/v1/round: families of causes with their nodes, and what is new."""

    QUERY = RoundQuery
    FORMS = tuple(MIME)
    ANSWER = RoundDocument

    def get(self) -> Response:
        """The morning round from the latest readings; nodes that were never read are read meanwhile."""
        args = query(RoundQuery)
        form = chosen_format(args)
        _, document = asked_round(args)
        return round_reply(document, form)
