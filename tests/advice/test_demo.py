"""The morning of the simulated cluster: every scenario has the diagnosis that a person would give it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from botd.advice.confidence import Counts
from botd.advice.experience import Experience
from botd.advice.rules import ASIDE, FAMILIES, GLOSSES
from botd.advice.weighing import Scales
from botd.checks import site_checks
from botd.commands.sweep import scales_of, sweep_once
from botd.config import load_config
from botd.demo import DemoCluster
from botd.demo.scenarios import QUIET, SCENARIOS
from botd.display.findings import Survey
from botd.display.formats import Form
from botd.display.round import Families, round_document
from botd.display.round_text import round_text
from botd.display.terminal import Look
from botd.documents import status_head
from botd.settings import Config
from botd.store import Store
from tests.program import free_port

NODES = 120

DIAGNOSES = (
    ("powered-off", "powered off", "power-on"),
    ("silent", "silent", "power-cycle"),
    ("bmc-silent", "silent, and its BMC too", "person"),
    ("ssh", "hung: ssh says nothing", "power-cycle"),
    ("slurmd", "slurmd stopped", "restart-slurmd"),
    ("ssh", "sshd is not there", "power-cycle"),
    ("slurmd", "slurmd stopped", "restart-slurmd"),
    ("ready", "well, rebooted by itself", "resume"),
    ("ready", "well, rebooted by itself", "resume"),
    ("file-system", "scratch not mounted", "power-cycle"),
    ("ready", "ready to go back", "resume"),
    ("file-system", "scratch hung", "power-cycle"),
    ("file-system", "software not mounted", "power-cycle"),
    ("colleague", "a colleague's", "person"),
    ("file-system", "scratch hung", "power-cycle"),
    ("ready", "well, the processes have ended", "resume"),
    ("hardware", "memory missing", "person"),
    ("hardware", "memory missing", "person"),
    ("colleague", "a colleague's", "person"),
    ("colleague", "a colleague's", "person"),
    ("colleague", "a colleague's", "person"),
    ("colleague", "a colleague's", "person"),
    ("colleague", "a colleague's", "person"),
    ("colleague", "a colleague's", "person"),
    ("colleague", "a colleague's", "person"),
    ("draining", "draining, a job runs", "wait"),
    ("ssh", "botd's key is not accepted", "person"),
    ("file-system", "/var full", "person"),
    ("file-system", "processes hang in the kernel", "power-cycle"),
    ("hardware", "down after memory errors", "person"),
    ("hardware", "down after a power supply failed", "person"),
)
"""Family, title and action of each of SCENARIOS."""

QUIET_TITLES = {
    "only its BMC is silent",
    "packets are lost on the way",
    "left-over processes",
    "its BMC logged what has passed",
    "errors in slurmd's log",
}
"""What is said of QUIET, nodes that Slurm takes for sound."""


@pytest.fixture(scope="module")
def config() -> Iterator[Config]:
    """That of a running cluster."""
    with DemoCluster(NODES, f"127.0.0.1:{free_port()}") as cluster:
        yield load_config(cluster.config_path)


def swept(config: Config, groups: str, form: str = "json") -> bytes:
    """What one sweep writes."""
    checks, written = site_checks(config), list[bytes]()
    sweep_once(config, checks, groups, list(checks), Form(form), written.append)
    return b"".join(written)


@pytest.fixture(scope="module")
def nodes(config: Config) -> Any:
    """Every node of the cluster after one sweep."""
    found = json.loads(swept(config, "all"))["nodes"]
    assert not list(Path(config.path).parent.glob("botd.db*")), "a sweep makes no database"
    return found


def scenario_of(node: dict[str, Any]) -> int:
    """The place of a node's scenario in the table: by its reason and how old that is."""
    slurm, now = node["slurm"], datetime.now(UTC)
    age_h = (now - datetime.fromisoformat(slurm["reason_at"])).total_seconds() / 3600
    return next(
        place
        for place, each in enumerate(SCENARIOS)
        if each.reason == slurm["reason"] and abs(each.since_h - age_h) < 0.2
    )


