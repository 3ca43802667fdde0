"""Every route on the lab: what a client is told of a cluster of which all is known."""

from __future__ import annotations

import json

import pytest

from tests.lab.program import REMOTE, WELL, LabProgram, matches

SAVIO2 = [f"n000{number}.savio2" for number in range(4)]
RACK_OF_SAVIO2 = ["n0000.savio2", "n0002.savio2"]
NODE = ["n0001.savio2"]
IPMI = ("ipmi_reachable", "ipmi_state")
MOUNTS = ("df_tmp", "df_scratch", "df_var")

READINGS = (
    ("/api/v1/status?groups=savio2&checks=ping,ssh", SAVIO2, ("ping", "ssh")),
    ("/api/v1/status?groups=savio2&checks=all", SAVIO2, tuple(WELL)),
    ("/api/v1/status?groups=savio2/rack1&checks=df", RACK_OF_SAVIO2, MOUNTS),
    ("/api/v1/status?groups=rack1/savio2&checks=df/tmp", RACK_OF_SAVIO2, ("df_tmp",)),
    ("/api/v1/status?groups=savio2/n0001.savio2&checks=load", NODE, ("load",)),
    ("/api/v1/status?groups=n[0000-0003].savio2&checks=ipmi", SAVIO2, IPMI),
    ("/api/v1/status?nodes=n0001.savio2&checks=uptime", NODE, ("uptime",)),
    ("/api/v1/status?g=savio2&checks=slurmd,memory", SAVIO2, ("slurmd", "memory")),
    ("/api/v1/status/n0001.savio2", NODE, tuple(WELL)),
    ("/api/v1/status/ssh?g=savio2", SAVIO2, ("ssh",)),
    ("/api/v1/status/cmd/uptime?g=savio2", SAVIO2, ("uptime",)),
    ("/api/v1/status/cmd/df/scratch?g=savio2", SAVIO2, ("df_scratch",)),
    ("/api/v1/status-ping?g=savio2", SAVIO2, ("ping",)),
    ("/api/v1/status-ssh?g=savio2", SAVIO2, ("ssh",)),
    ("/api/v1/status-uptime?g=savio2", SAVIO2, ("uptime",)),
    ("/api/v1/status-ipmi-reachable?g=savio2", SAVIO2, ("ipmi_reachable",)),
    ("/api/v1/status-ipmi-state?g=savio2", SAVIO2, ("ipmi_state",)),
    ("/api/v1/df?g=savio2", SAVIO2, MOUNTS),
    ("/api/v1/df/scratch?g=savio2", SAVIO2, ("df_scratch",)),
)
VALUES = {
    "ping": lambda value: 0 < value < 1000,
    "ssh": lambda value: value == "up",
    "uptime": lambda value: 0 <= value < 3600,  # every node has a time namespace of its own, and booted just now
    "load": lambda value: value >= 0,
    "users": lambda value: value == [],
    "dstate": lambda value: value == [],
    "df_tmp": lambda value: (value["size"], value["mounted"], value["read_only"]) == (32 * 2**20, True, False),
    "df_scratch": lambda value: (value["size"], value["mounted"], value["hung"]) == (32 * 2**20, True, False),
    "memory": lambda value: value["size"] > 512 * 2**20,
    "slurmd": lambda value: value["running"] and value["version"] == "22.05.8",
    "slurmd_log": lambda value: isinstance(value, list),
    "jobs": lambda value: value == [],
    "last_job": lambda value: value is None or value["job_id"],
    "ipmi_reachable": lambda value: value is True,
    "ipmi_state": lambda value: value == "on",
}


