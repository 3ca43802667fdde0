"""Logging in and out, for the page and for the interface alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, request

from botd.access.tokens import new_token
from botd.addresses import is_loopback, is_shared
from botd.errors import BadRequest
from botd.web.below import cookie_path
from botd.web.here import config
from botd.web.mail import ask
from botd.web.visitors import address_of
from botd.web.who import Who, cookie_name


@dataclass(frozen=True)
class Session:
    """A session that has begun: what it is known by, and until when it is good if it is used."""

    token: str
    until: str


def log_in(login: str, password: str, code: str) -> Session:
    """A new session. Raises BadRequest where others can listen, TooMany, and what the agent refuses with."""
    peer, address = str(request.environ.get("REMOTE_ADDR", "")), address_of(request.environ)
    # A proxy on this machine comes from loopback, and names whom it may have heard in clear.
    if not request.is_secure and not all(is_loopback(each) for each in (peer, address) if each):
        raise BadRequest("a password is not taken over a connection that others can listen to: use https")
    # Whoever shares an address with others must not be able to use up their attempts.
    is_alone = not is_shared(address, config().server.proxies)
    current_app.extensions["botd"].rates.take(address if is_alone else f"login {login[:64]}")
    token = new_token()
    answer = ask("login", token, address, {"login": login, "password": password, "code": code})
    return Session(token, str(answer.get("until", "")))


def log_out(who: Who) -> None:
    """Ends the session or token that was shown."""
    ask("logout", who.token, address_of(request.environ))


def with_session(response: Response, session: Session) -> Response:
    """The response with the cookie of a session, which ends with the browser."""
    response.set_cookie(cookie_name(request), session.token, **_kept())
    return response


def without_session(response: Response) -> Response:
    """The response that takes the cookie away."""
    response.delete_cookie(cookie_name(request), **_kept())
    return response


def _kept() -> dict[str, Any]:
    """How a browser keeps the cookie; one is taken away by the same."""
    return {"httponly": True, "samesite": "Lax", "secure": request.is_secure, "path": cookie_path(request)}
