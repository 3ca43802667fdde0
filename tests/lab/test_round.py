"""The round on a real Slurm, real sshds and BMCs, each node in namespaces of its own: what a client is told."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need_program
from tests.lab.cluster import Lab
from tests.test_agent import wait_until
from tests.test_round import Program, free_port

NASTY = 'it\'s "q" \t| back\\slash % <b>x</b> =cmd() `id` $(id) \x1b[31m' + "x" * 500


class LabProgram(Program):
    """`botd serve` on the lab."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        port = free_port()
        text = (folder / "botd.toml").read_text()
        self.config_path = folder / "served.toml"
        self.config_path.write_text(text.replace("127.0.0.1:5055", f"127.0.0.1:{port}"))
        self.base = f"http://127.0.0.1:{port}"
        self.start()

    def reading(self, node: str, check: str, *, max_age: float = 0) -> Any:
        """One reading of one node, taken now."""
        body = self.json(f"/api/v1/status?nodes={node}&checks={check}&max_age={max_age}")
        return body["nodes"][0]["readings"][check]


@pytest.fixture(scope="module")
def program() -> Iterator[LabProgram]:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("a lab of network namespaces needs root")
    for name in ("slurmctld", "slurmd", "munged", "sshd", "ipmi_sim", "bindfs", "fping", "iptables"):
        need_program(name)
    folder = Path(tempfile.mkdtemp(prefix="botd-lab-"))  # pytest's own paths are too long for munge's socket
    try:
        with Lab(folder, nodes=10) as lab:
            running = LabProgram(lab, folder)
            try:
                wait_until(running.is_well, 60)
                yield running
            finally:
                running.process.terminate()
                running.process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_healthy_cluster_is_well_in_every_cell_that_can_be(program: LabProgram) -> None:
    body = program.json("/api/v1/status?groups=all&max_age=0")
    assert (body["count"], body["complete"], body["problems"]) == (10, True, [])
    for check in ("ping", "ssh", "uptime", "users", "df_scratch", "memory", "slurmd", "jobs", "ipmi_reachable"):
        assert {node["readings"][check]["state"] for node in body["nodes"]} == {"ok"}, check
    assert {node["readings"]["ipmi_state"]["value"] for node in body["nodes"]} == {"on"}
    assert {node["readings"]["slurmd"]["value"]["running"] for node in body["nodes"]} == {True}


@pytest.mark.parametrize(
    ("fault", "mend", "ping", "ssh", "bmc"),
    [
        ("cut", "join", "fail", "timeout", True),
        ("drop_icmp", "join", "fail", "up", True),
        ("drop_ssh", "join", "ok", "timeout", True),
        ("stop_sshd", "start_sshd", "ok", "refused", True),
        ("hang_sshd", "resume_sshd", "ok", "hung", True),
        ("remove_key", "restore_key", "ok", "auth", True),
        ("wrong_host_key", "right_host_key", "ok", "host-key", True),
        ("hang_bmc", "resume_bmc", "ok", "up", False),
        ("cut_bmc", "join_bmc", "ok", "up", False),
    ],
)
def test_each_fault_of_a_node_is_told_from_the_others(
    program: LabProgram, fault: str, mend: str, ping: str, ssh: str, bmc: bool
) -> None:
    node = "n0000.savio2"
    program.json(f"/api/v1/status?nodes={node}&max_age=0")  # so that there is a kept connection to be misled by
    program.lab.do(fault, node)
    try:
        body = program.json(f"/api/v1/status?nodes={node}&checks=ping,ssh,ipmi&max_age=0")
    finally:
        program.lab.do(mend, node)
    readings = body["nodes"][0]["readings"]
    assert readings["ping"]["state"] == ping
    assert readings["ssh"]["value"] == ssh
    assert readings["ipmi_reachable"]["value"] is bmc


def test_power_off_is_told_by_the_bmc_and_not_inferred(program: LabProgram) -> None:
    program.lab.do("power_off", "n0003.savio2")
    try:
        assert program.reading("n0003.savio2", "ipmi_state")["value"] == "off"
        assert program.reading("n0003.savio2", "ssh")["value"] == "timeout"
    finally:
        program.lab.do("power_on", "n0003.savio2")
    assert program.reading("n0003.savio2", "ipmi_state")["value"] == "on"


def test_a_mount_that_hangs_costs_its_own_cell_and_no_other(program: LabProgram) -> None:
    program.lab.do("hang_mount", "n0001.savio2", "hard")
    try:
        body = program.json("/api/v1/status?nodes=n0001.savio2&max_age=0")
    finally:
        program.lab.do("resume_mount", "n0001.savio2")
    readings = body["nodes"][0]["readings"]
    assert (readings["df_scratch"]["state"], readings["df_scratch"]["value"]["hung"]) == ("fail", True)
    assert [readings[check]["state"] for check in ("uptime", "df_tmp", "memory", "slurmd")] == ["ok"] * 4


def test_users_are_judged_by_the_running_jobs(program: LabProgram) -> None:
    program.lab.do("left_over_process", "n0000.vector0", "bob")
    program.lab.do("submit_job", "n0000.vector0", "alice", "na|me\nlines|RUNNING|0:01|n0000.vector0|forged", "600")
    assert program.reading("n0000.vector0", "users")["value"] == ["bob"]
    assert len(program.reading("n0000.vector0", "jobs")["value"]) == 1


def test_a_drain_with_a_troublesome_reason_is_given_back_exactly(program: LabProgram) -> None:
    program.lab.do("drain", "n0001.savio3", NASTY)
    listed = {node["node"]: node for node in program.json("/api/v1/sinfo?max_age=0")["nodes"]}
    assert listed["n0001.savio3"]["reason"] == NASTY
    assert listed["n0001.savio3"]["state"] == "drained"
    program.lab.do("undrain", "n0001.savio3")
    assert "n0001.savio3" not in {node["node"] for node in program.json("/api/v1/sinfo?max_age=0")["nodes"]}


def test_a_slurmd_that_dies_is_seen_before_slurm_sees_it(program: LabProgram) -> None:
    program.lab.do("kill_slurmd", "n0002.savio3")
    assert program.reading("n0002.savio3", "slurmd")["value"]["running"] is False
    program.lab.do("start_slurmd", "n0002.savio3")
    assert program.reading("n0002.savio3", "slurmd")["value"]["running"] is True


def test_a_controller_that_is_away_costs_the_list_and_keeps_the_last_one(program: LabProgram) -> None:
    program.lab.do("drain", "n0002.savio2", "no IB")
    assert program.json("/api/v1/sinfo?max_age=0")["count"] >= 1
    program.lab.do("stop_slurmctld")
    try:
        status, text = program.get("/api/v1/sinfo?max_age=0")
        assert status in (502, 504)
        assert "the last good list is kept" in text
        body = program.json("/api/v1/status?groups=sinfo&checks=ping&max_age=0")
        assert (body["complete"], "n0002.savio2" in [node["node"] for node in body["nodes"]]) == (False, True)
    finally:
        program.lab.do("start_slurmctld")
        program.lab.do("undrain", "n0002.savio2")
    wait_until(lambda: program.get("/api/v1/sinfo?max_age=0")[0] == 200, 60)
