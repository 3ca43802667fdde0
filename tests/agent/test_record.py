"""The agent and its ledger: whether anything may act is told, and nothing of it keeps the agent from reading nodes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from botd.agent.record import Record
from botd.ledger import Ledger
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


def test_an_agent_whose_ledger_has_no_place_sweeps_all_the_same(tmp_path: Path, run_agent) -> None:
    need_program("fping")
    (tmp_path / "ledger").write_text("in the way")
    lone = Lone(tmp_path, interval=0.5)
    run_agent(lone)
    wait_until(lambda: lone.store.sweeps.figures().by_state.get("done"))
    assert not lone.store.copies.get("ledger", "state")["usable"]
