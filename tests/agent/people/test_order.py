"""In which order the desk answers: whoever stops something waits behind nobody who asks for something."""

from __future__ import annotations

import threading
from typing import Any

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


def test_a_stop_is_heard_while_presses_and_logins_wait(site: Site) -> None:
    keys, crew, token, go_on = new_keys(), Crew(site.now), new_token(), threading.Event()
    crew.log_in("kmf", "fmk", "111111", token=token, address="")
    heard: list[str] = []

    def counter(letter: Letter, _: object) -> dict[str, Any]:
        heard.append(letter.kind)
        if letter.kind in TAKES_LONG:
            go_on.wait(60)
        return {}

    log_in = crew.log_in
    crew.log_in = lambda *args, **more: heard.append("login") or log_in(*args, **more)  # type: ignore
    roles = RolesState(parse_roles(ROLES), ROLES, "digest")
    desk = Desk(site.store, keys.open, crew, lambda: roles, lambda: site.now, counter=counter)
    box = SealedBox(PublicKey(bytes.fromhex(str(keys.public))))

    def ask(kind: str, nonce: str) -> None:
        letter = Letter(kind, nonce, site.now.timestamp(), token, "127.0.0.1")
        site.store.asks.put(nonce, kind, box.encrypt(write_letter(letter)), site.now)

    for number in range(2 * PRESSES_AT_ONCE):
        ask("act", f"act-{number}")
    desk.answer()
    wait_until(lambda: heard.count("act") == PRESSES_AT_ONCE)
    ask("login", "login-1")
    for kind in ("halt", "stop", "veto"):
        ask(kind, kind)
    try:
        desk.answer()
        assert heard[PRESSES_AT_ONCE:] == ["halt", "stop", "veto", "login"]
        assert all(site.store.asks.answer_to(kind) == {"ok": True} for kind in ("halt", "stop", "veto"))
        assert site.store.asks.answer_to("act-0") is None
    finally:
        go_on.set()
    wait_until(lambda: heard.count("act") == 2 * PRESSES_AT_ONCE)
