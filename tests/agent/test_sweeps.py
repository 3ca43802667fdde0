"""Sweeps of the agent, and beside each other: what a client is told of each."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from botd.agent.sweeps import Sweeps
from botd.app import create_app
from botd.config import load_config
from botd.model import Reading, State, Sweep, SweepState, utc_now
from botd.store.schema import sweeps
from botd.sweep import Plan
from tests.agent.conftest import Lone
from tests.program import wait_until


def test_a_sweep_whose_nodes_cannot_be_read_ends_as_cut_and_the_agent_goes_on(lone: Lone, run_agent) -> None:
    lone.store.create()
    sweep = lone.store.sweeps.request(["n1"], ["ping"], 0, utc_now(), queue_limit=9)
    with lone.store._db.write() as db:
        db.execute(sa.update(sweeps).values(nodes="n[1-"))
    run_agent(lone)
    wait_until(lambda: lone.store.sweeps.get(sweep).state is SweepState.CUT)
    [error] = lone.store.sweeps.get(sweep).errors
    assert error.startswith("its nodes cannot be read: ")
    body = create_app(lone.config).test_client().get("/api/v1/status?nodes=n1&checks=ping&max_age=0").get_json()
    assert body["complete"] is True


def test_no_row_has_a_node_asked_again_that_has_only_just_answered(lone: Lone, run_agent) -> None:
    lone.path.write_text(lone.path.read_text().replace("least_age = 0", "least_age = 600"))
    lone.config = load_config(str(lone.path))
    run_agent(lone)
    read = []
    for max_age_s in (0, 0.5, 5, 0):
        sweep = lone.store.sweeps.request(["n1"], ["ping"], max_age_s, utc_now(), queue_limit=9)
        wait_until(lambda sweep=sweep: lone.store.sweeps.get(sweep).state is SweepState.DONE)
        read.append(lone.store.readings.since(0)["n1"]["ping"]["at"])
    assert len(set(read)) == 1


def forge(lone: Lone, **values: Any) -> int:
    """A sweep that waits, whose row somebody has changed."""
    sweep = lone.store.sweeps.request(["n1", "n2"], ["ping"], 0, utc_now(), queue_limit=9)
    with lone.store._db.write() as db:
        db.execute(sa.update(sweeps).where(sweeps.c.id == sweep).values(**values))
    return sweep


def ended(lone: Lone, sweep: int) -> Sweep:
    wait_until(lambda: lone.store.sweeps.get(sweep).is_over and lone.store.sweeps.get(sweep).ended_at)
    return lone.store.sweeps.get(sweep)


def test_only_nodes_and_checks_of_this_site_are_asked_whatever_the_database_says(
    lone: Lone, run_agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []

    def note(plan: Plan, *_: object, **__: object) -> list[str]:
        plans.append(plan)
        return []

    monkeypatch.setattr("botd.agent.sweeps.run_sweep", note)
    run_agent(lone)
    found = ended(lone, forge(lone, nodes="127.0.9.77,evil.example,n1", checks="ping,pong", total=3))
    assert [(plan.nodes, list(plan.checks)) for plan in plans] == [(("n1",), ["ping"])]
    assert found.state is SweepState.DONE
    assert [error.partition(": ")[2] for error in found.errors] == ["127.0.9.77, evil.example", "pong"]


def test_who_asked_for_a_node_that_is_gone_meanwhile_is_told_so(lone: Lone, run_agent) -> None:
    run_agent(lone)
    (lone.path.parent / "groups" / "others").write_text("n4\n")
    client = create_app(lone.config).test_client()
    client.get("/api/v1/status?groups=all&checks=ping")  # by the list of before
    agent_has = lone.store.sweeps.request(["n4", "n5"], ["ping"], 0, utc_now(), queue_limit=9)
    assert ended(lone, agent_has).errors == ()
    client.get("/api/v1/sinfo?max_age=0")  # the agent reads its list anew
    late = ended(lone, lone.store.sweeps.request(["n4", "n5"], ["ping"], 0, utc_now(), queue_limit=9))
    assert late.errors == ("not asked, because this site has no such node: n5",)


def test_a_sweep_of_more_nodes_than_a_request_may_name_ends_as_cut(lone: Lone, run_agent) -> None:
    run_agent(lone)
    found = ended(lone, forge(lone, nodes=f"n[1-{lone.config.server.max_nodes + 1}]"))
    assert found.state is SweepState.CUT
    assert "spans more than" in found.errors[0]


BAD_ROWS: tuple[dict[str, Any], ...] = (
    {"done": -1},
    {"total": -7},
    {"state": "dreaming"},
    {"state": "running"},
    {"errors": "[1, 2"},
    {"errors": '{"a": 1}'},
    {"requested_at": 1e300},
    {"requested_at": "noon"},
    {"started_at": 1e300},
    {"max_age_s": 1e300},
    {"max_age_s": -1.0},
    {"nodes": b"\xff"},
    {"nodes": "n[1-"},
    {"nodes": "x" * 2_000_000},
)


@pytest.mark.parametrize("values", BAD_ROWS, ids=lambda values: str(values)[:30])
def test_a_sweep_whose_row_cannot_be_is_over_for_everybody_and_harms_nobody(
    lone: Lone, run_agent, values: dict[str, Any]
) -> None:
    lone.store.create()
    sweep = lone.store.sweeps.request(["n1", "n2"], ["ping"], 0, utc_now(), queue_limit=9)
    with lone.store._db.write() as db:
        for name, value in values.items():
            db.exec_driver_sql(f"UPDATE sweeps SET {name} = ?", (value,))
    run_agent(lone)
    client = create_app(lone.config).test_client()
    wait_until(lambda: lone.store.sweeps.get(sweep).is_over)
    for path in ("", "/events"):
        assert client.get(f"/api/v1/sweeps/{sweep}{path}").status_code == 200
    for path in ("/", "/nodes", "/healthz", "/metrics", "/api/v1/table?groups=all"):
        assert client.get(path).status_code == 200, path
    assert client.get("/api/v1/status?nodes=n1,n2&checks=ping&max_age=0").get_json()["complete"] is True


def test_who_asks_for_now_while_an_earlier_sweep_runs_keeps_the_readings_of_now(
    lone: Lone, run_agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, later_is_over = threading.Event(), threading.Event()

    def answered(plan: Any, probers: Any, emit: Any, *, deadline_s: float, clock: Any) -> list[str]:
        value = 2.0 if plan.fresh else 1.0
        if not plan.fresh:
            asked.set()
            later_is_over.wait(60)
        for node in plan.nodes:
            emit(node, {"ping": Reading(State.OK, value, "ms", clock())})
        return []

    monkeypatch.setattr("botd.agent.sweeps.run_sweep", answered)
    run_agent(lone)
    client = create_app(lone.config).test_client()
    earlier = client.get("/api/v1/status?groups=all&checks=ping&max_age=60&wait=0").get_json()["sweep"]
    asked.wait(60)
    body = client.get("/api/v1/status?groups=all&checks=ping&max_age=0").get_json()
    later_is_over.set()
    wait_until(lambda: lone.store.sweeps.get(earlier).is_over)
    after = client.get("/api/v1/status?groups=all&checks=ping&max_age=3600&wait=0").get_json()
    assert body["complete"] is True
    for answer in (body, after):
        assert {node["readings"]["ping"]["value"] for node in answer["nodes"]} == {2.0}


def test_what_other_sweeps_are_reading_is_worked_out_for_a_sweep_and_not_for_each_node(
    lone: Lone, run_agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each of 100,000 nodes it is minutes before the first one is asked."""
    looked: list[Any] = []
    covered = Sweeps._covered
    monkeypatch.setattr(Sweeps, "_covered", lambda sweeps, running: looked.append(running) or covered(sweeps, running))
    run_agent(lone)
    ended(lone, lone.store.sweeps.request(["n1", "n2", "n3", "n4", "n5"], ["ping"], 0, utc_now(), queue_limit=9))
    assert len(looked) == 2  # before it asks, and before it ends
