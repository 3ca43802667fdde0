"""How good botd's word is."""

from __future__ import annotations

from flask import Response

from botd.advice.trust import TrustDocument
from botd.board.trust import read_trust
from botd.documents import encode
from botd.resources.base import BotdResource
from botd.web.here import store
from botd.web.params import JsonQuery, query
from botd.web.replies import reply


class TrustResource(BotdResource):
    """GET /api/v1/trust: chances that were told, and what came of them."""

    QUERY = JsonQuery
    ANSWER = TrustDocument

    def get(self) -> Response:
        """How good botd's word is: chances told before actions beside what came of them, and what was counted."""
        query(JsonQuery)
        return reply("json", encode(read_trust(store())) + b"\n")
