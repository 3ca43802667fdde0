"""Sweeps of the agent, each by itself: how one ends whose row in the database cannot be read."""

from __future__ import annotations

import sqlalchemy as sa

from botd.app import create_app
from botd.model import SweepState, utc_now
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
