"""How long answers take, counted by route and class of status, over all web processes of one gunicorn.

The counts lie in memory that the worker shares with its siblings (see `botd.commands.worker`): each process counts in a
place of its own, and whichever is asked adds up all places. Where nothing is shared, a process knows its own alone.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BOUNDS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
"""Up to which a bucket counts; one more counts what took longer."""

CLASSES = ("2xx", "3xx", "4xx", "5xx")

OTHER = "other"
"""The route of what leads nowhere, and of who is turned away."""

ROUTE = "botd.route"
"""Where the endpoint stands in the environment of a request, as soon as somebody knows it."""

CELLS = len(BOUNDS_S) + 2
"""Of one route and class: a count for each bucket, then the sum of the seconds."""

PLACE_BYTES = 2**16
"""The memory of one process: 204 routes fit, and what is never touched costs nothing."""


class Timing(NamedTuple):
    """The answers of a route and class: how many up to each bound, and beyond the last; and seconds together."""

    route: str
    status: str
    counts: tuple[int, ...]
    total_s: float


class Timings:
    """A WSGI application that stands before another one and counts how long its answers take to begin."""

    def __init__(self, application: WSGIApplication, routes: Mapping[str, str]) -> None:
        """`routes` are the names to count under, by endpoint."""
        self._application = application
        self._routes = routes
        self._rows = {name: row for row, name in enumerate(dict.fromkeys([OTHER, *routes.values()]))}
        self._lock = threading.Lock()
        self.share(bytearray(PLACE_BYTES), 0)

    def share(self, memory: Any, place: int) -> None:
        """Counts in this place of a memory from now on, and adds up all of it."""
        cells = memoryview(memory).cast("B").cast("d")
        each = PLACE_BYTES // cells.itemsize
        self._places = [cells[start : start + each] for start in range(0, len(cells), each)]
        self._own = self._places[place % len(self._places)]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application's answer."""
        begun_s, said = time.perf_counter(), "500"

        def start(status: str, *more: Any) -> Callable[[bytes], object]:
            nonlocal said
            said = status
            return start_response(status, *more)

        try:
            return self._application(environ, start)
        finally:
            self._count(self._route(environ), said, time.perf_counter() - begun_s)

    def _route(self, environ: WSGIEnvironment) -> str:
        return self._routes.get(environ.get(ROUTE) or "", OTHER)

    def _count(self, route: str, status: str, took_s: float) -> None:
        at = self._at(route, f"{status[:1]}xx" if f"{status[:1]}xx" in CLASSES else "5xx")
        with self._lock:
            self._own[at + bisect_left(BOUNDS_S, took_s)] += 1
            self._own[at + CELLS - 1] += took_s

    def _at(self, route: str, status: str) -> int:
        return (self._rows[route] * len(CLASSES) + CLASSES.index(status)) * CELLS

    def figures(self) -> Iterator[Timing]:
        """What was counted, by route and class, of all places together; what never happened is left out."""
        used = len(self._rows) * len(CLASSES) * CELLS
        cells = [sum(column) for column in zip(*(place[:used] for place in self._places), strict=True)]
        for route in self._rows:
            for status in CLASSES:
                at = self._at(route, status)
                counts = tuple(map(int, cells[at : at + CELLS - 1]))
                if any(counts):
                    yield Timing(route, status, counts, cells[at + CELLS - 1])


def named_routes(rules: Iterable[Any]) -> dict[str, str]:
    """The path of each endpoint of these rules (werkzeug.routing.Rule), as the description writes it."""
    return {rule.endpoint: re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in rules}
