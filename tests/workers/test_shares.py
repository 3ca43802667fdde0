"""The shares of a sweep."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.checks import site_checks
from botd.config import parse_config
from botd.sweep import Plan, make_plan
from botd.workers.shares import cut, slices
from tests.inventory.test_networks import networks

CHECKS = site_checks(parse_config({}))
NODES = tuple(f"n{number}" for number in range(1, 7))


def nodes_by_network(plan: Plan, found: Any) -> dict[tuple[str, str], str]:
    """Who asks each node for each check."""
    asked: list[tuple[tuple[str, str], str]] = []
    for share in cut(plan, found):
        name = share.network.name if share.network else ""
        asked += [((node, check), name) for node in share.plan.nodes for check in share.plan.checks]
    assert max(Counter(cell for cell, _ in asked).values()) == 1
    return dict(asked)


def test_without_networks_there_is_one_share_which_is_the_plan() -> None:
    plan = make_plan(NODES, CHECKS, CHECKS)
    [share] = cut(plan, ())
    assert (share.network, share.plan) == (None, plan)


def test_nodes_and_their_bmcs_may_be_asked_from_different_networks() -> None:
    found = networks(
        {"name": "racks", "nodes": ["n[1-3]"], "probes": ["ping", "ssh"]},
        {"name": "mgmt", "nodes": ["all"], "probes": ["bmc"]},
    )
    asked = nodes_by_network(make_plan(NODES, CHECKS, CHECKS), found)
    assert {asked["n1", name] for name in ("ping", "ssh", "df_var")} == {"racks"}
    assert {asked["n4", name] for name in ("ping", "ssh", "df_var", "jobs")} == {""}
    assert {asked[node, name] for node in NODES for name in ("ipmi_state", "sel")} == {"mgmt"}
    assert {asked[node, name] for node in NODES for name in ("jobs", "last_job")} == {""}


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "nodes": st.lists(st.sampled_from([*NODES, "all"]), min_size=1),
                "probes": st.lists(st.sampled_from(["ping", "ssh", "bmc"]), min_size=1),
            }
        ),
        max_size=4,
    ),
    st.sets(st.sampled_from(list(CHECKS)), min_size=1),
)
def test_every_check_of_every_node_is_asked_once_and_by_the_first_network_that_fits(
    tables: list[dict[str, Any]], names: set[str]
) -> None:
    found = networks(*({"name": f"net{at}", **table} for at, table in enumerate(tables)))
    plan = make_plan(NODES, CHECKS, names)
    asked = nodes_by_network(plan, found)
    for node in NODES:
        for name, check in plan.checks.items():
            fitting = [net.name for net in found if net.asks(node, frozenset({check.source}))]
            assert asked[node, name] == next(iter(fitting), "")


@pytest.mark.parametrize(
    ("most", "workers", "sizes"), [(100, 0, [6]), (100, 1, [6]), (100, 2, [3, 3]), (4, 1, [4, 2]), (100, 99, [1] * 6)]
)
def test_slices_are_no_larger_than_they_may_be_and_enough_for_all_workers(most, workers, sizes) -> None:
    assert [len(part.nodes) for part in slices(make_plan(NODES, CHECKS, ["ping"]), most, workers)] == sizes


def test_without_networks_nothing_of_celery_is_imported(tmp_path: Path) -> None:
    (tmp_path / "with.toml").write_text('[[network]]\nname = "a"\nnodes = ["all"]\n')
    (tmp_path / "none.toml").touch()
    code = f"""
import sys
from pathlib import Path
import botd.cli
from botd.agent.loop import Agent
from botd.config import load_config
for name in ("none", "with"):
    Agent(load_config(str(Path({str(tmp_path)!r}, name + ".toml"))))
    print(name, *sorted({{"celery", "kombu", "redis"}}.intersection(sys.modules)))
"""
    environment = {**os.environ, "BOTD_BROKER": "redis://127.0.0.1:1"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["none", "with celery kombu redis"]
