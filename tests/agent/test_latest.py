"""What the agent holds in memory and writes: nothing is lost while the store cannot be written, nothing twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from botd.agent.latest import LatestReadings
from botd.errors import StoreUnavailable
from botd.model import Reading, State
from tests.conftest import Site

NODE, OTHER = "n0000.savio2", "n0001.savio2"


@pytest.fixture
def latest(site: Site) -> LatestReadings:
    made = LatestReadings(site.checks, site.store, lambda: site.now)
    made.load()
    return made


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Nobody else can write."""
    other = sqlite3.connect(site.folder / "botd.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def read(site: Site, **values: Any) -> dict[str, Reading]:
    return {name: Reading(State.OK, value, at=site.now) for name, value in values.items()}


def values(site: Site, node: str, *checks: str) -> list[Any]:
    found = site.store.readings.since(0)[node]
    return [found[check]["value"] for check in checks]


def test_new_readings_of_some_checks_leave_those_of_the_others(site: Site, latest: LatestReadings) -> None:
    latest.put(NODE, read(site, ping=1, load=2), latest.begin())
    latest.flush()
    latest.put(NODE, read(site, load=3), latest.begin())
    latest.flush()
    assert values(site, NODE, "ping", "load") == [1, 3]


def test_what_could_not_be_written_is_written_later_unless_newer_came(site: Site, latest: LatestReadings) -> None:
    latest.put(NODE, read(site, ping=1, load=1), latest.begin())
    latest.put(OTHER, read(site, ping=1), latest.begin())
    with locked(site), pytest.raises(StoreUnavailable):
        latest.flush()
    latest.put(NODE, read(site, load=2), latest.begin())
    latest.flush()
    assert values(site, NODE, "ping", "load") == [1, 2]
    assert values(site, OTHER, "ping") == [1]


def test_readings_that_come_while_a_write_fails_are_the_ones_that_are_written(
    site: Site, latest: LatestReadings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = site.store.readings.write

    def fail(*args: Any, **options: Any) -> None:
        latest.put(NODE, read(site, ping=2), latest.begin())
        raise StoreUnavailable("full")

    latest.put(NODE, read(site, ping=1), latest.begin())
    monkeypatch.setattr(site.store.readings, "write", fail)
    with pytest.raises(StoreUnavailable):
        latest.flush()
    monkeypatch.setattr(site.store.readings, "write", write)
    latest.flush()
    assert values(site, NODE, "ping") == [2]


def test_what_was_written_is_not_written_again(site: Site, latest: LatestReadings) -> None:
    latest.put(NODE, read(site, ping=1), latest.begin())
    latest.flush()
    revision = site.store.pulse().revision
    latest.flush()
    latest.put(OTHER, read(site, ping=1), latest.begin())
    latest.flush()
    assert site.store.readings.nodes_since(revision) == {OTHER}
    assert site.store.pulse().revision == revision + 1


def test_what_was_sent_for_earlier_and_came_later_leaves_the_newer_reading(site: Site, latest: LatestReadings) -> None:
    earlier, later = latest.begin(), latest.begin()
    assert latest.put(NODE, read(site, ping=2), later).keys() == {"ping"}
    site.later(5)
    assert latest.put(NODE, read(site, ping=1, load=1), earlier).keys() == {"load"}
    latest.flush()
    assert values(site, NODE, "ping", "load") == [2, 1]


def test_a_reading_that_comes_too_late_changes_nothing_in_the_history(site: Site, latest: LatestReadings) -> None:
    earlier, later = latest.begin(), latest.begin()
    latest.put(NODE, {"ping": Reading(State.OK, 1, at=site.now)}, later)
    latest.put(NODE, {"ping": Reading(State.FAIL, at=site.now)}, earlier)
    latest.flush()
    assert site.store.changes.page(nodes=[NODE], limit=9) == []


def test_a_clock_that_was_set_back_keeps_no_reading_from_being_replaced(site: Site, latest: LatestReadings) -> None:
    latest.put(NODE, read(site, ping=1), latest.begin())
    site.later(-3600)
    latest.put(NODE, read(site, ping=2), latest.begin())
    latest.flush()
    assert values(site, NODE, "ping") == [2]


def test_what_was_sent_for_before_somebody_asked_is_stale_though_it_came_after(
    site: Site, latest: LatestReadings
) -> None:
    begun = latest.begin()
    site.later(1)
    asked_at = site.now
    site.later(1)
    latest.put(NODE, read(site, ping=1), begun)
    assert latest.stale([NODE], ["ping"], asked_at) == [NODE]
    latest.put(NODE, read(site, ping=2), latest.begin())
    assert latest.stale([NODE], ["ping"], asked_at) == []


DAY = timedelta(days=1)


def test_readings_of_a_time_to_come_are_read_again(site: Site) -> None:
    site.later(-3600)  # the clock was set back
    site.beat()
    body = site.get("/api/v1/status?groups=all&max_age=7200&wait=0")
    assert (body["complete"], body["sweep"]) == (False, 1)
    latest = LatestReadings(site.checks, site.store, lambda: site.now)
    latest.load()
    assert latest.stale(["n0000.savio2"], ["ping"], site.now - 2 * DAY) == ["n0000.savio2"]


def test_what_was_skipped_when_the_agent_ended_is_known_again_when_it_starts(site: Site) -> None:
    def agent() -> LatestReadings:
        latest = LatestReadings(site.checks, site.store, lambda: site.now)
        latest.load()
        return latest

    first = agent()
    for state in (State.FAIL, State.SKIPPED):
        first.put("n0000.savio2", {"load": Reading(state, at=site.now)}, first.begin())
    first.flush()
    second = agent()
    for state in (State.FAIL, State.OK):
        second.put("n0000.savio2", {"load": Reading(state, at=site.now)}, second.begin())
    second.flush()
    found = site.store.changes.page(nodes=["n0000.savio2"], limit=9)
    assert [(change.old, change.new) for change in found] == [("fail", "ok"), ("ok", "fail")]
