"""What no node is blamed for: time in which botd itself could not run."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import cast

import pytest

from botd.answers import Delivery, EventsAnswer, LoginAnswer, PowerAnswer, PowerState, SshState
from botd.settings import BmcSettings
from botd.transport.bmc.power import SESSION_LIMIT, _Active, _Request, _Sessions
from botd.transport.bmc.power import TICK_S as BMC_TICK_S
from botd.transport.bmc.session import PowerQuery
from botd.transport.bmc.turns import Turns
from botd.transport.late import OwnDelay
from botd.transport.ssh.places import Places
from botd.transport.ssh.round import TICK_S, LoginRound
from botd.transport.ssh.visit import Visit

LIMIT_S = 5.0
DEADLINE_S = 20.0


def test_a_loop_in_time_is_not_late() -> None:
    delay = OwnDelay(0.2)
    now_s = time.monotonic()
    delay.since_last(now_s)
    assert [delay.since_last(now_s + at / 10) for at in range(1, 5)] == [0.0] * 4


def test_only_what_is_beyond_the_usual_counts_and_only_once() -> None:
    delay = OwnDelay(0.2)
    now_s = time.monotonic()
    delay.since_last(now_s)
    assert delay.since_last(now_s + 3) == pytest.approx(2.8)
    assert delay.since_last(now_s + 3.1) == 0.0


class Watched:
    """A visit in a round whose clock is looked at when the test says so."""

    def __init__(self) -> None:
        self.answers: list[Delivery] = []
        self.visit = Visit("n1", "127.0.0.1", 22, (), self.answers.append, direct=True)
        self._round = LoginRound(Places(1), lambda visit: None, timeout_s=LIMIT_S, deadline_s=DEADLINE_S)
        self.visit.start(DEADLINE_S)
        self.visit.step(SshState.HUNG, "the key exchange did not end", LIMIT_S)
        self.visit.heard_s = float("inf")  # it has no place that it could lose
        self._round._live[self.visit.node] = self.visit
        self.began_s = time.monotonic()

    def close(self) -> None:
        """Closes what the round has open."""
        self._round._live.clear()
        self._round.run(iter(()))

    def look(self, *after_s: float) -> bool:
        """Looks at the clock at these seconds after the beginning. Whether the visit is over."""
        for at_s in after_s:
            self._round._check_clock(self.began_s + at_s)
        return self.visit.done

    def look_often(self, from_s: float, to_s: float) -> bool:
        """Looks as often as the round does when it is given time to run."""
        return self.look(*(from_s + n * TICK_S for n in range(int((to_s - from_s) / TICK_S) + 1)))


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.close()


def test_a_node_that_says_nothing_is_hung_when_its_time_is_up(watched: Watched) -> None:
    assert not watched.look_often(0, LIMIT_S - 0.5)
    assert watched.look_often(LIMIT_S - 0.5, LIMIT_S + 0.5)
    assert [delivery.answer for delivery in watched.answers] == [
        LoginAnswer(SshState.HUNG, "the key exchange did not end within 5 s")
    ]


def test_a_node_is_not_blamed_for_the_time_in_which_botd_could_not_run(watched: Watched) -> None:
    assert not watched.look(0, 30), "its answer may wait unread"
    assert not watched.look_often(30, 30 + LIMIT_S - 0.5)
    assert watched.look_often(30 + LIMIT_S - 0.5, 30 + LIMIT_S + 0.5)


def test_the_deadline_of_a_node_waits_for_botd_as_well(watched: Watched) -> None:
    watched.visit.step(SshState.HUNG, "the command did not end", 2 * DEADLINE_S)
    assert not watched.look(0, 30)
    assert not watched.look_often(30, 30 + DEADLINE_S - 0.5)
    assert watched.look_often(30 + DEADLINE_S - 0.5, 30 + DEADLINE_S + 0.5)


def test_a_visit_gets_no_more_time_back_than_it_has_lasted(watched: Watched) -> None:
    """One that began in the middle of a delay waited for the rest of it only."""
    watched.look(-60)
    watched.look(0.1)
    assert watched.look_often(0.2, LIMIT_S + 0.6)


class Silent:
    """A session whose BMC has not answered yet."""

    answer: PowerAnswer | None = None
    power: PowerAnswer | None = None
    events = EventsAnswer()
    hash = 0

    def tick(self) -> None:
        """Has nothing to send again."""

    def end(self) -> None:
        """Has nothing to log out of."""

    def fail(self, detail: str) -> None:
        """Ends as the transport says."""
        self.power = self.answer = PowerAnswer(PowerState.UNKNOWN, detail)


def test_a_bmc_is_not_blamed_for_the_time_in_which_botd_could_not_run() -> None:
    sessions = _Sessions(BmcSettings(timeout=3.0), "", Turns())
    limit_s, began_s = SESSION_LIMIT * 3.0, time.monotonic()
    told: list[PowerAnswer] = []
    active, peer = _Active(cast(PowerQuery, Silent()), began_s), ("127.0.0.1", 623)
    active.add(_Request(socket.AF_INET, peer, lambda answer, took_s: told.append(answer)))
    sessions._active[peer] = active
    try:
        for at_s in (0.0, 60.0, *(60 + n * BMC_TICK_S for n in range(int((limit_s - 0.5) / BMC_TICK_S)))):
            sessions._tick(began_s + at_s)
        assert told == [], "its answer may wait unread"
        for n in range(int(1 / BMC_TICK_S)):
            sessions._tick(began_s + 60 + limit_s - 0.5 + n * BMC_TICK_S)
        assert told == [PowerAnswer(PowerState.UNKNOWN, "the BMC answers, but a session did not end within 6 s")]
    finally:
        sessions.close()


def test_a_node_is_not_blamed_for_waiting_for_a_place(watched: Watched) -> None:
    watched.visit.connected = True
    watched.visit.pause()
    watched.visit.heard_s -= 1000
    assert not watched.look_often(0, DEADLINE_S + 1)
    watched.visit.resume()
    assert watched.visit.longest_silence_s < LIMIT_S, "its silence would count as a crowded network's"
    watched.visit.step(SshState.HUNG, "the key exchange did not end", LIMIT_S)
    assert not watched.look_often(0, LIMIT_S - 0.5)
    assert watched.look_often(LIMIT_S - 0.5, LIMIT_S + 0.5)
