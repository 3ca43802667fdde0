"""What reads the machine's own clock: a real agent and web part, to which no clock is passed, while it jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from time_machine import Traveller

from botd.agent.loop import Agent
from botd.agent.people.codes import code_at
from botd.app import create_app
from botd.ledger import Ledger
from botd.model import utc_now
from tests.agent.conftest import Lone
from tests.agent.people.parts import PASSWORD, START, Hall
from tests.program import wait_until


class Place:
    """An agent, a web part and a person of a ledger, and what that person does."""

    def __init__(self, lone: Lone, traveller: Traveller) -> None:
        self._store = lone.store
        self._traveller = traveller
        self._client = create_app(lone.config).test_client(use_cookies=False)
        ledger = Ledger(lone.config)
        ledger.open(utc_now())
        self.hall = Hall(ledger, utc_now())
        self.hall.person("anna")

    def later(self, **span: float) -> None:
        """The clock of the machine jumps."""
        self._traveller.shift(timedelta(**span))

    def _agent_is_back(self) -> bool:
        """Whether it has said that it lives since the clock jumped: until then nobody asks it anything."""
        beat_at = self._store.pulse().agent_beat_at
        return beat_at is not None and abs(beat_at - utc_now()) < timedelta(seconds=10)

    def code(self) -> str:
        return code_at(self.hall.secrets["anna"], utc_now())

    def log_in(self, code: str) -> tuple[int, dict[str, str]]:
        wait_until(self._agent_is_back)
        sent = {"login": "anna", "password": PASSWORD, "code": code}
        return self._held(self._client.post("/api/v2/login", json=sent))

    def give_token(self, held: dict[str, str], hours: float) -> tuple[int, dict[str, str]]:
        wait_until(self._agent_is_back)
        sent = {"name": "cron", "scope": "read", "hours": hours}
        return self._held(self._client.post("/api/v2/tokens", json=sent, headers=held))

    def is_known(self, held: dict[str, str]) -> bool:
        return self._client.get("/api/v2/me", headers=held).status_code == 200

    @staticmethod
    def _held(answer) -> tuple[int, dict[str, str]]:
        return answer.status_code, {"Authorization": f"Bearer {answer.get_json().get('token', '')}"}


@pytest.fixture
def place(lone: Lone, run_agent: Callable[[Lone], Agent]) -> Iterator[Place]:
    with time_machine.travel(START) as traveller:
        run_agent(lone)
        made = Place(lone, traveller)
        yield made
        made.hall.ledger.close()


def test_sessions_tokens_and_codes_end_by_the_clock_of_the_machine(place: Place) -> None:
    place.later(seconds=30)
    code = place.code()
    status, session = place.log_in(code)
    assert status == 201
    status, token = place.give_token(session, 0.25)
    assert status == 201
    place.later(minutes=14)
    assert (place.is_known(session), place.is_known(token)) == (True, True)
    place.later(minutes=1)
    assert (place.is_known(session), place.is_known(token)) == (True, False)
    place.later(minutes=30)
    assert not place.is_known(session)
    assert place.log_in(code)[0] == 401
    assert place.log_in(place.code())[0] == 201


def test_a_clock_that_is_put_back_makes_no_code_good_again(place: Place) -> None:
    place.later(hours=2)
    code = place.code()
    status, session = place.log_in(code)
    assert status == 201
    place.later(hours=-1)
    assert place.log_in(place.code())[0] == 401  # of a step before one that was used
    place.later(hours=1)
    assert place.log_in(code)[0] == 401
    place.later(minutes=30)
    assert not place.is_known(session)
