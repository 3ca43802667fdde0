"""Sweeps of the agent, and beside each other: what a client is told of each."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from botd.app import create_app
from botd.model import Reading, State, SweepState, utc_now
from botd.store.schema import sweeps
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


def test_who_asks_for_now_while_an_earlier_sweep_runs_keeps_the_readings_of_now(
    lone: Lone, run_agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, later_is_over = threading.Event(), threading.Event()

    def answered(plan: Any, probers: Any, emit: Any, *, deadline_s: float, clock: Any) -> list[str]:
        value = 2.0 if plan.fresh else 1.0
        if not plan.fresh:
            asked.set()
            later_is_over.wait(20)
        for node in plan.nodes:
            emit(node, {"ping": Reading(State.OK, value, "ms", clock())})
        return []

    monkeypatch.setattr("botd.agent.sweeps.run_sweep", answered)
    run_agent(lone)
    client = create_app(lone.config).test_client()
    earlier = client.get("/api/v1/status?groups=all&checks=ping&max_age=60&wait=0").get_json()["sweep"]
    asked.wait(20)
    body = client.get("/api/v1/status?groups=all&checks=ping&max_age=0").get_json()
    later_is_over.set()
    wait_until(lambda: lone.store.sweeps.get(earlier).is_over)
    after = client.get("/api/v1/status?groups=all&checks=ping&max_age=3600&wait=0").get_json()
    assert body["complete"] is True
    for answer in (body, after):
        assert {node["readings"]["ping"]["value"] for node in answer["nodes"]} == {2.0}
