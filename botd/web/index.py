"""What there is to ask, one line for each route and method, read off the description of the interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from flask import Response, current_app

from botd import __version__
from botd.display.formats import Form
from botd.web.replies import records_reply

COLUMNS = ("method", "path", "summary")


class RouteDocument(TypedDict):
    """A route: how it is asked, what it answers in a line, and the media types that it answers in."""

    method: str
    path: str
    summary: str
    parameters: list[str]
    forms: list[str]


class IndexDocument(TypedDict):
    """The routes of the interface."""

    version: str
    count: int
    routes: list[RouteDocument]


def description() -> Mapping[str, Any]:
    """The OpenAPI description of this application."""
    return cast("Mapping[str, Any]", current_app.extensions["botd"].openapi)


def index_reply(form: Form) -> Response:
    """The routes in a form."""
    routes = [
        _route(path, method, operation)
        for path, operations in description()["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    ]
    return records_reply(form, {"version": __version__, "count": len(routes)}, "routes", routes, COLUMNS)


def _route(path: str, method: str, operation: Mapping[str, Any]) -> RouteDocument:
    return {
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "parameters": [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"],
        "forms": list(content_of(operation)),
    }


def content_of(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an operation answers when all is well, by media type; nothing where there is nothing to say."""
    responses = operation["responses"]
    well: Mapping[str, Any] = responses[min(responses)].get("content", {})
    return well