def test_every_scenario_has_the_diagnosis_that_a_person_would_give(nodes: list[dict[str, Any]]) -> None:
    sick = [node for node in nodes if node["slurm"]["reason"]]
    found = {scenario_of(node): node["recommendation"] for node in sick}
    assert {place: (advice["family"], advice["title"], advice["action"]) for place, advice in found.items()} == dict(
        enumerate(DIAGNOSES)
    )


def test_a_scenario_is_explained_with_its_own_numbers(nodes: list[dict[str, Any]]) -> None:
    told = {node["slurm"]["reason"]: node["recommendation"]["explanation"] for node in nodes if node["slurm"]["reason"]}
    assert "GiB expected" in told["Low RealMemory (reported:48128 < 100.00% of configured:64000)"]
    assert "connect failure" in told["batch job complete failure : Not responding"]
    assert told["HW: sda missing after reseat -jd"].startswith("tmp: read-only, ")
    assert told["needs new dimms"].startswith("powered off; maintenance cooling from ")


def test_of_the_nodes_in_service_only_those_with_a_fault_have_a_diagnosis(nodes: list[dict[str, Any]]) -> None:
    quiet = [
        node["recommendation"]["title"] for node in nodes if node["recommendation"] and not node["slurm"]["reason"]
    ]
    assert set(quiet) == QUIET_TITLES
    assert len(Counter(quiet)) == len(QUIET)


def test_the_round_has_each_of_them_once_under_its_family_with_its_cause(nodes: list[dict[str, Any]]) -> None:
    out = {node["node"] for node in nodes if node["slurm"]["reason"]}
    document = round_document(
        status_head(["all"], [], as_of=None, count=len(nodes), complete=True),
        nodes,
        Families(FAMILIES, GLOSSES, ASIDE),
        out=out,
        total=len(nodes),
        read=Survey(None, None, 0, {}),
        news=None,
    )
    told = " ".join(round_text(document, Look(), datetime.now(UTC)).split())
    placed = {each["node"]: family["family"] for family in document["families"] for each in family["nodes"]}
    assert {name: placed[name] for name in out} == {
        node["node"]: DIAGNOSES[scenario_of(node)][0] for node in nodes if node["node"] in out
    }
    assert document["out"] == len(SCENARIOS)
    for node in nodes:
        if node["node"] in out:
            assert " ".join(node["slurm"]["reason"].split()) in told
            assert node["recommendation"]["explanation"] in told


def test_a_sweep_weighs_by_what_an_agent_has_counted_and_writes_nothing(
    config: Config, nodes: list[dict[str, Any]]
) -> None:
    silent = next(node for node in nodes if node["recommendation"] and node["recommendation"]["title"] == "silent")
    assert silent["recommendation"]["confidence"]["at_least"] is None
    today = datetime.now(UTC).date()
    counted = Experience(today, (Counts("silent", "power-cycle", "x", today, "own", good=36, bad=4, harms=0),))
    store = Store(config)
    store.create()
    store.copies.put("experience", {"now": counted.document(), "edition": "1"})
    store.close()
    before = Path(config.path).with_name("botd.db").read_bytes()
    for form in ("json", "ndjson"):
        text = swept(config, silent["node"], form)
        (node,) = json.loads(text)["nodes"] if form == "json" else [json.loads(text)]
        sure = node["recommendation"]["confidence"]
        assert (sure["good"], sure["of"], sure["scope"]) == (36, 40, "all hardware")
    assert Path(config.path).with_name("botd.db").read_bytes() == before


@pytest.mark.parametrize("state", ["empty", "damaged", "unreadable copies"])
def test_a_sweep_falls_back_on_guesses_where_there_is_nothing_to_read(state: str, tmp_path: Path) -> None:
    (tmp_path / "botd.toml").write_text("[advice]\nleast_p = 0.3\n")
    config, path = load_config(str(tmp_path / "botd.toml")), tmp_path / "botd.db"
    if state == "unreadable copies":
        store = Store(config)
        store.create()
        store.copies.put("experience", {"now": {"counts": 7}, "edition": "1"})
        store.close()
    else:
        path.write_bytes(b"" if state == "empty" else b"SQLite format 3\0" + b"x" * 4096)
    before = path.read_bytes()
    assert scales_of(config) == Scales.of(config.advice)
    assert path.read_bytes() == before
