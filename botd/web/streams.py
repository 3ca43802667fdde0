"""Streams of events: as server-sent events or NDJSON, as many at once as [server] max_streams says."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from flask import Response, current_app

from botd.documents import encode
from botd.errors import NotFound, StoreUnavailable, TooMany
from botd.web.here import config

POLL_S = 0.25
"""How often what is followed is looked at."""

FORMS = ("sse", "ndjson")

_MIME = {"sse": "text/event-stream; charset=utf-8", "ndjson": "application/x-ndjson"}


def stream(events: Callable[[], Generator[Mapping[str, Any]]], form: str, instead: str) -> Response:
    """A stream of documents, each named by its member `event`. `instead` is what to ask where there are too many.

    Raises TooMany. Where the database fails on the way, it ends: who follows asks again, and is told why.
    """
    places = current_app.extensions["botd"].streams
    if not places.acquire(blocking=False):
        raise TooMany(f"{config().server.max_streams} streams are open; poll {instead} instead")
    response = Response(_followed(events(), form), content_type=_MIME[form])
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(places.release)
    return response


def _followed(events: Generator[Mapping[str, Any]], form: str) -> Iterator[bytes]:
    with suppress(StoreUnavailable, NotFound), closing(events):
        for document in events:
            data = encode(document)
            yield data + b"\n" if form == "ndjson" else b"event: %s\ndata: %s\n\n" % (_name(document), data)


def _name(document: Mapping[str, Any]) -> bytes:
    return str(document["event"]).encode()
