"""What is kept: made once, also when many ask at once; the longest unused goes first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from botd.board.cache import Cache


@pytest.fixture
def kept() -> Cache[str, str]:
    """Room for three texts, and for ten characters."""
    return Cache(lambda key, text: len(key) + len(text), most=3, limit=10)


def never() -> str:
    raise AssertionError("made again")


def making(text: str) -> Callable[[], str]:
    return lambda: text


def test_a_thing_is_made_once(kept: Cache[str, str]) -> None:
    assert kept.get("a", making("one")) == "one"
    assert kept.get("a", never) == "one"
    assert kept.find("a") == "one"
    assert kept.find("b") is None


def test_the_longest_unused_is_forgotten_when_there_are_too_many(kept: Cache[str, str]) -> None:
    for name in "abc":
        kept.get(name, making(name))
    kept.find("a")
    kept.get("d", making("d"))
    assert [kept.find(name) for name in "abcd"] == ["a", None, "c", "d"]


def test_the_longest_unused_is_forgotten_when_all_are_too_large(kept: Cache[str, str]) -> None:
    kept.get("a", making("1234"))
    kept.get("b", making("1234"))
    kept.get("a", never)
    kept.get("c", making("1"))
    assert [kept.find(name) for name in "abc"] == ["1234", None, "1"]


def test_what_is_larger_than_all_room_is_made_and_not_kept(kept: Cache[str, str]) -> None:
    assert kept.get("a", making("12345678901")) == "12345678901"
    assert kept.find("a") is None


def test_a_thing_takes_the_place_of_the_one_before(kept: Cache[str, str]) -> None:
    kept.put("a", "12345678")
    kept.put("a", "1234567")
    kept.put("b", "")
    assert (kept.find("a"), kept.find("b")) == ("1234567", "")


def test_a_fault_is_told_and_not_kept(kept: Cache[str, str]) -> None:
    with pytest.raises(AssertionError, match="made again"):
        kept.get("a", never)
    assert kept.find("a") is None
    assert kept.get("a", making("one")) == "one"


def test_many_that_ask_at_once_wait_for_the_one_that_makes_it(kept: Cache[str, str]) -> None:
    asked, made, go = threading.Barrier(8), [0], threading.Event()

    def make() -> str:
        made[0] += 1
        go.wait(60)
        return "one"

    def ask() -> str:
        asked.wait(60)
        return kept.get("a", make)

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(ask) for _ in range(8)]
        assert kept.get("b", making("other")) == "other"  # who asks for something else does not wait
        go.set()
        assert [each.result(20) for each in found] == ["one"] * 8
    assert made == [1]
