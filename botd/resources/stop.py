"""What stops everything, and lets it go on."""

from __future__ import annotations

from flask import Response

from botd.resources.base import BotdResource
from botd.web.params import JsonQuery, ReArmBody, ReasonBody, body, query
from botd.web.press import re_arm, say


class StopResource(BotdResource):
    """POST and DELETE /api/v2/stop: nothing is sent any more, and it may go on."""

    QUERY = JsonQuery
    BODY = ReasonBody
    ENDS_WITH = ReArmBody
    ANSWER = str
    SAYS_NOTHING = True

    def post(self) -> Response:
        """Stops everything that was not sent yet, and all to come; for everybody who may log in."""
        query(JsonQuery)
        say("stop", {"reason": body(ReasonBody).get("reason", "")})
        return Response(status=204)

    def delete(self) -> Response:
        """Ends a stop, with the right `re-arm`, a reason and a proof."""
        return _re_arm("go-on")


class BreakerResource(BotdResource):
    """POST /api/v2/breaker: the breaker is closed again."""

    QUERY = JsonQuery
    BODY = ReArmBody
    ANSWER = str
    SAYS_NOTHING = True

    def post(self) -> Response:
        """Closes the breaker, with the right `re-arm`, a reason and a proof."""
        return _re_arm("close-breaker")


def _re_arm(kind: str) -> Response:
    query(JsonQuery)
    given = body(ReArmBody)
    re_arm(kind, given.get("reason", ""), given.get("proof"), given.get("text", ""))
    return Response(status=204)
