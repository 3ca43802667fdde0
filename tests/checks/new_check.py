"""Run by `test_a_new_check` in a copy of the program that has one check more, `swap`, whose value is an object."""

from __future__ import annotations

import csv
from typing import Any

from botd.agent.latest import LatestReadings
from botd.agent.numbers import NumberCollector
from botd.model import Reading, State
from tests.conftest import Site
from tests.lab.program import REMOTE, WELL

NODES = ("n0001.savio2", "n0010.savio3")
USED = {"kind": "partition", "size": 2**31, "used_percent": 95.4}


def read(site: Site, *values: Any, state: State = State.WARN) -> None:
    for node, value in zip(NODES, values, strict=True):
        site.reading(node, swap=Reading(state, value, detail="/dev/sda2, 95% used"))


def test_every_form_has_it(site: Site) -> None:
    read(site, USED, USED)
    assert site.get("/api/v1/status/" + NODES[0])["nodes"][0]["readings"]["swap"]["value"] == USED
    rows = list(csv.DictReader(site.client.get("/api/v1/status?format=csv&groups=all").text.splitlines()))
    (row,) = [row for row in rows if row["node"] == NODES[0]]
    assert (row["swap_state"], row["swap_size_bytes"], row["swap_used_percent"]) == ("warn", str(2**31), "95.4")
    assert "! 95% of 2.0 GiB" in site.client.get("/api/v1/status?format=table&groups=all").text
    names = [check["name"] for check in site.get("/api/v1/checks")["checks"]]
    assert names[names.index("swap") + 1] == "slurmd"
    cell = site.get("/api/v1/table?nodes=" + NODES[0])["rows"][0]["cells"][names.index("swap")]
    assert cell[:3] == ["warn", "! 95% of 2.0 GiB", 95.4]


def test_the_pages_have_it(site: Site) -> None:
    read(site, USED, USED)
    for path in ("/nodes?groups=all", "/node/" + NODES[0]):
        page = site.client.get(path, headers={"Accept": "text/html"}).text
        assert "Swap: 95% of 2.0 GiB (warn)" in page


FOLDED = f"/api/v1/status?nodes={','.join(NODES)}&checks=swap&fold=1"


def test_nodes_fold_into_a_range(site: Site) -> None:
    read(site, USED, {**USED, "used_percent": 81.0})
    (folded,) = site.get(FOLDED)["nodes"]
    assert folded["readings"]["swap"]["value"]["used_percent"] == {"low": 81.0, "high": 95.4}
    assert "! 81-95% of 2.0 GiB" in site.client.get(FOLDED + "&format=table").text


def test_what_it_tells_parts_nodes_that_are_well(site: Site) -> None:
    read(site, USED, {**USED, "kind": "file"}, state=State.OK)
    assert len(site.get(FOLDED)["nodes"]) == 2


def test_what_it_tells_stands_beside_each_other_in_one_diagnosis(site: Site) -> None:
    read(site, USED, {**USED, "kind": "file"})
    (folded,) = site.get(FOLDED)["nodes"]
    assert folded["readings"]["swap"]["value"]["kind"] == "partition | file"


def test_the_history_and_the_plots_have_it(site: Site) -> None:
    latest = LatestReadings(site.checks, site.store, lambda: site.now)
    latest.load()
    numbers = NumberCollector(site.checks, site.store, lambda: site.now)
    for state in (State.OK, State.WARN):
        site.later(3600)
        found = {"swap": Reading(state, USED, at=site.now)}
        latest.put(NODES[0], found, latest.begin())
        numbers.put(NODES[0], found)
    latest.flush()
    numbers.flush()
    (change,) = site.get("/api/v1/history/" + NODES[0])["changes"]
    assert (change["subject"], change["old"], change["new"]) == ("swap", "ok", "warn")
    assert "Swap" in site.client.get("/changes", headers={"Accept": "text/html"}).text


def test_the_lab_asks_for_it_too() -> None:
    assert "swap" in REMOTE
    assert WELL["swap"] == "ok"
