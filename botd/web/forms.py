"""Whether a request that changes something was meant by who sends it.

A browser says so by itself (Sec-Fetch-Site, else Origin; see `botd.web.visitors`). One that says neither (lynx, w3m,
curl) may carry a cookie without having been asked to, or send a form that a page of another site made: then the request
must come with a token that only a page of botd can have given. JSON without a cookie no form can send, and no page of
another site without the browser asking botd first (CORS); a header with a token neither.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request

from botd.access.tokens import fits_form, form_token, is_token, new_token
from botd.errors import CrossSite
from botd.web.who import cookie_name, shown_token

FIELD = "form"
HEADER = "X-Botd-Form"
COOKIE = "botd-form"
"""For who is not logged in: a login that another site makes somebody send would log them in as another."""

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})

CHANGES_NOTHING = frozenset({"/api/v1/status", "/api/v1/table"})
"""They are asked by POST for the length of their lists alone."""


def check_form() -> None:
    """Raises CrossSite for a request that changes something and may come from a page of another site."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.path in CHANGES_NOTHING:
        return
    if request.headers.get("Sec-Fetch-Site") or request.headers.get("Origin"):
        return  # looked at before
    shown = shown_token(request)
    is_form = request.mimetype in FORM_TYPES
    if (shown and shown[1] == "header") or not (shown or is_form):
        return
    given = request.headers.get(HEADER) or (request.form.get(FIELD, "") if is_form else "")
    if not any(fits_form(cookie, given) for cookie in _cookies()):
        raise CrossSite("the form is too old or was not botd's: load its page again; scripts send application/json")


def form_field() -> str:
    """The token for a form of this answer."""
    cookie = next(_cookies(), "")
    return form_token(cookie) if cookie else ""


def with_form_cookie(response: Response, cookie: str, path: str = "/login") -> Response:
    """The response with the cookie that its form's token fits, for where the form is sent to."""
    place = request.script_root + path
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="Lax", secure=request.is_secure, path=place)
    return response


def new_form() -> tuple[str, str]:
    """A cookie for who has none yet, and the token for a form beside it."""
    there = request.cookies.get(COOKIE, "")
    cookie = there if is_token(there) else new_token()
    return cookie, form_token(cookie)


def _cookies() -> Iterator[str]:
    return filter(is_token, (request.cookies.get(name, "") for name in (cookie_name(request), COOKIE)))
