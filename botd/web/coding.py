"""How an answer goes over the wire: with gzip where the client takes it, and as a mere 304 where it has it already."""

from __future__ import annotations

import gzip

from flask import Response, request

from botd.board.bodies import GZIP_LEVEL
from botd.web.here import board

PACKED = frozenset(
    {
        "application/json",
        "application/x-ndjson",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)
"""Media types that gzip makes smaller."""

LEAST = 1000
"""Bytes from which on gzip is worth it: less is one packet anyway."""


def deliver(response: Response) -> Response:
    """The response as this client takes it. One without a length is a stream, and stays as it is."""
    size = response.content_length
    if size is None or response.mimetype not in PACKED:
        return response
    response.vary.add("Accept-Encoding")
    if response.status_code in (206, 304):
        return response
    packed = size >= LEAST and request.accept_encodings.best_match(("gzip", "identity")) == "gzip"
    tag, is_weak = response.get_etag()
    if tag:
        response.set_etag(f"{tag}-gzip" if packed else tag, bool(is_weak))
        response.make_conditional(request)
        response.headers.pop("Date", None)  # the server writes one, and a second would make both unreadable
    if packed and response.status_code != 304:
        _pack(response, None if is_weak else tag)
    return response


def _pack(response: Response, tag: str | None) -> None:
    """Puts the body under gzip. One with a strong entity tag is the same each time, and kept."""
    response.direct_passthrough = False  # a file of ours is small enough to be read
    body = response.get_data()
    response.set_data(board().bodies.packed(tag, body) if tag else gzip.compress(body, GZIP_LEVEL, mtime=0))
    response.content_encoding = "gzip"
