"""The mailbox: an ask is there once, is answered or grows too old, and leaves nothing sealed behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from botd.errors import BadRequest, TooMany
from botd.model import utc_now
from botd.store import Store
from botd.store.asks import GOOD_FOR, KEPT, MAX_SEALED, MAX_WAITING
from tests.store.conftest import Open

NOW = utc_now()
SECOND = timedelta(seconds=1)


def test_an_ask_is_answered_once_and_read_by_its_nonce(store: Store, open_again: Open) -> None:
    store.asks.put("n1", "login", b"\x00sealed", NOW)
    agent = open_again()
    (ask,) = agent.asks.waiting(NOW)
    assert (ask.nonce, ask.kind, ask.sealed) == ("n1", "login", b"\x00sealed")
    assert store.asks.answer_to("n1") is None
    agent.asks.answer(ask, {"ok": True}, NOW)
    assert store.asks.answer_to("n1") == {"ok": True}
    assert agent.asks.waiting(NOW) == []


def test_the_same_nonce_asks_once(store: Store) -> None:
    store.asks.put("n1", "login", b"one", NOW)
    store.asks.put("n1", "login", b"two", NOW)
    (ask,) = store.asks.waiting(NOW)
    assert ask.sealed == b"one"
    store.asks.answer(ask, {}, NOW)
    store.asks.put("n1", "login", b"three", NOW)
    assert store.asks.waiting(NOW) == []


def test_asks_come_in_their_order_a_few_at_a_time(store: Store) -> None:
    for number in range(5):
        store.asks.put(f"n{number}", "login", b"x", NOW)
    assert [ask.nonce for ask in store.asks.waiting(NOW, 3)] == ["n0", "n1", "n2"]


def test_an_ask_that_waited_too_long_is_answered_by_nobody(store: Store) -> None:
    store.asks.put("n1", "login", b"x", NOW)
    assert store.asks.waiting(NOW + GOOD_FOR - SECOND)
    assert not store.asks.waiting(NOW + GOOD_FOR)


def test_no_more_wait_than_the_agent_can_answer(store: Store) -> None:
    for number in range(MAX_WAITING):
        store.asks.put(f"n{number}", "login", b"x", NOW)
    with pytest.raises(TooMany, match="64 requests wait"):
        store.asks.put("more", "login", b"x", NOW)
    store.asks.put("later", "login", b"x", NOW + GOOD_FOR)
    store.asks.put("n", "login", b"x" * MAX_SEALED, NOW + GOOD_FOR)
    with pytest.raises(BadRequest, match="too long"):
        store.asks.put("long", "login", b"x" * (MAX_SEALED + 1), NOW + GOOD_FOR)


def test_an_answer_is_forgotten_and_what_was_sealed_at_once(store: Store) -> None:
    store.asks.put("n1", "login", b"secret", NOW)
    store.asks.put("n2", "login", b"x", NOW + KEPT)
    (first, second) = (store.asks.waiting(at)[0] for at in (NOW, NOW + KEPT))
    store.asks.answer(first, {"ok": 1}, NOW)
    with store._db.read() as db:
        assert not db.exec_driver_sql("SELECT sealed FROM asks WHERE nonce = 'n1'").scalar()
    store.asks.answer(second, {"ok": 2}, NOW + KEPT + SECOND)
    assert (store.asks.answer_to("n1"), store.asks.answer_to("n2")) == (None, {"ok": 2})
