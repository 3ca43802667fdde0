"""GET and POST /login and /me: forms that need no script, in any browser."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from botd.access.policy import in_words
from botd.errors import BadRequest, BotdError, LockedOut, ProofRefused, TooMany
from botd.pages.base import render
from botd.web.below import asked_url
from botd.web.forms import form_field, new_form, with_form_cookie
from botd.web.login import log_in, log_out, with_session, without_session
from botd.web.mail import ask
from botd.web.params import JsonQuery, LoginQuery, query
from botd.web.rights import holders_of, policy_of
from botd.web.visitors import address_of
from botd.web.who import Who, who

SEE_OTHER = 303


def login_page() -> Response:
    """The form, or who is logged in already."""
    query(LoginQuery)
    found = who()
    return redirected("me_page") if found and found.shown == "cookie" else _form()


def login_sent() -> Response:
    """Logs in, and leads to where somebody wanted to go."""
    try:
        session = log_in(*(request.form.get(name, "") for name in ("login", "password", "code")))
    except (ProofRefused, LockedOut, TooMany, BadRequest) as error:
        return _form(error)
    return with_session(_redirect(local_path(request.form.get("to", "")) or url_for("me_page")), session)


def me_page() -> Response:
    """Who one is, what one may in words, and one's sessions and tokens."""
    query(JsonQuery)
    found = who()
    if found is None:
        return redirected("login_page", to=asked_url(request))
    may, mine = policy_of(found), holders_of(found)
    return personal(
        render(
            "me.html",
            me=found.holder,
            may=may,
            roles=[(role["name"], in_words(role)) for role in may["roles"]],
            holders=mine,
            form=form_field(),
        )
    )


def me_sent() -> Response:
    """Ends one of one's sessions or tokens; `this` is the one that asks."""
    found = who()
    if found is None:
        return redirected("login_page")
    if request.form.get("end") == "this":
        log_out(found)
        return without_session(redirected("login_page"))
    _end(found, request.form.get("end", ""))
    return redirected("me_page")


def _end(found: Who, what: str) -> None:
    kind, _, number = what.partition(" ")
    if kind not in ("session", "token") or not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise BadRequest("the form names neither a session nor a token: load its page again")
    ask("end", found.token, address_of(request.environ), {"kind": kind, "id": int(number)})


def _form(error: BotdError | None = None) -> Response:
    cookie, form = new_form()
    to = local_path(request.values.get("to", ""))
    page = render("login.html", form=form, to=to, tried=request.form.get("login", "")[:64], error=error)
    page.status_code = error.status if error else 200
    return with_form_cookie(personal(page), cookie)


def local_path(text: str) -> str:
    """A path of this server that a form names; empty for anything that a browser might take elsewhere."""
    is_plain = text.isascii() and text.isprintable() and "\\" not in text
    is_ours = is_plain and text.startswith("/") and not text.startswith("//") and len(text) <= 2000
    return text if is_ours else ""


def redirected(place: str, **values: Any) -> Response:
    """The way to another page, by GET."""
    return _redirect(url_for(place, **values))


def _redirect(to: str) -> Response:
    return personal(Response(status=SEE_OTHER, headers={"Location": to}))


def personal(response: Response) -> Response:
    """A page that is somebody's alone: nobody keeps it."""
    response.headers["Cache-Control"] = "no-store"
    return response
