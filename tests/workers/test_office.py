"""The agent's office with a post that a test holds in its hands: what workers may say, and who is there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from nacl.signing import SigningKey

from botd.answers import Delivery, PingAnswer, Source
from botd.checks import site_checks
from botd.config import parse_config
from botd.inventory.networks import networks_of
from botd.model import Reading, State, utc_now
from botd.sweep import make_plan, run_sweep
from botd.workers.letters import Answers, Order, public_of, read_order, write_answers
from botd.workers.office import Office

AGENT, A, B = SigningKey.generate(), SigningKey.generate(), SigningKey.generate()
CONFIG = parse_config(
    {
        "network": [
            {"name": "a", "nodes": ["a[1-2]"], "probes": ["ping"], "keys": [public_of(A)]},
            {"name": "b", "nodes": ["b[1-2]"], "probes": ["ping"], "keys": [public_of(B)]},
        ]
    }
)
CHECKS = site_checks(CONFIG)


def pong(node: str) -> Delivery:
    return Delivery(node, Source.PING, PingAnswer(3, 3, 0.2))


class Held:
    """A post whose orders are answered at once by `workers`, and a clock that stands until it is set."""

    def __init__(self, **workers: Callable[[Order], list[str]]) -> None:
        self.now, self.orders = 1000.0, list[Order]()
        self._workers = workers
        self.office = Office(CONFIG, networks_of(CONFIG), AGENT, self, clock=utc_now, monotonic=lambda: self.now)
        for name in workers:
            self.office.beat(f"{name}.1@host")

    def send(self, network: str, letter: str, expires_s: float) -> None:
        order = read_order(letter, [public_of(AGENT)])
        self.orders.append(order)
        for answer in self._workers.get(network, lambda _: [])(order):
            self.office.take(answer)

    def sweep(self, *nodes: str) -> tuple[dict[str, Reading], list[str]]:
        found: dict[str, Reading] = {}
        probers = self.office.probers(make_plan(nodes, CHECKS, ["ping"]), lambda _: [], 10_000)
        errors = run_sweep(
            make_plan(nodes, CHECKS, ["ping"]),
            probers,
            lambda node, each: found.update({node: each["ping"]}),
            deadline_s=60,
            clock=utc_now,
        )
        return found, errors


def answered(order: Order, key: SigningKey, *nodes: str, problems: tuple[str, ...] = ()) -> list[str]:
    """An honest worker's letter, in the name of what it was asked, of these nodes."""
    return [write_answers(Answers(order.slice, "w.1@host", tuple(map(pong, nodes)), True, problems), key)]


def honest(key: SigningKey) -> Callable[[Order], list[str]]:
    return lambda order: answered(order, key, *order.nodes)


def test_what_is_asked_comes_back() -> None:
    found, errors = Held(a=honest(A), b=honest(B)).sweep("a1", "a2", "b1")
    assert ({reading.state for reading in found.values()}, errors) == ({State.OK}, [])


def test_a_worker_can_lie_about_its_own_network_only(caplog: pytest.LogCaptureFixture) -> None:
    """The worker of a was taken over: it speaks of a node of b where it was asked, and where b was."""

    def of_elsewhere(order: Order) -> list[str]:
        return answered(order, A, "a1", "b1")

    def by_another_key(order: Order) -> list[str]:
        return answered(order, A, "b1", "b2") + answered(order, B)

    found, _ = Held(a=of_elsewhere, b=by_another_key).sweep("a1", "b1", "b2")
    assert found["a1"].state is State.OK
    assert (found["b1"].state, found["b2"].state) == (State.UNKNOWN, State.UNKNOWN)
    assert "not asked for network=a" in caplog.text
    assert "letter refused" in caplog.text


def test_a_worker_answers_what_it_was_asked_only() -> None:
    def more(order: Order) -> list[str]:
        lie = replace(pong("a1"), source=Source.POWER)
        return answered(order, A, "a2") if lie.node in order.nodes else []

    found, _ = Held(a=more).sweep("a1")
    assert found["a1"].state is State.UNKNOWN


def test_answers_to_a_sweep_that_is_over_are_left_out() -> None:
    held = Held(a=honest(A))
    held.sweep("a1")
    held.office.take(answered(held.orders[0], A, "a1")[0])
    held.office.take("what is this")
    assert held.office._open == {}


def test_a_network_without_a_worker_is_unknown_and_says_since_when() -> None:
    held = Held(a=honest(A))
    held.now += 12 * 60 + 7
    held.office.beat("a.1@host")
    found, errors = held.sweep("a1", "b1")
    assert (found["a1"].state, found["b1"].state) == (State.OK, State.UNKNOWN)
    assert errors == [found["b1"].detail] == ["no worker for b since 12 min"]
    assert [order.network for order in held.orders] == ["a"]


def test_a_broker_that_is_away_is_told_beside_it() -> None:
    held = Held()
    held.office.connected("Connection refused")
    held.now += 7200
    assert held.sweep("a1")[1] == ["no worker for a since 2 h, and the broker cannot be reached: Connection refused"]


def test_after_the_broker_was_away_workers_have_time_to_be_heard_of() -> None:
    held = Held(a=honest(A))
    held.now += 600
    held.office.connected("")
    assert held.sweep("a1")[0]["a1"].state is State.OK


@pytest.mark.parametrize("why", ["the broker was away", "its worker is gone"])
def test_an_order_that_may_be_lost_is_sent_again(why: str) -> None:
    """What has begun it says so, and then nothing more."""
    tries: list[Order] = []

    def begins(order: Order) -> list[str]:
        tries.append(order)
        if len(tries) > 1:
            return answered(order, A, *order.nodes)
        if why == "the broker was away":
            held.now += 1
            held.office.connected("")
            return []
        return [write_answers(Answers(order.slice, "a.2@host"), A)]

    held = Held(a=begins)
    done = threading.Event()

    def live() -> None:
        """Another worker of the network is there all the time."""
        while not done.wait(0.05):
            held.now += 5
            held.office.beat("a.1@host")

    thread = threading.Thread(target=live)
    if why == "its worker is gone":
        thread.start()
    try:
        found, errors = held.sweep("a1")
    finally:
        done.set()
    assert (found["a1"].state, errors, len(tries)) == (State.OK, [], 2)
    assert tries[0].slice == tries[1].slice


def test_what_went_wrong_at_a_worker_is_told_with_its_network() -> None:
    held = Held(a=lambda order: answered(order, A, problems=("fping is missing",)))
    found, errors = held.sweep("a1")
    assert errors == [found["a1"].detail] == ["a: fping is missing"]


def test_a_sweep_without_faults_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Held(a=honest(A)).sweep("a1", "a2")
    assert caplog.messages == []
