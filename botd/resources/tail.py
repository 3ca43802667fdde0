"""Logs of nodes as they grow."""

from __future__ import annotations

from flask import Response

from botd.errors import TooMany
from botd.resources.base import BotdResource
from botd.web.here import board, store
from botd.web.params import TailQuery, query
from botd.web.streams import FORMS, stream
from botd.web.tails import TailDocument, begin, followed


class TailResource(BotdResource):
    """GET /api/v1/tail: a log of a node as it grows."""

    QUERY = TailQuery
    FORMS = FORMS
    ANSWER = TailDocument

    def get(self) -> Response:
        """The last lines of a log that `[tail]` names, then what comes to it, for minutes at most."""
        args = query(TailQuery)
        here, now = store(), board().now
        number = begin(args["h"], args["log"])
        try:
            return stream(
                lambda: followed(here, number, now), args.get("format", "sse"), f"/node/{args['h']}?log={args['log']}"
            )
        except TooMany:
            here.tails.forget(number)
            raise
