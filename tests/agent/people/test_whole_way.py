"""From `botd user` to a login in the web part, through a real agent: nothing stands in for anything."""

from __future__ import annotations

from collections.abc import Callable

from botd.agent.loop import Agent
from botd.app import create_app
from botd.audit import verify
from botd.ledger import Ledger
from botd.ledger.chain import read_chain
from botd.model import utc_now
from tests.agent.conftest import Lone
from tests.agent.people.parts import PASSWORD, Hall
from tests.program import wait_until


def test_a_person_of_the_ledger_logs_in_and_is_out_when_locked(lone: Lone, run_agent: Callable[[Lone], Agent]) -> None:
    run_agent(lone)
    ledger = Ledger(lone.config)
    ledger.open(utc_now())
    here = Hall(ledger, utc_now())
    here.person("anna", "student")
    client = create_app(lone.config).test_client()
    sent = {"login": "anna", "password": PASSWORD, "code": here.code("anna", 1)}
    assert client.post("/api/v2/login", json={**sent, "password": "wrong"}).status_code == 401
    answer = client.post("/api/v2/login", json=sent)
    assert answer.status_code == 201, answer.text
    held = {"Authorization": f"Bearer {answer.get_json()['token']}"}
    me = client.get("/api/v2/me", headers=held)
    assert (me.status_code, "anna" in me.text, "student" in me.text) == (200, True, True), me.text
    again = client.post("/api/v2/login", json=sent)
    assert (again.status_code, "used already" in again.text) == (401, True)
    here.register.lock("anna", "phone lost", "kmf")
    wait_until(lambda: client.get("/api/v2/me", headers=held).status_code == 401)
    for stored in (lone.store._db.path, ledger.path):
        data = b"".join(part.read_bytes() for part in stored.parent.glob(f"{stored.name}*"))
        assert PASSWORD.encode() not in data
        assert answer.get_json()["token"].encode() not in data
    assert verify(read_chain(ledger.path)).broken_at is None
    ledger.close()
