"""The desk as the agent keeps it open: the roles file as it is now, and copies that nobody forges for long."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from botd.agent.node_list import NodeList
from botd.agent.people.holders import Holder
from botd.agent.people.service import DESK_FAULT, Service
from botd.errors import LedgerUnavailable
from botd.ledger import Ledger
from botd.ledger.chain import read_chain
from tests.conftest import Site
from tests.office import ROLES, Crew
from tests.program import wait_until


@pytest.fixture
def site(make_site: Callable[..., Site], tmp_path: Path) -> Site:
    (tmp_path / "roles.toml").write_text(ROLES)
    (tmp_path / "roles.toml").chmod(0o644)
    return make_site({"access": {"roles_file": "roles.toml"}})


def service_of(site: Site) -> Service:
    ledger = Ledger(site.config)
    nodes = NodeList(site.config, site.store, lambda: site.now)
    return Service(site.config, site.store, ledger, Crew(site.now), nodes, lambda: site.now)


def test_the_roles_are_told_and_told_anew_when_the_file_is_another(site: Site) -> None:
    service = service_of(site)
    service.step()
    assert site.store.copies.get("roles", "file")["text"] == ROLES
    (site.folder / "roles.toml").write_text(ROLES.replace("student", "pupil"))
    site.store.asks.put("n", "login", b"junk", site.now)
    service.step()
    assert "pupil" in site.store.copies.get("roles", "file")["text"]
    (site.folder / "roles.toml").write_text("[")
    site.store.asks.put("m", "login", b"junk", site.now)
    service.step()
    told = site.store.copies.get("roles", "file")
    assert ("pupil" in told["text"], "it is not TOML" in told["fault"]) == (True, True)


def test_without_a_ledger_an_ask_is_refused_in_words_and_not_left_lying(site: Site) -> None:
    (site.folder / "ledger").write_text("no directory")
    service = service_of(site)
    site.store.asks.put("n", "login", b"junk", site.now)
    service.step()
    assert site.store.asks.answer_to("n")["code"] == LedgerUnavailable.code


def test_a_ledger_that_cannot_be_used_is_told_once_and_that_it_can_again_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("botd.agent.people.service.TELL_S", 0.3)  # several of its looks, and more between them
    monkeypatch.setattr("botd.agent.people.service.POLL_S", 0.01)
    service, stop, looks, wrong = service_of(site), threading.Event(), list[bool](), ["the disk is full"]
    look = service.step

    def step() -> bool:
        looks.append(True)
        return look()

    def holders(crew: Crew) -> dict[str, Holder]:
        if wrong:
            raise LedgerUnavailable(wrong[0])
        return {}

    monkeypatch.setattr(service, "step", step)
    monkeypatch.setattr(Crew, "holders", holders)
    caplog.set_level(logging.INFO, logger="botd.agent.people.service")
    desk = threading.Thread(target=service.run, args=(stop,))
    desk.start()
    try:
        wait_until(lambda: len(looks) > 200, 60)
        assert told(caplog) == [f"{DESK_FAULT} error=the disk is full"]
        wrong.clear()
        wait_until(lambda: len(told(caplog)) > 1, 60)
    finally:
        stop.set()
        desk.join(60)
    assert told(caplog)[1:] == [f"over: {DESK_FAULT} error=the disk is full"]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if DESK_FAULT in record.getMessage()]


def test_what_others_put_among_the_copies_goes(site: Site) -> None:
    service = service_of(site)
    site.store.copies.put("session", {"f" * 64: {"login": "kmf"}})
    service.step()
    assert site.store.copies.all("session") == {}


@pytest.mark.parametrize("kind", ["roles", "session"])
def test_copies_that_are_damaged_are_told_anew(site: Site, kind: str) -> None:
    service_of(site).step()
    with site.store._db.write() as db:
        db.exec_driver_sql(f"INSERT OR REPLACE INTO copies VALUES ('{kind}', 'file', '{{[')")
    service_of(site).step()
    assert site.store.copies.get("roles", "file")["text"] == ROLES
    assert site.store.copies.all("session") == {}


def test_the_audit_has_each_roles_file_that_counted_by_its_hash_and_no_broken_one(site: Site) -> None:
    service = service_of(site)
    texts = [ROLES, "[", ROLES, ROLES.replace("student", "pupil")]
    for text in texts:
        (site.folder / "roles.toml").write_text(text)
        site.store.asks.put(secrets.token_hex(4), "login", b"junk", site.now)
        service.step()
    service_of(site).step()  # another agent finds the same
    rows = [json.loads(row.document) for row in read_chain(service._ledger.path)]
    told = [row["detail"]["sha256"] for row in rows if row["kind"] == "roles-changed"]
    assert told == [hashlib.sha256(text.encode()).hexdigest() for text in (texts[0], texts[3])]
