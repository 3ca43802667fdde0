"""The agent and its ledger: whether anything may act is told, and nothing of it keeps the agent from reading nodes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from botd.agent.life import Due
from botd.agent.record import Record
from botd.audit import Event, canonical, checkpoint_text, lines, read_checkpoint
from botd.ledger import Ledger
from botd.model import utc_now
from tests.agent.conftest import Lone
from tests.conftest import Site, need_program
from tests.program import wait_until


@pytest.fixture
def record(site: Site) -> Record:
    return Record(Ledger(site.config), site.store, lambda: site.now)


def test_a_ledger_that_can_be_used_is_told(site: Site, record: Record) -> None:
    assert site.get("/healthz")["ledger"] is None
    record.step()
    health = site.get("/healthz")
    assert (health["ledger"], health["notes"]) == ({"usable": True, "why": None}, [])


def test_why_nothing_may_act_stands_in_log_and_health_and_reading_goes_on(
    site: Site, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    record.look()
    record.ledger.path.chmod(0o644)
    record.look()
    record.look()
    health = site.client.get("/healthz")
    why = f"the ledger {record.ledger.path} has mode 0644, so that others can read it: chmod 600 it"
    assert (health.status_code, health.get_json()["status"]) == (200, "ok")
    assert health.get_json()["ledger"] == {"usable": False, "why": why}
    assert health.get_json()["notes"] == [f"nothing may act: {why}"]
    assert [r.levelno for r in caplog.records if "nothing may act" in r.message] == [logging.ERROR]
    record.ledger.path.chmod(0o600)
    record.look()
    assert site.get("/healthz")["ledger"]["usable"]


@pytest.mark.parametrize("copy", [7, "text", {"usable": "yes", "why": None}, {"usable": True, "why": ["x"]}])
def test_what_somebody_else_has_written_in_its_place_is_not_repeated(site: Site, copy: object) -> None:
    site.store.copies.put("ledger", {"state": copy})
    assert site.get("/healthz")["ledger"] is None


@pytest.mark.parametrize("document", ["'{['", "x'ff00ff'", "'7'"])
def test_copies_that_are_damaged_keep_the_agent_from_nothing(site: Site, record: Record, document: str) -> None:
    record.look()
    note(record, "ada")
    record._sign(at_once=True)
    with site.store._db.write() as db:
        db.exec_driver_sql(f"UPDATE copies SET document = {document}")
    assert record.look().is_usable
    assert site.get("/healthz")["ledger"] == {"usable": True, "why": None}
    record._sign(at_once=True)
    assert site.store.copies.get("ledger", "head")


def test_an_agent_whose_ledger_has_no_place_sweeps_all_the_same(tmp_path: Path, run_agent) -> None:
    need_program("fping")
    (tmp_path / "ledger").write_text("in the way")
    lone = Lone(tmp_path, interval=0.5)
    run_agent(lone)
    wait_until(lambda: lone.store.sweeps.figures().by_state.get("done"))
    assert not lone.store.copies.get("ledger", "state")["usable"]


# ---- checkpoints and copies ----


def note(record: Record, *logins: str) -> None:
    with record.ledger.write() as db:
        for login in logins:
            record.ledger.chain.add(db, Event("login", login), utc_now())


def due(record: Record) -> None:
    """Makes everything due but the hourly checkpoint, and does it."""
    record._look_due, record._copy_due = Due(1), Due(1)
    record.step()


def test_the_head_goes_to_log_file_and_store_at_once_and_after_a_hundred_rows(
    site: Site, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    record.step()
    note(record, *["anna"] * 99)
    due(record)
    assert [point.size for point in lines(record.ledger.checkpoints.path.read_text())] == [1]
    note(record, "anna")
    due(record)
    points = list(lines(record.ledger.checkpoints.path.read_text()))
    assert [point.size for point in points] == [1, 101]
    assert read_checkpoint(canonical(site.store.copies.get("ledger", "head"))) == points[-1]
    assert checkpoint_text(points[-1]) in caplog.text


def test_a_place_where_no_checkpoint_can_be_written_is_told_until_it_is_mended(
    site: Site, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    place = record.ledger.checkpoints.path
    place.symlink_to("elsewhere")
    for _ in range(3):
        due(record)
    health = site.get("/healthz")["ledger"]
    assert (health["usable"], "[ledger] checkpoints" in health["why"]) == (False, True)
    assert len([each for each in caplog.records if "nothing may act" in each.message]) == 1
    place.unlink()
    due(record)
    assert site.get("/healthz")["ledger"] == {"usable": True, "why": None}
    assert [point.size for point in lines(place.read_text())] == [1]


@pytest.mark.parametrize(
    "damage", ["document = '{['", "document = '[7]'", "document = x'7b7d'", "hash = x'00'", "document = x'ff'"]
)
def test_a_damaged_row_of_the_audit_is_told_and_keeps_the_agent_from_nothing(
    site: Site, record: Record, damage: str
) -> None:
    record.look()
    note(record, "anna", "kmf")
    with record.ledger.write() as db:
        db.exec_driver_sql(f"UPDATE audit SET {damage} WHERE number = 2")
    due(record)
    why = site.get("/healthz")["ledger"]["why"]
    assert "the ledger is damaged (row 2 of the audit cannot be read)" in why


def test_an_hour_later_the_head_is_signed_whatever_happened(record: Record) -> None:
    record.step()
    record._sign_due = Due(1)  # as after an hour
    due(record)
    assert [point.size for point in lines(record.ledger.checkpoints.path.read_text())] == [1, 1]


def test_a_ledger_that_was_restored_is_not_signed(record: Record) -> None:
    record.look()
    with record.ledger.write() as db:
        record.ledger._meta.set(db, "off", "restored")
    record._sign_due = Due(1)
    due(record)
    assert not record.ledger.checkpoints.path.exists()


def test_the_store_has_a_copy_of_each_row_whatever_somebody_has_written_there(site: Site, record: Record) -> None:
    site.store.copies.put("audit", {"999999999999": {"number": 999999999999}, "000000000001": {"number": 7}})
    record.step()
    note(record, "anna")
    due(record)
    assert [row["number"] for row in site.store.copies.all("audit").values()] == [1, 2]
    assert site.store.copies.get("audit", "000000000002")["by"] == "anna"


def test_the_store_keeps_only_so_many_rows(site: Site, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.agent.record.KEPT_ROWS", 3)
    record.step()
    note(record, *"abcdef")
    due(record)
    assert [row["number"] for row in site.store.copies.all("audit").values()] == [5, 6, 7]


def test_a_store_that_was_lost_is_told_all_of_it_again(site: Site, record: Record) -> None:
    record.step()
    site.store.copies.clear("audit")
    record.begin_anew()
    due(record)
    assert [row["number"] for row in site.store.copies.all("audit").values()] == [1]


def test_a_copy_of_the_audit_that_is_damaged_is_written_anew(site: Site, record: Record) -> None:
    record.step()
    note(record, "anna")
    due(record)
    with site.store._db.write() as db:
        db.exec_driver_sql("UPDATE copies SET document = '{[' WHERE kind = 'audit' AND key = '000000000001'")
    record._mend_due = Due(1)  # as after a minute
    due(record)
    assert [row["number"] for row in site.store.copies.all("audit").values()] == [1, 2]


def test_what_the_store_says_of_the_head_is_heard_where_it_is_signed(site: Site, record: Record) -> None:
    record.step()
    head = site.store.copies.get("ledger", "head")
    for forged in ("x", {**head, "size": 9000}, {**head, "size": float("inf")}):
        site.store.copies.put("ledger", {"head": forged})
        assert record.look().is_usable


def test_the_head_is_signed_at_the_end(record: Record) -> None:
    record.step()
    note(record, "anna")
    record.close()
    assert [point.size for point in lines(record.ledger.checkpoints.path.read_text())] == [1, 2]
