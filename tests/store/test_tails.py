"""The lines of logs on their way: each is read once, by one reader, and what nobody reads is bounded."""

from __future__ import annotations

from datetime import timedelta

from botd.model import utc_now
from botd.store import Store
from botd.store.tails import KEPT, MOST_UNREAD, OVER, UNHEARD, Taken
from tests.store.conftest import Open

NOW = utc_now()
SECOND = timedelta(seconds=1)


def test_lines_are_deleted_as_they_are_read(store: Store, open_again: Open) -> None:
    agent = open_again()
    number = agent.tails.begin("n1", "slurmd", NOW)
    assert store.tails.take(number, NOW) == Taken([])
    agent.tails.add(number, ["one", "two"], 0)
    agent.tails.add(number, ["three"], 7)
    assert store.tails.take(number, NOW) == Taken(["one", "two", "three"], 7)
    assert store.tails.take(number, NOW) == Taken([])


def test_what_comes_at_the_end_is_read_before_the_end(store: Store) -> None:
    number = store.tails.begin("n1", "slurmd", NOW)
    store.tails.add(number, ["last words"], 0)
    store.tails.end(number, "it ended")
    assert store.tails.take(number, NOW) == Taken(["last words"])
    assert store.tails.take(number, NOW) == Taken([], why="it ended")


def test_nobody_gets_the_lines_of_another(store: Store) -> None:
    one, other = (store.tails.begin("n1", "slurmd", NOW) for _ in range(2))
    store.tails.add(one, ["mine"], 0)
    assert store.tails.take(other, NOW) == Taken([])
    store.tails.forget(one)
    assert store.tails.take(one, NOW) == Taken([], why=OVER)
    assert store.tails.begin("n1", "slurmd", NOW) not in (one, other)


def test_what_nobody_reads_is_bounded(store: Store) -> None:
    number = store.tails.begin("n1", "slurmd", NOW)
    assert all(store.tails.add(number, ["x"], 0) for _ in range(MOST_UNREAD))
    assert not store.tails.add(number, ["x"], 0)
    store.tails.take(number, NOW)
    assert store.tails.add(number, ["x"], 0)


def test_who_takes_lines_reads_and_who_has_gone_does_not(store: Store) -> None:
    number = store.tails.begin("n1", "slurmd", NOW)
    later = NOW + UNHEARD - SECOND
    assert store.tails.is_read(number, later)
    store.tails.take(number, later)
    assert store.tails.is_read(number, NOW + UNHEARD + SECOND)
    assert not store.tails.is_read(number, later + UNHEARD)
    store.tails.forget(number)
    assert not store.tails.is_read(number, NOW)


def test_what_a_web_process_left_behind_that_died_is_deleted(store: Store) -> None:
    number = store.tails.begin("n1", "slurmd", NOW)
    store.tails.add(number, ["x"], 0)
    store.tails.begin("n1", "slurmd", NOW + KEPT + SECOND)
    assert store.tails.take(number, NOW + KEPT) == Taken([], why=OVER)
    store.tails.clear()
    assert not store.tails.is_read(number + 1, NOW + KEPT)
