"""What went wrong, for who asked: one shape in JSON, and a sentence with what to do for who reads text."""

from __future__ import annotations

import logging
from typing import TypedDict

from flask import Response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from botd.display.formats import MIME
from botd.documents import encode
from botd.errors import BotdError, MethodNotAllowed, NotFound, TooLarge, TooMany
from botd.text import plain

log = logging.getLogger(__name__)

FOR_PROGRAMS = ("/api/", "/healthz", "/metrics")
"""Where who accepts anything is a program; at every other path it is a person with curl."""

HINTS = {
    "no-node-list": "Start the agent, with `botd serve` or `botd agent`: its first look at Slurm takes some seconds. "
    "Then load this page again.",
    "slurm-failed": "Groups from files can be shown without Slurm. The agent tries again by itself.",
    "slurm-timeout": "Groups from files can be shown without Slurm. The agent tries again by itself.",
    "store-unavailable": "Web server and agent share one database: start the agent once, which makes it, and see that "
    "both may write it ([store] url). Then load this page again.",
    "too-many": "Load this page again when the sweeps that are waiting are done.",
}
"""What to do about an error, by its code, where its own words do not say."""


class FaultDocument(TypedDict):
    """What went wrong: the HTTP status, a word for programs and a sentence for a person."""

    status: int
    code: str
    message: str


class ErrorDocument(TypedDict):
    """The one body of every error."""

    error: FaultDocument


def error_document(status: int, code: str, message: str) -> ErrorDocument:
    """The one body of every error."""
    return {"error": {"status": status, "code": code, "message": message}}


def error_body(error: BotdError, form: str = "json") -> bytes:
    """The same as JSON, or as text with what to do about it.

    The message may repeat what was asked: half a surrogate, or an escape that fools a terminal.
    """
    message = plain(str(error))
    if form == "json":
        return encode(error_document(error.status, error.code, message)) + b"\n"
    return "".join(f"{line}\n" for line in (message, HINTS.get(error.code)) if line).encode()


def error_form(asked: Request) -> str:
    """In which form this client reads an error: `json`, or `table`, which is text."""
    if asked.args.get("format") in MIME:
        return "table" if asked.args["format"] == "table" else "json"
    forms = ["json", "table"] if asked.path.startswith(FOR_PROGRAMS) else ["table", "json"]
    types = {MIME[form].partition(";")[0]: form for form in forms}
    accepted: MIMEAccept = asked.accept_mimetypes
    return types.get(accepted.best_match(list(types), default=""), "json") if accepted else forms[0]


def error_reply(error: Exception) -> Response:
    """The answer to an exception, in the form that its client reads."""
    ours, headers = fault_of(error)
    form = error_form(request)
    response = Response(error_body(ours, form), ours.status, content_type=MIME[form])
    response.headers.extend(headers)
    response.vary.add("Accept")
    return response


def fault_of(error: Exception) -> tuple[BotdError, list[tuple[str, str]]]:
    """An exception as one of ours, with the headers that go with it. What is not ours is logged and told to nobody."""
    headers: list[tuple[str, str]] = []
    if isinstance(error, HTTPException):
        headers = [(name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After")]
        error = _ours(error)
    if not isinstance(error, BotdError):
        log.error("request failed method=%s path=%s", request.method, request.path, exc_info=error)
        error = BotdError("botd failed; its log says how")
    if isinstance(error, TooMany):
        headers = [("Retry-After", str(error.retry_after_s))]
    return error, headers


def _ours(error: HTTPException) -> BotdError:
    """What werkzeug refuses, as an error of ours: with our code, and words that name the next step."""
    if error.code == NotFound.status:
        return NotFound(f"there is no {request.path[:120]}; GET /api/v1 lists what there is")
    if error.code == MethodNotAllowed.status:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return MethodNotAllowed(f"{request.path[:120]} does not take {request.method}; it takes {allowed}")
    if error.code == TooLarge.status:
        return TooLarge()
    other = BotdError(error.description or "")
    other.status, other.code = error.code or other.status, (error.name or "error").lower().replace(" ", "-")
    return other
