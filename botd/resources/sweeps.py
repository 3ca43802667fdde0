"""A sweep as a client follows it: asked now and then, or as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import Literal

from flask import Response, url_for

from botd.board.board import Board
from botd.display.formats import MIME, records_body
from botd.documents import SweepDocument, encode, sweep_document
from botd.resources.base import BotdResource
from botd.store import Store
from botd.store.sweeps import Stage
from botd.web.here import board, config, store
from botd.web.params import EventsQuery, FormatQuery, chosen_format, query
from botd.web.replies import reply
from botd.web.streams import FORMS as STREAMED
from botd.web.streams import POLL_S, stream

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


class EventDocument(SweepDocument):
    """A sweep as it is now, and the nodes that finished since the event before; `end` is the last one.

    The first event has those that were finished when it was asked for.
    """

    event: Literal["progress", "end"]
    finished: list[str]


class SweepResource(BotdResource):
    """GET /api/v1/sweeps/<id>: how far a sweep is."""

    QUERY = FormatQuery
    FORMS = tuple(MIME)
    ANSWER = SweepDocument

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
    FORMS = STREAMED
    ANSWER = EventDocument

    def get(self, sweep: int) -> Response:
        """A `progress` event with the nodes finished since the last one whenever something changes, then `end`."""
        form = query(EventsQuery).get("format", "sse")
        here = store()
        here.sweeps.get(sweep)
        limit_s = config().sweep.deadline + 60
        view = board()
        return stream(lambda: _events(here, view, sweep, limit_s), form, url_for("sweep", sweep=sweep))


def _events(here: Store, view: Board, sweep_id: int, limit_s: float) -> Generator[EventDocument]:
    """The events until the sweep is over, or longer than any sweep may take."""
    until, sweep = time.monotonic() + limit_s, here.sweeps.get(sweep_id)
    told: Stage | None = None
    while time.monotonic() < until:
        stage = here.sweeps.stage(sweep_id)
        if stage != told:
            same = stage.state is sweep.state
            sweep = replace(sweep, done=stage.done) if same else here.sweeps.get(sweep_id)
            view.look_again()  # who reads what this event tells of must not be answered from before it
            new = here.readings.nodes_since(told.revision) & view.names_of(sweep) if told else view.read_in(sweep)
            name: Literal["progress", "end"] = "end" if sweep.is_over else "progress"
            yield {**sweep_document(sweep), "event": name, "finished": sorted(new)}
            told = stage
            if sweep.is_over:
                return
        time.sleep(POLL_S)
