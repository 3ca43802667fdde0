"""In which order the desk answers: whoever stops something waits behind nobody who asks for something."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from nacl.public import PublicKey, SealedBox

from botd.access.letters import Letter, write_letter
from botd.access.roles import parse_roles
from botd.access.tokens import new_token
from botd.agent.people.desk import PRESSES_AT_ONCE, TAKES_LONG, Desk
from botd.agent.people.roles_file import RolesState
from botd.ledger.keys import new_keys
from tests.conftest import Site
from tests.office import ROLES, Crew
from tests.program import wait_until


@dataclass
class Front:
    """A desk with what it has heard. A press takes until `go_on`; `meanwhile` is called while somebody logs in."""

    site: Site
    heard: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    meanwhile: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        keys, crew, self.token = new_keys(), Crew(self.site.now), new_token()
        crew.log_in("kmf", "fmk", "111111", token=self.token, address="")
        self._log_in = crew.log_in
        crew.log_in = self._logged_in  # type: ignore[method-assign]
        roles = RolesState(parse_roles(ROLES), ROLES, "digest")
        clock = lambda: self.site.now  # noqa: E731
        self.desk = Desk(self.site.store, keys.open, crew, lambda: roles, clock, counter=self._count)
        self._box = SealedBox(PublicKey(bytes.fromhex(str(keys.public))))

    def _logged_in(self, *args: Any, **more: Any) -> Any:
        self.heard.append("login")
        self.meanwhile()
        return self._log_in(*args, **more)

    def _count(self, letter: Letter, _: object) -> dict[str, Any]:
        self.heard.append(letter.kind)
        if letter.kind in TAKES_LONG:
            self.go_on.wait(60)
        return {}

    def ask(self, kind: str, nonce: str) -> None:
        letter = Letter(kind, nonce, self.site.now.timestamp(), self.token, "127.0.0.1")
        self.site.store.asks.put(nonce, kind, self._box.encrypt(write_letter(letter)), self.site.now)


@pytest.fixture
def front(site: Site) -> Iterator[Front]:
    made = Front(site)
    yield made
    made.go_on.set()


def test_a_stop_is_heard_while_presses_and_logins_wait(front: Front) -> None:
    for number in range(2 * PRESSES_AT_ONCE):
        front.ask("act", f"act-{number}")
    front.desk.answer()
    wait_until(lambda: front.heard.count("act") == PRESSES_AT_ONCE)
    front.ask("login", "login-1")
    for kind in ("halt", "stop", "veto"):
        front.ask(kind, kind)
    front.desk.answer()
    assert front.heard[PRESSES_AT_ONCE:] == ["halt", "stop", "veto", "login"]
    answers = front.site.store.asks
    assert all(answers.answer_to(kind) == {"ok": True} for kind in ("halt", "stop", "veto"))
    assert answers.answer_to("act-0") is None
    front.go_on.set()
    wait_until(lambda: front.heard.count("act") == 2 * PRESSES_AT_ONCE)


def test_a_stop_that_comes_while_somebody_logs_in_is_next(front: Front) -> None:
    front.meanwhile = lambda: front.heard == ["login"] and front.ask("stop", "stop")
    for number in range(3):
        front.ask("login", f"login-{number}")
    assert front.desk.answer() == 4
    assert front.heard == ["login", "stop", "login", "login"]
