"""What all resources share: the board of this process, replies with entity tags, and errors in one shape."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_restful import Api, Resource

from botd.web.faults import error_reply


class BotdApi(Api):  # type: ignore[misc]
    """Flask-RESTful 0.3.10 takes errors away from the application's handlers and answers in its own shape."""

    def handle_error(self, e: Exception) -> Response:
        """Every error of a resource in the one shape, whatever TESTING and PROPAGATE_EXCEPTIONS say."""
        return error_reply(e)


class BotdResource(Resource):  # type: ignore[misc]
    """A resource. From the schema of its URL parameters and from its answer the OpenAPI document is made.

    `ANSWER` is the TypedDict of its JSON, or of its events; `str` where it is nothing but text. `MADE` is that of what
    a POST has made, which is a 201, `TAKEN` that of what it has taken up, which is a 202. One that `SAYS_NOTHING` has
    no answer, and one without any of these asks, and answers as a GET. `BODY` is the schema of what a POST sends,
    `ENDS_WITH` that of a DELETE, `SENT_WITH` that of the URL parameters of a POST where they are others.
    """

    QUERY: Any = None
    FORMS: tuple[str, ...] = ("json",)
    ANSWER: type
    MADE: type | None = None
    TAKEN: type | None = None
    SENT_WITH: Any = None
    SAYS_NOTHING = False
