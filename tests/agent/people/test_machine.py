"""People, codes, tokens and a clock that jumps, in any order: what must hold in all of them."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from botd.agent.people.codes import step_at
from botd.agent.people.lockout import HELD
from botd.errors import BadRequest, LockedOut, ProofRefused
from tests.agent.people.parts import HOME, PASSWORD, Hall, hall

NAMES = ("anna", "kmf", "bea")
STEPS = st.sampled_from([0, 1, -1, 2, 2, -2])
EDGES = (0, 1, 29, 30, 31, 899, 900, 1799, 1800, 3600, 8 * 3600, 10 * 3600, 86_400, -30, -3600)
"""Seconds that a clock jumps: around the steps of codes, locks, sessions and tokens, and back."""


class House(RuleBasedStateMachine):
    """A real ledger beside what is known of it."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._hall = hall(Path(self._folder.name))
        self.here: Hall = self._hall.__enter__()
        self.used: Counter[tuple[str, int]] = Counter()
        self.highest: dict[str, int] = {}
        self.in_a_row: Counter[str] = Counter()
        self.ended: set[str] = set()
        self.locked: set[str] = set()
        self.until: dict[str, object] = {}

    @initialize()
    def begin(self) -> None:
        for login in NAMES[:2]:
            self.come(login)

    def teardown(self) -> None:
        assert self.here.verdict().broken_at is None
        self._hall.__exit__(None, None, None)
        self._folder.cleanup()

    def _held_end(self, login: str) -> None:
        self.ended |= {token for token, (who, _) in self.until.items() if who == login}

    def _accepted(self, login: str, code: str) -> None:
        """A code was accepted: it is the code of a step that was never used, nor any later one."""
        now = step_at(self.here.now)
        steps = [now + each for each in (-1, 0, 1) if self.here.code(login, each) == code]
        step = next(each for each in steps if each > self.highest[login])
        self.used[self.here.secrets[login], step] += 1
        self.highest[login] = step
        assert login not in self.locked
        assert self.in_a_row[login] < HELD
        self.in_a_row[login] = 0

    @rule(login=st.sampled_from(NAMES))
    def come(self, login: str) -> None:
        if login in self.here.secrets:
            with suppress(BadRequest):
                self.here.register.add(login, [], "test")
                raise AssertionError("a person was added twice")
        else:
            self.here.person(login)
            self.highest[login] = step_at(self.here.now)

    @rule(login=st.sampled_from(NAMES))
    def go(self, login: str) -> None:
        if self.here.secrets.pop(login, None):
            self.here.register.remove(login, "test")
            self._held_end(login)
            self.locked.discard(login)
            self.in_a_row[login] = 0

    @precondition(lambda self: self.here.secrets)
    @rule(target=held, data=st.data(), step=STEPS, right=st.sampled_from([True, True, False]))
    def log_in(self, data: st.DataObject, step: int, right: bool) -> object:
        login = data.draw(st.sampled_from(sorted(self.here.secrets)))
        code = self.here.code(login, step)
        try:
            token = self.here.log_in(login, PASSWORD if right else "wrong horse", code, "")
        except LockedOut:
            assert self.in_a_row[login] >= 5
            return multiple()
        except ProofRefused as error:
            self.in_a_row[login] += "used already" not in str(error)
            return multiple()
        assert right
        self._accepted(login, code)
        self.until[token] = (login, self.here.now + timedelta(hours=10))
        return token

    @precondition(lambda self: self.here.secrets)
    @rule(data=st.data(), step=STEPS)
    def prove(self, data: st.DataObject, step: int) -> None:
        login = data.draw(st.sampled_from(sorted(self.here.secrets)))
        code = self.here.code(login, step)
        try:
            self.here.logins.check_code(login, code, HOME)
        except LockedOut:
            assert self.in_a_row[login] >= 5
        except ProofRefused as error:
            self.in_a_row[login] += "used already" not in str(error)
        else:
            self._accepted(login, code)

    @precondition(lambda self: self.here.secrets)
    @rule(target=held, data=st.data(), hours=st.sampled_from([0.25, 8, 12]))
    def make_token(self, data: st.DataObject, hours: float) -> object:
        login = data.draw(st.sampled_from(sorted(set(self.here.secrets))))
        if login in self.locked:
            return multiple()
        token = self.here.give_token(login, "cron", "read", hours)
        self.until[token] = (login, self.here.now + timedelta(hours=hours))
        return token

    @rule(token=consumes(held))
    def log_out(self, token: str) -> None:
        if holder := self.here.logins.find(token):
            self.here.logins.end(holder, holder.login)
            self.ended.add(token)
            assert self.here.logins.find(token) is None

    @precondition(lambda self: self.here.secrets)
    @rule(data=st.data(), lock=st.booleans())
    def lock(self, data: st.DataObject, lock: bool) -> None:
        login = data.draw(st.sampled_from(sorted(self.here.secrets)))
        if lock:
            self.here.register.lock(login, "why", "test")
            self.locked.add(login)
            self._held_end(login)
        else:
            self.here.register.unlock(login, "test")
            self.locked.discard(login)
            self.in_a_row[login] = 0

    @precondition(lambda self: self.here.secrets)
    @rule(data=st.data())
    def enrol_anew(self, data: st.DataObject) -> None:
        login = data.draw(st.sampled_from(sorted(self.here.secrets)))
        self.here.enrol(login)
        self.highest[login] = step_at(self.here.now)
        self._held_end(login)

    @rule(seconds=st.sampled_from(EDGES))
    def wait(self, seconds: int) -> None:
        self.here.later(seconds=seconds)

    @rule()
    def sweep_up(self) -> None:
        self.here.logins.end_old()

    @invariant()
    def nothing_is_held_longer_than_it_may_be(self) -> None:
        for token, (login, until) in self.until.items():
            if holder := self.here.logins.find(token):
                assert token not in self.ended
                assert holder.login == login not in self.locked
                assert self.here.now < until

    @invariant()
    def each_step_counts_once(self) -> None:
        assert all(count == 1 for count in self.used.values())


House.TestCase.settings = settings(max_examples=30, stateful_step_count=40)
TestHouse = House.TestCase