@pytest.mark.parametrize(("path", "nodes", "checks"), READINGS, ids=[path for path, _, _ in READINGS])
def test_a_reading_route_has_the_nodes_and_the_checks_asked_for(
    program: LabProgram, path: str, nodes: list[str], checks: tuple[str, ...]
) -> None:
    body = program.json(path + ("&" if "?" in path else "?") + "max_age=0")
    assert (body["count"], body["complete"], body["problems"]) == (len(nodes), True, [])
    assert [node["node"] for node in body["nodes"]] == nodes
    for node in body["nodes"]:
        assert sorted(node["readings"]) == sorted(checks)
        assert node["slurm"]["state"] == "idle"
        for check, reading in node["readings"].items():
            assert matches(reading, WELL[check]), (node["node"], check, reading)
            assert VALUES.get(check, lambda _: True)(reading["value"]), (node["node"], check, reading)
            assert reading["detail"]


def test_a_post_asks_the_same_as_a_get(program: LabProgram) -> None:
    asked = {"nodes": ["n[0000-0001].savio2"], "groups": ["vector0"], "checks": ["ping"], "max_age": 0}
    body = program.json("/api/v1/status", data=asked)
    assert [node["node"] for node in body["nodes"]] == [
        "n0000.savio2",
        "n0000.vector0",
        "n0001.savio2",
        "n0001.vector0",
    ]
    assert {node["readings"]["ping"]["state"] for node in body["nodes"]} == {"ok"}


def test_the_groups_are_those_of_slurm_and_of_the_files(program: LabProgram) -> None:
    groups = {group["group"]: group for group in program.json("/api/v1/group-list")["groups"]}
    assert groups["all"]["count"] == 10
    assert groups["rack1"]["nodes"] == "n0000.vector0,n[0000,0002].savio[2-3]"
    assert groups["rack1"]["source"].endswith("/groups/rack1")
    assert groups["savio_lowprio"]["count"] == 8


def test_hostinfo_is_what_slurm_says_of_a_node(program: LabProgram) -> None:
    node = program.slurm("n0001.savio3")
    assert node["address"] == program.lab.node("n0001.savio3").address
    assert (node["state"], node["base"], node["reason"]) == ("idle", "IDLE", "")
    assert (node["memory_mb"], node["slurmd_version"]) == (512, "22.05.8")
    assert node["partitions"] == ["savio3", "savio_lowprio"]
    assert node["jobs"] == []


def test_the_checks_are_those_of_the_site(program: LabProgram) -> None:
    assert sorted(check["name"] for check in program.json("/api/v1/checks")["checks"]) == sorted(WELL)


def test_a_sweep_is_followed_to_its_end(program: LabProgram) -> None:
    sweep = program.begin_sweep()
    _, text = program.get(f"/api/v1/sweeps/{sweep}/events?format=ndjson")
    last = json.loads(text.splitlines()[-1])
    assert (last["event"], last["state"], last["done"], last["total"]) == ("end", "done", 10, 10)
    assert program.json(f"/api/v1/sweeps/{sweep}")["state"] == "done"


def test_the_service_itself_is_well_and_counts_what_it_read(program: LabProgram) -> None:
    program.sweep_all()
    health = program.json("/healthz")
    assert (health["status"], health["problems"], health["agent"]["alive"]) == ("ok", [], True)
    _, metrics = program.get("/metrics")
    assert 'botd_nodes{check="ssh",state="ok"} 10.0' in metrics.splitlines()
    assert set(REMOTE) <= {line.partition('"')[2].partition('"')[0] for line in metrics.splitlines()}


def test_the_description_names_every_route_that_answers_here(program: LabProgram) -> None:
    paths = program.json("/api/v1/openapi.json")["paths"]
    assert {"/api/v1/status", "/api/v1/sinfo", "/api/v1/hostinfo", "/healthz", "/metrics"} <= set(paths)


@pytest.mark.parametrize("path", ["/nodes?groups=all", "/node/n0001.savio2"])
def test_a_page_has_the_nodes_in_every_form(program: LabProgram, path: str) -> None:
    for accept, words in (("text/html", "<table"), ("*/*", "n0001.savio2")):
        status, text = program.get(path, accept=accept)
        assert (status, words in text, "n0001.savio2" in text) == (200, True, True)
