"""Replies: an answer in its form with an entity tag, and errors in one shape."""

from __future__ import annotations

import logging

from flask import Response, request
from werkzeug.exceptions import HTTPException

from botd.display.cells import plain
from botd.display.formats import MIME
from botd.documents import Document, encode
from botd.errors import BotdError

log = logging.getLogger(__name__)


def reply(form: str, data: bytes, tag: str | None = None) -> Response:
    """The body in a form. With an entity tag, a client that has it already gets 304 and no body: see `coding`."""
    response = Response(data, content_type=MIME[form])
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept")
    if tag:
        response.set_etag(f"{tag}-{form}")
    return response


def error_document(status: int, code: str, message: str) -> Document:
    """The one body of every error."""
    return {"error": {"status": status, "code": code, "message": message}}


def error_reply(error: Exception) -> Response:
    """The answer to an exception. What is not ours is logged and told to nobody."""
    status, code, message = 500, "internal", "botd failed; its log says how"
    headers: list[tuple[str, str]] = []
    if isinstance(error, BotdError):
        status, code, message = error.status, error.code, str(error)
    elif isinstance(error, HTTPException) and error.code:
        status, code, message = error.code, *_words(error)
        headers = [(name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After")]
    else:
        log.error("request failed method=%s path=%s", request.method, request.path, exc_info=error)
    # The message may repeat what was asked: half a surrogate cannot be encoded, an escape fools a terminal.
    document = error_document(status, code, plain(message))
    response = Response(encode(document) + b"\n", status, content_type=MIME["json"])
    response.headers.extend(headers)
    return response


def _words(error: HTTPException) -> tuple[str, str]:
    if error.code == 404:
        return "not-found", f"there is no {request.path[:120]}; GET /api/v1/openapi.json lists what there is"
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return "method-not-allowed", f"{request.path[:120]} does not take {request.method}; it takes {allowed}"
    if error.code == 413:
        return "too-large", "the request body is over 2 MB; ask for groups or nodesets instead of single nodes"
    return (error.name or "error").lower().replace(" ", "-"), error.description or ""
