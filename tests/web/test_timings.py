"""How long answers take: counted by each process in a place of its own, and added up by whoever is asked."""

from __future__ import annotations

import mmap
import os
import threading
from typing import Any

import pytest

from botd.web.timings import BOUNDS_S, PLACE_BYTES, Timings
from tests.conftest import Site

ROUTES = {"one": "/one"}


def application(status: str) -> Any:
    def answer(environ: Any, start_response: Any) -> list[bytes]:
        environ["botd.route"] = "one"
        start_response(status, [])
        return []

    return answer


def ask(timings: Timings) -> None:
    list(timings({}, lambda *_: None))  # type: ignore[arg-type, func-returns-value]


@pytest.mark.parametrize(("status", "known"), [("200 OK", "2xx"), ("304 Not Modified", "3xx"), ("999 x", "5xx")])
def test_an_answer_is_counted_under_its_class(status: str, known: str) -> None:
    timings = Timings(application(status), ROUTES)
    ask(timings)
    [found] = timings.figures()
    assert (found.route, found.status, sum(found.counts), len(found.counts)) == ("/one", known, 1, len(BOUNDS_S) + 1)
    assert found.total_s > 0


def test_what_fails_is_counted_too() -> None:
    timings = Timings(lambda *_: 1 / 0, ROUTES)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        ask(timings)
    assert [(found.route, found.status) for found in timings.figures()] == [("other", "5xx")]


def test_what_another_process_counts_is_added() -> None:
    memory = mmap.mmap(-1, 4 * PLACE_BYTES)
    mine, other = Timings(application("200 OK"), ROUTES), Timings(application("200 OK"), ROUTES)
    mine.share(memory, 1)
    child = os.fork()
    if child == 0:
        other.share(memory, 2)
        ask(other)
        os._exit(0)
    os.waitpid(child, 0)
    ask(mine)
    assert [sum(found.counts) for found in mine.figures()] == [2]


def test_a_place_beyond_the_last_is_one_of_the_first_again_and_counts_on() -> None:
    memory = mmap.mmap(-1, 2 * PLACE_BYTES)
    for place in range(5):
        timings = Timings(application("200 OK"), ROUTES)
        timings.share(memory, place)
        ask(timings)
    assert [sum(found.counts) for found in timings.figures()] == [5]


def test_no_answer_is_lost_between_threads() -> None:
    timings = Timings(application("200 OK"), ROUTES)
    threads = [threading.Thread(target=lambda: [ask(timings) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(found.counts) for found in timings.figures()] == [4000]


def test_all_routes_of_botd_have_room(site: Site) -> None:
    timings: Timings = site.app.extensions["botd"].timings
    assert len(timings._rows) * 4 * (len(BOUNDS_S) + 2) * 8 < PLACE_BYTES // 2
