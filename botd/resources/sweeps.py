"""A sweep as a client follows it: asked now and then, or as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Response, current_app

from botd.board.board import Board
from botd.display.formats import MIME, records_body
from botd.documents import encode, sweep_document
from botd.errors import TooMany
from botd.model import SweepState
from botd.resources.base import BotdResource
from botd.store import Store
from botd.web.here import board, config, store
from botd.web.params import EventsQuery, FormatQuery, chosen_format, query
from botd.web.replies import reply

COLUMNS = (
    "sweep",
    "state",
    "done",
    "total",
    "requested_at",
    "started_at",
    "ended_at",
    "checks",
    "errors",
    "nodes",
)

_POLL_S = 0.25


class SweepResource(BotdResource):
    """GET /api/v1/sweeps/<id>: how far a sweep is."""

    QUERY = FormatQuery
    FORMS = tuple(MIME)
    ANSWER = "Sweep"

    def get(self, sweep: int) -> Response:
        """State and progress (done of total nodes) of a sweep."""
        form = chosen_format(query(FormatQuery))
        document = sweep_document(store().sweeps.get(sweep))
        if form.name == "json":
            return reply(form.name, encode(document) + b"\n")
        return reply(form.name, records_body(form, {}, "sweeps", [document], COLUMNS))


class SweepEventsResource(BotdResource):
    """GET /api/v1/sweeps/<id>/events: the progress of a sweep as it happens."""

    QUERY = EventsQuery
    FORMS = ("sse", "ndjson")
    ANSWER = "Event"

    def get(self, sweep: int) -> Response:
        """A `progress` event with the nodes finished since the last one whenever something changes, then `end`."""
        form = query(EventsQuery).get("format", "sse")
        here = store()
        here.sweeps.get(sweep)
        streams = current_app.extensions["botd"].streams
        if not streams.acquire(blocking=False):
            raise TooMany(f"{config().server.max_streams} streams are open; poll /api/v1/sweeps/{sweep} instead")
        limit_s = config().sweep.deadline + 60
        response = Response(_events(here, board(), sweep, limit_s, form), content_type=_MIME[form])
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.call_on_close(streams.release)
        return response


_MIME = {"sse": "text/event-stream; charset=utf-8", "ndjson": "application/x-ndjson"}


def _events(here: Store, view: Board, sweep_id: int, limit_s: float, form: str) -> Iterator[bytes]:
    """The events until the sweep is over, or longer than any sweep may take."""
    ends_at, told = time.monotonic() + limit_s, None
    revision = view.view().pulse.revision
    while time.monotonic() < ends_at:
        sweep = here.sweeps.get(sweep_id)
        now = view.view(fresh=True).pulse.revision
        over = sweep.state in (SweepState.DONE, SweepState.CUT)
        if (sweep.state, sweep.done) != told or now != revision or over:
            finished = sorted(here.readings.nodes_since(revision) & set(sweep.nodes)) if now != revision else []
            document = {**sweep_document(sweep), "event": "end" if over else "progress", "finished": finished}
            yield _event(document, form)
            told, revision = (sweep.state, sweep.done), now
        if over:
            return
        time.sleep(_POLL_S)


def _event(document: dict[str, object], form: str) -> bytes:
    data = encode(document)
    return data + b"\n" if form == "ndjson" else b"event: %s\ndata: %s\n\n" % (str(document["event"]).encode(), data)
