"""Logging in and out, and who one is."""

from __future__ import annotations

from typing import TypedDict

from flask import Response

from botd.access.letters import HolderDocument
from botd.access.policy import RoleDocument
from botd.display.formats import MIME
from botd.documents import Time, encode
from botd.resources.base import BotdResource
from botd.web.forms import form_field
from botd.web.login import log_in, log_out, without_session
from botd.web.params import JsonQuery, LoginBody, body, query
from botd.web.rights import policy_of
from botd.web.who import known


class SessionDocument(TypedDict):
    """A session that has begun. `token` goes into `Authorization: Bearer`, and is shown this once."""

    login: str
    token: str
    until: Time


class MeDocument(TypedDict):
    """Who asks, with what, until when, and what they may: `doubt` says why nobody may do anything now.

    `form` goes into the header X-Botd-Form of a request with a cookie from what is no browser.
    """

    me: HolderDocument
    rights: list[str]
    roles: list[RoleDocument]
    doubt: str
    form: str


class LoginResource(BotdResource):
    """POST and DELETE /api/v2/login: a session begins and ends."""

    QUERY = JsonQuery
    BODY = LoginBody
    ANSWER = SessionDocument
    MADE = SessionDocument

    def post(self) -> Response:
        """Logs in with name, password and code."""
        query(JsonQuery)
        given = body(LoginBody)
        session = log_in(given["login"], given["password"], given.get("code", ""))
        document: SessionDocument = {"login": given["login"], "token": session.token, "until": session.until}
        return personal(document, 201)

    def delete(self) -> Response:
        """Ends the session or token that is shown."""
        query(JsonQuery)
        log_out(known())
        return without_session(Response(status=204))


class MeResource(BotdResource):
    """GET /api/v2/me: who one is, and what one may."""

    QUERY = JsonQuery
    ANSWER = MeDocument

    def get(self) -> Response:
        """Who one is, by which session or token, until when, and what one may."""
        query(JsonQuery)
        who = known()
        may = policy_of(who)
        document: MeDocument = {
            "me": who.holder,
            "rights": may["rights"],
            "roles": may["roles"],
            "doubt": may["doubt"],
            "form": form_field() if who.shown == "cookie" else "",
        }
        return personal(document)


def personal(document: object, status: int = 200) -> Response:
    """A document that is somebody's alone: nobody keeps it."""
    response = Response(encode(document) + b"\n", status, content_type=MIME["json"])
    response.headers["Cache-Control"] = "no-store"
    return response
