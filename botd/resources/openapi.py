"""The description of the interface."""

from __future__ import annotations

from typing import Any, TypedDict

from flask import Response, current_app

from botd.documents import encode
from botd.resources.base import BotdResource
from botd.web.params import JsonQuery, query
from botd.web.replies import reply, tag_of


class OpenApiDocument(TypedDict):
    """A description as OpenAPI 3.0.3 has it."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


class OpenApiResource(BotdResource):
    """GET /api/v1/openapi.json: every route, its parameters and its answers."""

    QUERY = JsonQuery
    ANSWER = OpenApiDocument

    def get(self) -> Response:
        """This document."""
        query(JsonQuery)
        body = encode(current_app.extensions["botd"].openapi) + b"\n"
        return reply("json", body, tag_of(body))
