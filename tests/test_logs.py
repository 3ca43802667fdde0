"""One line of log per event, whatever the event holds; what stays wrong is told once, and once more when it is over."""

from __future__ import annotations

import logging
import sys

import pytest

from botd.logs import DAY_S, Faults, OneLine

AWAY = "slurmdbd is away"


class Watch:
    """A clock that stands still, and what was logged since the last look."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 1000.0
        self._caplog = caplog
        self.faults = Faults(logging.getLogger("botd.test"), clock=lambda: self.now)

    def lines(self) -> list[tuple[str, str]]:
        found = [(record.levelname, record.getMessage()) for record in self._caplog.records]
        self._caplog.clear()
        return found


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture) -> Watch:
    caplog.set_level(logging.INFO)
    return Watch(caplog)


def test_what_stays_wrong_is_told_once(watch: Watch) -> None:
    for _ in range(500):
        watch.faults.tell("sacct", [AWAY, AWAY])
        watch.now += 60
    assert watch.lines() == [("WARNING", f"sacct error={AWAY}")]


def test_it_is_told_again_after_a_day(watch: Watch) -> None:
    for _ in range(3):
        watch.faults.tell("sacct", [AWAY])
        watch.now += DAY_S / 2
    assert len(watch.lines()) == 2


def test_of_many_faults_only_the_new_and_the_ended_are_told(watch: Watch) -> None:
    watch.faults.tell("groups", ["a", "b"])
    watch.lines()
    watch.faults.tell("groups", ["b", "c"], level=logging.ERROR)
    assert watch.lines() == [("INFO", "over: groups error=a"), ("ERROR", "groups error=c")]


def test_what_is_over_is_said_once_and_a_return_is_news(watch: Watch) -> None:
    watch.faults.tell("sacct", [AWAY])
    watch.lines()
    watch.faults.tell("sacct")
    watch.faults.tell("sacct")
    assert watch.lines() == [("INFO", f"over: sacct error={AWAY}")]
    watch.faults.tell("sacct", [AWAY])
    assert watch.lines() == [("WARNING", f"sacct error={AWAY}")]


def test_subjects_do_not_know_each_other(watch: Watch) -> None:
    watch.faults.tell("sacct", [AWAY])
    watch.faults.tell("squeue", [AWAY])
    watch.faults.tell("sinfo")
    assert len(watch.lines()) == 2


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("botd.x", logging.INFO, "x.py", 1, message, args, None)


def test_an_event_is_one_line_whatever_it_holds() -> None:
    line = OneLine().format(record("login failed node=%s error=%s", "n1", "a\nINFO forged\x1b[31m\u202e"))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "node=n1" in line


def test_a_traceback_is_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        entry = record("failed")
        entry.exc_info = sys.exc_info()
    assert len(OneLine().format(entry).splitlines()) == 1


def test_the_time_of_an_event_is_utc() -> None:
    entry = record("x")
    entry.created, entry.msecs = 0.25, 250.0
    assert OneLine().format(entry).startswith("1970-01-01T00:00:00.250Z INFO botd.x x")
