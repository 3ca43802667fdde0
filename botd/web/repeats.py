"""Requests that were answered before: while the answer holds, it goes out again as it is, without Flask.

For a small answer, and for a 304, most of the work is Flask's finding out what is asked; and pages and scripts ask the
same again and again. A resource whose answer may go out again says so by `may_repeat`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import request
from werkzeug.wsgi import ClosingIterator

from botd.board.answer import Holding, StatusAnswer
from botd.board.board import Board
from botd.board.bodies import CACHED_ANSWERS
from botd.board.cache import Cache
from botd.errors import StoreUnavailable
from botd.web.proxy import VOUCHED
from botd.web.timings import ROUTE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ASKED_BY = (
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_AUTHORIZATION",
    "HTTP_COOKIE",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_UNMODIFIED_SINCE",
    VOUCHED,
)
"""All of a GET that such an answer depends on, and who asks: nobody gets what another one was answered. It has no
parts, so a range is no matter; pages are not repeated."""

REPEATED_BYTES = 32 * 2**20
"""Of all answers together. They are the board's own bodies as long as those are kept, and no copies."""

_HOLDING = "botd.holding"


def may_repeat(answer: StatusAnswer) -> None:
    """Says of the answer to this request that the same request has the same answer as long as it holds."""
    if answer.holding:
        request.environ[_HOLDING] = answer.holding


@dataclass(frozen=True)
class _Repeat:
    """An answer as it went to the server."""

    holding: Holding
    status: str
    headers: list[tuple[str, str]]
    body: bytes
    route: str | None


class Repeats:
    """A WSGI application that stands before another one and knows its last answers."""

    def __init__(self, application: WSGIApplication, board: Board) -> None:
        self._application = application
        self._board = board
        self._known: Cache[object, _Repeat] = Cache(
            lambda _, answer: len(answer.body), most=CACHED_ANSWERS, limit=REPEATED_BYTES
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer to a request: an earlier one that still holds, or the application's own."""
        if environ["REQUEST_METHOD"] != "GET":
            return self._application(environ, start_response)
        key = tuple(map(environ.get, ASKED_BY))
        known = self._known.find(key)
        if known is None or not self._holds(known):
            return self._ask(key, environ, start_response)
        environ[ROUTE] = known.route
        start_response(known.status, known.headers)
        return [known.body]

    def _holds(self, known: _Repeat) -> bool:
        try:
            return self._board.holds(known.holding)
        except StoreUnavailable:
            return False  # the application says so in its own way

    def _ask(self, key: object, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application's own answer, kept where it may be repeated."""
        started: tuple[str, list[tuple[str, str]]] = "", []

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal started
            started = status, headers
            return start_response(status, headers, *error)

        chunks = self._application(environ, start)
        if _HOLDING not in environ:
            return chunks
        with closing(cast(ClosingIterator, chunks)):
            body = b"".join(chunks)
        self._known.put(key, _Repeat(environ[_HOLDING], *started, body, environ[ROUTE]))
        return [body]
