"""What there is to ask: in a line for each route, and as OpenAPI has it."""

from __future__ import annotations

from typing import Any, TypedDict

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from botd.display.formats import MIME
from botd.documents import encode
from botd.resources.base import BotdResource
from botd.web.clients import wants_html
from botd.web.index import IndexDocument, description, index_reply
from botd.web.params import FormatQuery, JsonQuery, chosen_format, query
from botd.web.replies import reply, tag_of


class OpenApiDocument(TypedDict):
    """A description as OpenAPI 3.0.3 has it."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, str]]
    paths: dict[str, Any]
    components: dict[str, Any]


class IndexResource(BotdResource):
    """GET /api/v1: the routes; a browser is sent to the page that has them with all their parameters and answers."""

    QUERY = FormatQuery
    FORMS = tuple(MIME)
    ANSWER = IndexDocument

    def get(self) -> AnyResponse:
        """What there is to ask, a line for each route."""
        args = query(FormatQuery)
        if "format" in args or not wants_html():
            return index_reply(chosen_format(args))
        to_page = redirect(url_for("api_page"), 303)
        to_page.vary.update(("Accept", "User-Agent"))
        return to_page


class OpenApiResource(BotdResource):
    """GET /api/v1/openapi.json: every route, its parameters and its answers."""

    QUERY = JsonQuery
    ANSWER = OpenApiDocument

    def get(self) -> Response:
        """The description of every route as OpenAPI 3.0."""
        query(JsonQuery)
        below = {"servers": [{"url": request.script_root}]} if request.script_root else {}
        body = encode({**description(), **below}) + b"\n"
        return reply("json", body, tag_of(body))
