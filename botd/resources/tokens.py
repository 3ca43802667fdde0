"""Tokens for scripts: given, listed with their last use, ended."""

from __future__ import annotations

from typing import TypedDict

from flask import Response, request

from botd.access.letters import HolderDocument
from botd.access.tokens import new_token
from botd.documents import Time
from botd.resources.base import BotdResource
from botd.resources.login import personal
from botd.web.mail import ask
from botd.web.params import JsonQuery, TokenBody, body, query
from botd.web.rights import holders_of
from botd.web.visitors import address_of
from botd.web.who import known


class TokensDocument(TypedDict):
    """The tokens of who asks."""

    tokens: list[HolderDocument]


class TokenDocument(TypedDict):
    """A token, which is shown this once, and until when it is good."""

    id: int
    token: str
    until: Time


class TokensResource(BotdResource):
    """GET and POST /api/v2/tokens: one's own tokens, and a new one."""

    QUERY = JsonQuery
    BODY = TokenBody
    ANSWER = TokensDocument
    MADE = TokenDocument

    def get(self) -> Response:
        """Your tokens with their last use; nobody can show them themselves any more."""
        query(JsonQuery)
        mine: TokensDocument = {"tokens": [each for each in holders_of(known()) if each["kind"] == "token"]}
        return personal(mine)

    def post(self) -> Response:
        """Gives a token for a script, as a session asks for it."""
        query(JsonQuery)
        who, given, token = known(), body(TokenBody), new_token()
        wanted = {"name": given["name"], "scope": given.get("scope", "read"), "hours": given.get("hours", 8.0)}
        answer = ask("token", who.token, address_of(request.environ), {**wanted, "token": token})
        document: TokenDocument = {"id": answer["id"], "token": token, "until": answer["until"]}
        return personal(document, 201)


class TokenResource(BotdResource):
    """DELETE /api/v2/tokens/<id>: ends a token."""

    QUERY = JsonQuery
    ANSWER = TokensDocument

    def delete(self, token: int) -> Response:
        """Ends a token: your own, or with the right `people` anybody's."""
        query(JsonQuery)
        ask("end", known().token, address_of(request.environ), {"kind": "token", "id": token})
        return Response(status=204)
