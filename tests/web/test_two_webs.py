"""Two web processes and an agent on one store, people of a real ledger and a clock that jumps: who reads, who may what.

`BOTD_TWO_WEBS=300` tries as many courses of events; the same come in every run.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from json import loads
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from werkzeug.test import TestResponse

from botd.agent.life import Due
from botd.agent.node_list import NodeList
from botd.agent.people.codes import step_at
from botd.agent.people.logins import Logins
from botd.agent.people.passwords import Passwords
from botd.agent.people.service import Service
from botd.app import create_app
from botd.ledger import Ledger
from botd.web import mail
from botd.web.rates import Rates
from tests.agent.people.parts import CHEAP, PASSWORD, START, Hall
from tests.conftest import Site, drained

EXAMPLES = int(os.environ.get("BOTD_TWO_WEBS", "8"))

NAMES = ("anna", "bea", "kmf")
READ = "/api/v1/status?nodes=n0000.savio2&max_age=300000000"
"""It needs a login, its answers are repeated, and reading it is no use of a session."""

EDGES = (1, 29, 30, 31, 59, 60, 61, 899, 900, 901, 1799, 1800, 1801, 3599, 3600, 36_000, 43_199, 43_200, -30, -3600)
"""Seconds that the clock jumps: around the steps of codes, uses, locks, sessions and tokens, and back."""

NEVER = datetime.min.replace(tzinfo=UTC)
IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=10)

FILES: tuple[Mapping[str, Sequence[str]], ...] = (
    {"admin": ["audit", "note", "people"], "auditor": ["audit"]},
    {"admin": ["note", "people"], "auditor": []},
)
"""What the roles of two roles files may; the first names bea as an auditor."""


def text_of(file: int) -> str:
    """A roles file."""
    tables = [
        f'[[role]]\nname = "{name}"\nactions = []\nnodes = "all"\nmay = {may}\n' for name, may in FILES[file].items()
    ]
    bea = 'users = ["bea"]\n' if file == 0 else ""  # of the last role, which is auditor
    return "".join(tables) + bea + '[protected]\nnodes = ""\n'


@dataclass
class Held:
    """A session or token as it should be."""

    kind: str
    id: int
    login: str
    scope: str
    made: datetime
    until: datetime
    used: datetime

    def is_good(self, now: datetime) -> bool:
        ends = min(self.until, self.used + IDLE) if self.kind == "session" else self.until
        return self.made <= now < ends


@dataclass
class Known:
    """A person as they should be."""

    highest: int
    roles: tuple[str, ...] = ()
    is_locked: bool = False
    failures: int = 0
    until: datetime = NEVER
    ids: set[tuple[str, int]] = field(default_factory=set)

    def shut_out(self, now: datetime) -> bool:
        """Whether too many failures lock them out: from the fifth on, for 15 minutes and twice as long each time."""
        return self.failures >= 20 or now < self.until

    def fail(self, now: datetime) -> None:
        self.failures += 1
        if self.failures >= 5:
            self.until = now + min(timedelta(minutes=15) * 2 ** (self.failures - 5), timedelta(hours=24))


class Webs(RuleBasedStateMachine):
    """Two web processes, the agent, and `botd user` beside what is known of them."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._quick = patch.object(mail, "_POLL_S", 0.001)
        self._quick.start()
        self.site = Site(Path(self._folder.name), {"access": {"read": "known", "roles_file": "roles.toml"}})
        self.site.now = START
        self.site.nodes(drained("n0000.savio2"))
        self.site.reading("n0000.savio2")
        self.apps: tuple[Flask, Flask] = (self.site.app, create_app(self.site.config, clock=lambda: self.site.now))
        for app in self.apps:  # how often somebody may try is not looked at here
            app.extensions["botd"] = replace(app.extensions["botd"], rates=Rates(count(0, 61).__next__))
        self._pool = ThreadPoolExecutor(2)
        self.put_roles(0)
        self.start_agent()
        command = Ledger(self.site.config)
        command.open(START)
        self.hall = Hall(command)
        self.people: dict[str, Known] = {}
        self.held: dict[str, Held] = {}
        self.ever: dict[str, None] = {}
        self.rows: Counter[str] = Counter()
        self.beat()

    @initialize(target=tokens)
    def begin(self) -> object:
        for login in NAMES:
            self.hall.person(login)
            self.people[login] = Known(step_at(self.now))
        self.hall.register.set_roles("kmf", ["admin"], "test")
        self.people["kmf"].roles = ("admin",)
        self.hall.now = self.site.now = START + timedelta(seconds=30)
        self.beat()
        for login in NAMES:
            body = {"login": login, "password": PASSWORD, "code": self.hall.code(login)}
            (answer,) = self.ask(lambda body=body: self.send(0, "POST", "/api/v2/login", json=body))
            assert answer.status_code == self.expected(login, True, step_at(self.now)) == 201
            self.hold(answer.json["token"], login, "session", "ask", LONGEST)
        return multiple(*self.held)

    def teardown(self) -> None:
        kinds = Counter(loads(row)["kind"] for row in self.hall.rows())
        for kind in ("login", "login-failed", "locked-out", "logout", "token-made", "token-revoked", "session-revoked"):
            assert kinds[kind] == self.rows[kind], (kind, kinds[kind], self.rows[kind])
        assert self.hall.verdict().broken_at is None
        self._pool.shutdown()
        self._quick.stop()
        for ledger in (self.ledger, self.hall.ledger):
            ledger.close()
        for store in (self.site.store, *(app.extensions["botd"].store for app in self.apps)):
            store.close()
        self._folder.cleanup()

    # ---- the agent ----

    @property
    def now(self) -> datetime:
        return self.site.now

    def start_agent(self) -> None:
        self.ledger = Ledger(self.site.config)
        self.ledger.open(self.now)
        assert self.ledger.state(self.now).is_usable  # which publishes the key for the webs
        people = Logins(self.ledger, lambda: self.now, Passwords(CHEAP))
        nodes = NodeList(self.site.config, self.site.store, lambda: self.now)
        self.service = Service(self.site.config, self.site.store, self.ledger, people, nodes, lambda: self.now)
        self.service._tell_due = Due(1e-9)  # at each step

    def put_roles(self, file: int) -> None:
        """Another roles file, in one step, as editors and tools write it."""
        self.file = file
        fresh = self.site.folder / "roles.new"
        fresh.write_text(text_of(file))
        fresh.chmod(0o644)
        fresh.replace(self.site.folder / "roles.toml")

    def beat(self) -> None:
        """The agent comes round: what is over now is over for good."""
        self.site.beat()
        self.service.step()
        self.held = {token: held for token, held in self.held.items() if held.is_good(self.now)}

    # ---- the web processes ----

    def send(
        self, web: int, method: str, path: str, token: str = "", *, cookie: bool = False, **more: Any
    ) -> TestResponse:
        headers = {"Cookie": f"botd={token}"} if cookie else {"Authorization": f"Bearer {token}"}
        return (
            self.apps[web]
            .test_client(use_cookies=False)
            .open(path, method=method, headers=headers if token else {}, **more)
        )

    def ask(
        self, *sent: Callable[[], TestResponse], meanwhile: Callable[[], object] = lambda: None
    ) -> list[TestResponse]:
        """The answers to requests that wait for the agent together; something else happens before it looks."""
        futures = [self._pool.submit(each) for each in sent]
        while not all(future.done() for future in futures):
            waiting = len(self.site.store.asks.waiting(self.now))
            if waiting and waiting >= sum(not future.done() for future in futures):
                meanwhile()
                meanwhile = lambda: None  # noqa: E731
                self.service.step()
            time.sleep(0.0005)
        return [future.result() for future in futures]

    def good(self, token: str) -> Held | None:
        return self.held.get(token)

    def use(self, token: str) -> None:
        """The agent was shown it."""
        held = self.held[token]
        if self.now - held.used >= timedelta(seconds=60):
            held.used = self.now

    def rights(self, login: str) -> set[str]:
        roles = {*self.people[login].roles, *(["auditor"] if login == "bea" and self.file == 0 else [])}
        return {right for role in roles for right in FILES[self.file][role]}

    # ---- people come in ----

    def expected(self, login: str, right: bool, step: int | None) -> int:
        """The status of a login by what is known, which it changes."""
        known = self.people[login]
        if known.shut_out(self.now):
            return 423
        if right and step is not None and abs(step - step_at(self.now)) <= 1 and not known.is_locked:
            if step <= known.highest:
                return 401  # used already, which is no failure
            known.highest, known.failures, known.until = step, 0, NEVER
            self.rows["login"] += 1
            return 201
        known.fail(self.now)
        self.rows["login-failed"] += 1
        self.rows["locked-out"] += known.failures >= 5
        return 401

    @rule(
        target=tokens,
        login=st.sampled_from(NAMES),
        right=st.sampled_from([True, True, True, False]),
        step=st.sampled_from([0, 0, 0, 1, 1, -1, 2, -2, None]),
        webs=st.sampled_from([(0,), (1,), (0, 1), (0, 0)]),
        meanwhile=st.sampled_from([None, None, None, None, "lock"]),
    )
    def log_in(self, login: str, right: bool, step: int | None, webs: Sequence[int], meanwhile: str | None) -> object:
        """The same name, password and code at one web, or at both at once."""
        code = self.hall.wrong_code(login) if step is None else self.hall.code(login, step)
        body = {"login": login, "password": PASSWORD if right else "wrong horse", "code": code}
        sent = [lambda web=web: self.send(web, "POST", "/api/v2/login", json=body) for web in webs]
        answers = self.ask(*sent, meanwhile=lambda: self.lock(login, True) if meanwhile else None)
        number = None if step is None else step_at(self.now) + step
        expected = sorted(self.expected(login, right, number) for _ in webs)
        assert sorted(each.status_code for each in answers) == expected, [each.text for each in answers]
        made = [each.json["token"] for each in answers if each.status_code == 201]
        for token in made:
            self.hold(token, login, "session", "ask", LONGEST)
        return multiple(*made)

    @rule(login=st.sampled_from(NAMES), tries=st.integers(3, 7))
    def guess(self, login: str, tries: int) -> None:
        """Wrong codes, until they lock and beyond, at one web and the other in turn."""
        body = {"login": login, "password": PASSWORD, "code": self.hall.wrong_code(login)}
        for number in range(tries):
            (answer,) = self.ask(lambda web=number % 2: self.send(web, "POST", "/api/v2/login", json=body))
            assert answer.status_code == self.expected(login, True, None), answer.text

    def hold(self, token: str, login: str, kind: str, scope: str, good_for: timedelta) -> None:
        """It is known at both webs at once, and its number was nobody's before."""
        self.held[token] = Held(kind, 0, login, scope, self.now, self.now + good_for, self.now)
        for web in (0, 1):
            me = self.send(web, "GET", "/api/v2/me", token).json["me"]
            assert (me["login"], me["kind"], me["scope"]) == (login, kind, scope)
            self.held[token].id = me["id"]
        known = self.people[login]
        taken = {each for person in self.people.values() for each in person.ids}
        assert (kind, me["id"]) not in taken, "the number of one that is over was given to another"
        known.ids.add((kind, me["id"]))

    @rule(
        target=tokens,
        by=tokens,
        web=st.sampled_from([0, 1]),
        scope=st.sampled_from(["read", "ask"]),
        hours=st.sampled_from([0.25, 1, 12, 12.01]),
        meanwhile=st.sampled_from([None, None, None, "lock"]),
    )
    def make_token(self, by: str, web: int, scope: str, hours: float, meanwhile: str | None) -> object:
        held, body = self.good(by), {"name": "cron", "scope": scope, "hours": hours}
        lock = (lambda: self.lock(held.login, True)) if held and meanwhile else lambda: None
        (answer,) = self.ask(lambda: self.send(web, "POST", "/api/v2/tokens", by, json=body), meanwhile=lock)
        if held is None:
            assert answer.status_code == 401
            return multiple()
        if hours > 12:
            assert answer.status_code == 400
            return multiple()
        if self.good(by) is None:  # locked meanwhile
            assert answer.status_code == 401
            return multiple()
        self.use(by)
        if held.kind == "token":
            assert answer.status_code == 403
            return multiple()
        assert answer.status_code == 201, answer.text
        token: str = answer.json["token"]
        self.rows["token-made"] += 1
        self.hold(token, held.login, "token", scope, timedelta(hours=hours))
        return token

    # ---- and go ----

    @rule(token=tokens, webs=st.sampled_from([(0,), (1,), (0, 1)]))
    def log_out(self, token: str, webs: Sequence[int]) -> None:
        answers = self.ask(*(lambda web=web: self.send(web, "DELETE", "/api/v2/login", token) for web in webs))
        held = self.held.pop(token, None)
        expected = [204, *[401] * (len(webs) - 1)] if held else [401] * len(webs)
        assert sorted(each.status_code for each in answers) == expected
        if held:
            self.rows["logout" if held.kind == "session" else "token-revoked"] += 1

    @rule(by=tokens, ended=tokens, web=st.sampled_from([0, 1]))
    def end_token(self, by: str, ended: str, web: int) -> None:
        held, theirs = self.good(by), self.good(ended)
        number = theirs.id if theirs and theirs.kind == "token" else 999
        (answer,) = self.ask(lambda: self.send(web, "DELETE", f"/api/v2/tokens/{number}", by))
        if held is None:
            assert answer.status_code == 401
            return
        self.use(by)
        is_own = number != 999 and theirs is not None and theirs.login == held.login
        may = held.scope == "ask" and (is_own or "people" in self.rights(held.login))
        assert answer.status_code == (204 if may else 403), answer.text
        if may and number != 999:
            del self.held[ended]
            self.rows["token-revoked"] += 1

    # ---- botd user, the roles file, the agent, the clock ----

    @rule(login=st.sampled_from(NAMES))
    def lock_and_unlock(self, login: str) -> None:
        """What was held is over for good, though the agent does not come round in between."""
        self.lock(login, True)
        self.lock(login, False)

    @rule(login=st.sampled_from(NAMES), lock=st.booleans())
    def lock(self, login: str, lock: bool) -> None:
        known = self.people[login]
        if lock:
            self.hall.register.lock(login, "phone lost", "test")
            self.held = {token: held for token, held in self.held.items() if held.login != login}
            known.is_locked = True
        else:
            self.hall.register.unlock(login, "test")
            known.is_locked, known.failures, known.until = False, 0, NEVER

    @rule(login=st.sampled_from(NAMES), roles=st.sampled_from([(), ("admin",), ("auditor",), ("admin", "auditor")]))
    def set_roles(self, login: str, roles: tuple[str, ...]) -> None:
        self.hall.register.set_roles(login, roles, "test")
        self.people[login].roles = roles

    @rule()
    def write_roles_file(self) -> None:
        """Who is logged in has other rights from then on."""
        self.put_roles(1 - self.file)
        self.beat()
        for token in list(self.held):
            self.look_at_oneself(token, 0, cookie=False)

    @rule()
    def rotate_keys(self) -> None:
        self.hall.ledger.rotate("test", self.now)

    @rule(seconds=st.sampled_from(EDGES))
    def wait(self, seconds: int) -> None:
        self.hall.now = self.site.now = self.now + timedelta(seconds=seconds)

    @rule(seconds=st.sampled_from((1800, 1799, 36_000, 0, 61, -3600)))
    def agent_is_away(self, seconds: int) -> None:
        """The webs know by themselves what is over, nobody comes in, and the agent finds all as it was."""
        self.beat()
        self.ledger.close()
        self.wait(seconds)
        for web in (0, 1):
            for token, held in self.held.items():
                if not held.is_good(self.now) and self.now >= held.made:
                    assert self.send(web, "GET", READ, token).status_code == 401
            if seconds > 10:
                body = {"login": "anna", "password": PASSWORD, "code": self.hall.code("anna")}
                assert self.send(web, "POST", "/api/v2/login", json=body).status_code == 503
        self.start_agent()

    # ---- what holds after each of these, as soon as the agent has come round ----

    @rule(token=tokens, web=st.sampled_from([0, 1]), cookie=st.booleans())
    def look_at_oneself(self, token: str, web: int, cookie: bool) -> None:
        """This is a use, and is told to the agent once in a minute."""
        self.beat()
        answer = self.send(web, "GET", "/api/v2/me", token, cookie=cookie)
        held = self.good(token)
        assert answer.status_code == (200 if held else 401)
        if held:
            assert answer.json["me"]["login"] == held.login
            assert set(answer.json["rights"]) == self.rights(held.login)
            if self.now - held.used > timedelta(seconds=60):
                held.used = self.now
            audit = self.send(web, "GET", "/api/v2/audit", token, cookie=cookie)
            assert audit.status_code == (200 if "audit" in self.rights(held.login) else 403)

    @rule(
        token=tokens, web=st.sampled_from([0, 1]), path=st.sampled_from(["/", "/metrics", "/api/v1/table", "/nothing"])
    )
    def look_elsewhere_by_nobody(self, token: str, web: int, path: str) -> None:
        """Every path is shut, whatever was answered there to somebody else."""
        wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
        for shown in ("", wrong):
            assert self.send(web, "GET", path, shown).status_code == 401

    @invariant()
    def who_is_logged_in_reads_and_nobody_else(self) -> None:
        self.beat()
        self.ever |= dict.fromkeys(self.held)
        for web in (0, 1):
            assert self.send(web, "GET", READ).status_code == 401
            for number, token in enumerate(self.ever):
                answer = self.send(web, "GET", READ, token, cookie=bool(number % 2))
                assert answer.status_code == (200 if self.good(token) else 401), (self.held.get(token), answer.text)


Webs.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=40)
TestWebs = Webs.TestCase
