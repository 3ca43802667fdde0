"""The checks of this site."""

from __future__ import annotations

from typing import TypedDict

from flask import Response

from botd.display.formats import MIME
from botd.documents import CheckDocument, check_document
from botd.resources.base import BotdResource
from botd.web.here import board
from botd.web.params import FormatQuery, chosen_format, query
from botd.web.replies import records_reply

COLUMNS = ("name", "title", "unit", "kind", "needs", "help")


class ChecksDocument(TypedDict):
    """The checks of this site, in the order of the columns."""

    count: int
    checks: list[CheckDocument]


class ChecksResource(BotdResource):
    """GET /api/v1/checks: every check with its unit, its kind and what it needs."""

    QUERY = FormatQuery
    FORMS = tuple(MIME)
    ANSWER = ChecksDocument

    def get(self) -> Response:
        """The checks, in the order of the columns."""
        form = chosen_format(query(FormatQuery))
        records = [check_document(check) for check in board().checks.values()]
        return records_reply(form, {"count": len(records)}, "checks", records, COLUMNS)
