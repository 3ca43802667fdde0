"""How good botd's word is."""

from __future__ import annotations

from flask import Response

from botd.advice.trust import CountedDocument, TrustDocument
from botd.board.trust import read_trust
from botd.display.formats import MIME
from botd.resources.base import BotdResource
from botd.web.here import store
from botd.web.params import FormatQuery, chosen_format, query
from botd.web.replies import records_reply

COLUMNS = tuple(CountedDocument.__annotations__)


class TrustResource(BotdResource):
    """GET /api/v1/trust: chances that were told, and what came of them."""

    QUERY = FormatQuery
    FORMS = tuple(MIME)
    ANSWER = TrustDocument

    def get(self) -> Response:
        """How good botd's word is: chances told before actions beside what came of them, and what was counted.

        CSV, NDJSON and the table have what was counted, a line for each diagnosis and action.
        """
        form = chosen_format(query(FormatQuery))
        told = read_trust(store())
        head = {name: value for name, value in told.items() if name != "counted"}
        return records_reply(form, head, "counted", told["counted"], COLUMNS)
