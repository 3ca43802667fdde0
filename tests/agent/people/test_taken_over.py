"""A web process that was taken over, with full write access to the shared store: it tries all, and gains reading.

The agent is a real one, with its ledger, desk and record; what the thief does he does with a store of his own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nacl.public import PublicKey, SealedBox
from nacl.signing import SigningKey
from werkzeug.test import TestResponse

from botd.access.letters import Letter, write_letter
from botd.access.tokens import new_token, token_hash
from botd.agent.life import Due
from botd.agent.node_list import NodeList
from botd.agent.people.logins import Logins
from botd.agent.people.service import Service
from botd.agent.record import Record
from botd.audit import make_checkpoint
from botd.documents import iso
from botd.ledger import Ledger
from botd.store import Store
from tests.agent.people.parts import PASSWORD, Hall
from tests.conftest import Site
from tests.office import ROLES

FORGED = ROLES.replace('"kmf"', '"anna"')


@dataclass
class House:
    """An agent at work in steps, what it has told, and a store in the hands of a thief."""

    site: Site
    people: Hall
    service: Service
    record: Record
    thief: Store

    def step(self) -> None:
        """Some seconds of the agent."""
        self.service._tell_due = Due(1)
        self.record._look_due, self.record._copy_due, self.record._mend_due = Due(1), Due(1), Due(1)
        for _ in range(2):
            self.service.step()
            self.record.step()

    def told(self) -> dict[str, dict[str, object]]:
        return {kind: self.thief.copies.all(kind) for kind in ("session", "person", "roles", "audit", "ledger")}

    def letter(
        self, kind: str, token: str, nonce: str = "n", *, age_s: float = 0, says: dict[str, object] | None = None
    ) -> bytes:
        """A letter as any web process seals it."""
        key = PublicKey(bytes.fromhex((self.site.folder / "ledger-seal.pub").read_text().strip()))
        at = self.site.now.timestamp() - age_s
        return SealedBox(key).encrypt(write_letter(Letter(kind, nonce, at, token, "", says or {})))

    def put(self, nonce: str, kind: str, sealed: bytes) -> dict[str, object]:
        """What the agent answers to an ask that the thief has put there."""
        self.thief.asks.put(nonce, kind, sealed, self.site.now)
        self.step()
        answer: dict[str, object] = self.thief.asks.answer_to(nonce)
        return answer

    def get(self, path: str, token: str) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return self.site.client.get(path, headers=headers)


@pytest.fixture
def house(make_site: Callable[..., Site], tmp_path: Path) -> Iterator[House]:
    (tmp_path / "roles.toml").write_text(ROLES)
    (tmp_path / "roles.toml").chmod(0o644)
    site = make_site({"access": {"roles_file": "roles.toml"}})
    site.beat()
    ledger = Ledger(site.config)
    ledger.open(site.now)
    people = Hall(ledger, site.now)
    people.person("anna")
    logins: Logins = people.logins
    service = Service(
        site.config, site.store, ledger, logins, NodeList(site.config, site.store, lambda: site.now), lambda: site.now
    )
    made = House(site, people, service, Record(ledger, site.store, lambda: site.now), Store(site.config))
    made.step()
    yield made
    made.thief.close()
    ledger.close()


def holder(house: House, login: str) -> dict[str, object]:
    at, until = iso(house.site.now), "2099-01-01T00:00:00.000Z"
    whose = {"id": 1, "kind": "session", "login": login, "name": "", "scope": "ask", "address": ""}
    return {**whose, "made_at": at, "used_at": at, "until": until, "groups": ["wheel"], "roles": ["admin"]}


def test_a_forged_session_reads_until_the_agent_looks_and_asks_for_nothing(house: House) -> None:
    token, before, rows = new_token(), house.told(), house.people.rows()
    house.thief.copies.put("session", {token_hash(token): holder(house, "kmf")})
    assert house.get("/api/v2/audit", token).status_code == 200  # reading is what it gains
    for number, (kind, says) in enumerate(
        [
            ("token", {"name": "x", "scope": "ask", "token": new_token(), "hours": 8}),
            ("end", {"kind": "session", "id": 1}),
            ("used", {}),
            ("logout", {}),
        ]
    ):
        answer = house.put(f"n{number}", kind, house.letter(kind, token, f"n{number}", says=says))
        assert (answer["ok"], answer["code"]) == (False, "login-required")
    assert house.get("/api/v2/audit", token).status_code == 401
    assert (house.people.logins.holders(), house.people.rows(), house.told()) == ({}, rows, before)


def test_forged_roles_give_no_right_at_the_agent(house: House) -> None:
    token = house.people.log_in("anna", PASSWORD, house.people.code("anna", 1))
    other = house.people.give_token("anna")
    house.people.person("kmf")
    theirs = house.people.log_in("kmf", PASSWORD, house.people.code("kmf", 1))
    house.step()
    before = house.told()
    forged = {"text": FORGED, "digest": "", "fault": "", "faults": {}}
    house.thief.copies.put("roles", {"file": forged})
    house.thief.copies.put("session", {token_hash(token): {**holder(house, "anna"), "roles": ["admin", "mallory"]}})
    house.thief.copies.put("person", {"mallory": {"groups": [], "roles": ["admin"]}})
    assert "people" in house.get("/api/v2/me", token).get_json()["rights"]
    (wanted,) = house.people.held_by("kmf")
    answer = house.put("n", "end", house.letter("end", token, says={"kind": "session", "id": wanted.id}))
    assert (answer["ok"], answer["code"]) == (False, "not-allowed")
    assert all(map(house.people.logins.find, (token, other, theirs)))
    assert house.get("/api/v2/me", token).get_json()["rights"] == []
    after = house.told()
    assert {kind: after[kind] for kind in ("person", "roles")} == {kind: before[kind] for kind in ("person", "roles")}


def test_a_letter_that_was_seen_serves_once_and_as_what_it_was(house: House) -> None:
    says = {"login": "anna", "password": PASSWORD, "code": house.people.code("anna", 1)}
    mine, sealed = new_token(), house.letter("login", new_token(), "real", says=says)
    for nonce, kind in (("other", "login"), ("real", "token"), ("x" * 200, "login")):
        assert house.put(nonce, kind, sealed)["ok"] is False
        with house.thief._db.write() as db:
            db.exec_driver_sql("DELETE FROM asks")
    old = house.letter("login", mine, "old", age_s=61, says=says)
    assert house.put("old", "login", old)["ok"] is False
    assert house.people.logins.holders() == {}
    assert house.put("real", "login", sealed)["ok"] is True
    with house.thief._db.write() as db:  # the nonce is free again in the store, and the code is used in the ledger
        db.exec_driver_sql("DELETE FROM asks")
    assert house.put("real", "login", sealed)["ok"] is False
    assert len(house.people.logins.holders()) == 1
    assert house.people.logins.find(mine) is None


def test_forged_answers_and_nonces_change_nothing_of_the_ledger(house: House) -> None:
    rows = house.people.rows()
    with house.thief._db.write() as db:
        for nonce, sealed in (("a", b""), ("b", b"junk"), ("c", b"\xff" * 9000)):
            values = (nonce, "login", sealed, house.site.now.timestamp(), json.dumps({"ok": True, "id": 1}), None)
            db.exec_driver_sql(
                "INSERT INTO asks (nonce, kind, sealed, created_at, answer, answered_at) VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
    house.step()
    assert house.thief.asks.waiting(house.site.now) == []
    assert all(house.thief.asks.answer_to(nonce)["ok"] is False for nonce in "abc")
    assert (house.people.logins.holders(), house.people.rows()) == ({}, rows)


def test_forged_copies_of_the_record_are_put_right_and_the_chain_is_whole(house: House) -> None:
    before, key = house.told(), SigningKey.generate()
    (first, *_), (last,) = before["audit"], list(before["audit"])[-1:]
    row = house.thief.copies.get("audit", last)
    house.thief.copies.put("audit", {last: {**row, "by": "mallory"}, "000000000900": {**row, "number": 900}})
    house.thief.copies.drop("audit", first)
    head = make_checkpoint(900, "0" * 64, house.site.now, key)._asdict()
    house.thief.copies.put("ledger", {"head": head, "state": {"usable": False, "why": "mallory says so"}})
    house.step()
    assert house.told() == before
    assert house.people.verdict().broken_at is None


DEEP = "[" * 100_000
"""JSON that no reader follows to its end."""


def test_no_copy_that_is_put_there_keeps_people_from_logging_in(house: House) -> None:
    before = house.told()
    rows = [("session", f"{number:064d}", "{}") for number in range(300_000)]
    rows += [(kind, "deep", DEEP) for kind in ("session", "roles", "person", "audit")]
    with house.thief._db.write() as db:
        db.exec_driver_sql("INSERT INTO copies VALUES (?, ?, ?)", rows)
    says = {"login": "anna", "password": PASSWORD, "code": house.people.code("anna", 1)}
    assert house.put("n", "login", house.letter("login", new_token(), says=says))["ok"] is True
    house.step()
    after = house.told()
    assert len(after["session"]) == 1
    assert {kind: after[kind] for kind in ("person", "roles")} == {kind: before[kind] for kind in ("person", "roles")}


@pytest.mark.parametrize("name", ["login", "password", "code"])
def test_half_a_surrogate_is_no_text_and_no_damage_of_the_ledger(house: House, name: str) -> None:
    says = {"login": "anna", "password": PASSWORD, "code": house.people.code("anna", 1), name: "\ud800"}
    answer = house.put("n", "login", house.letter("login", new_token(), says=says))
    assert (answer["ok"], answer["code"]) == (False, "bad-request")
