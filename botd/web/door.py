"""`[access] read = "known"`: who has not logged in sees the page for that, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from botd.display.formats import MIME
from botd.errors import BotdError, LoginRequired, StoreUnavailable
from botd.model import Clock
from botd.store import Store
from botd.web.below import asked_url
from botd.web.clients import wants_html
from botd.web.faults import error_body, error_form
from botd.web.who import find_who

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OPEN = ("/login", "/api/v2/login", "/healthz")
"""How one comes in, and whether botd is well, which a balancer asks that nobody knows."""

OPEN_BELOW = ("/static/", "/lib/")


class Door:
    """A WSGI application that stands before another one, and before what it keeps of earlier answers."""

    def __init__(self, application: WSGIApplication, store: Store, clock: Clock) -> None:
        self._application = application
        self._store = store
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer of the application, the way to the login, or 401."""
        asked = Request(environ)
        if asked.path in OPEN or asked.path.startswith(OPEN_BELOW):
            return self._application(environ, start_response)
        try:
            if find_who(asked, self._store, self._clock()):
                return self._application(environ, start_response)
            refusal = _to_login(asked)
        except StoreUnavailable as error:
            refusal = _refused(asked, error)
        return refusal(environ, start_response)


def _to_login(asked: Request) -> Response:
    if asked.method in ("GET", "HEAD") and wants_html(asked) and not asked.path.startswith("/api/"):
        to = f"{asked.script_root}/login?{urlencode({'to': asked_url(asked)})}"
        return Response(status=303, headers={"Location": to, "Cache-Control": "no-store"})
    return _refused(asked, LoginRequired("who looks here must be known: POST /api/v2/login, or the page /login"))


def _refused(asked: Request, error: BotdError) -> Response:
    form = error_form(asked)
    headers = {"Cache-Control": "no-store", "Vary": "Accept, Authorization, Cookie"}
    return Response(error_body(error, form), error.status, headers, content_type=MIME[form])
