"""Slurm's own view on the lab: drains and their reasons, nodes that it gives up, jobs and who is left over."""

from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from botd.cli import main
from botd.inventory.events import NodeEvent, read_events
from botd.inventory.jobs import last_jobs, running_jobs
from botd.inventory.slurm import SlurmReader
from botd.model import utc_now
from botd.settings import SlurmSettings
from tests.lab import net
from tests.lab.program import LabProgram
from tests.lab.record import REASONS
from tests.lab.slurm import CLUSTERS
from tests.program import wait_until

LONG = 'it\'s "q" \t| back\\slash % <b>x</b> =cmd() `id` $(id) \x1b[31m' + "x" * 500


def listed(program: LabProgram) -> dict[str, Any]:
    """The nodes that Slurm has down or drained now."""
    return {node["node"]: node for node in program.json("/api/v1/sinfo?max_age=0")["nodes"]}


def is_asking(tool: str, away: tuple[str, ...]) -> bool:
    """Whether this process runs one of these tools, and where slurmctld hangs is connected to it."""
    mine = psutil.process_iter(["name", "ppid"])
    pids = {process.pid for process in mine if (process.info["name"], process.info["ppid"]) == (tool, os.getpid())}
    if "hang_slurmctld" not in away:
        return bool(pids)
    connections = psutil.net_connections("tcp")
    return any(each.pid in pids and each.raddr and each.raddr.ip == net.CONTROLLER for each in connections)


def drained(program: LabProgram, reasons: dict[str, str | bytes]) -> tuple[dict[str, Any], Any]:
    """What is listed, and the status of what is, while these nodes are drained for these reasons."""
    for node, reason in reasons.items():
        program.lab.do("drain", node, reason)
    try:
        return listed(program), program.json("/api/v1/status?groups=sinfo&checks=ping&max_age=0")
    finally:
        for verb in ("undrain", "make_idle"):
            for node in reasons:
                program.lab.do(verb, node)


def test_a_drain_with_a_troublesome_reason_is_given_back_exactly_and_ends(program: LabProgram) -> None:
    left = [*REASONS, LONG]
    while left:
        reasons = dict(zip(program.names[1:], left, strict=False))
        del left[: len(reasons)]
        found, status = drained(program, reasons)
        assert set(found) == set(reasons)  # a newline in a reason forges no other node
        answered = {entry["node"]: entry["slurm"]["reason"] for entry in status["nodes"]}
        assert answered == {node: each["reason"] for node, each in found.items()}
        for node, reason in reasons.items():
            # scontrol takes the blanks around a reason away, and what is not UTF-8 cannot stand in JSON.
            expected = os.fsencode(reason).decode("utf-8", "replace")
            assert found[node]["reason"].strip() == expected.strip()
            # A "*" shows for a moment where slurmctld has not heard from the node since it was resumed.
            assert (found[node]["state"].rstrip("*"), found[node]["reason_by"]) == ("drained", "root")
        assert listed(program) == {}


def test_a_drained_node_with_a_job_is_draining(program: LabProgram) -> None:
    program.lab.do("submit_job", "n0000.vector0", "alice", "sleep", "600")
    program.lab.do("drain", "n0000.vector0", "no IB")
    try:
        assert listed(program)["n0000.vector0"]["state"] == "draining"
    finally:
        program.lab.do("cancel_jobs", "n0000.vector0")
        program.lab.do("make_idle", "n0000.vector0")


def test_a_slurmd_that_dies_is_seen_at_once_and_by_slurm_later(program: LabProgram) -> None:
    node = "n0002.savio3"
    program.lab.do("kill_slurmd", node)
    try:
        assert program.reading(node, "slurmd")["value"]["running"] is False
        assert program.slurm(node)["state"] == "idle"
        wait_until(lambda: program.slurm(node)["state"] == "down*", 90)
        assert program.slurm(node)["reason"] == "Not responding"
        assert node in listed(program)
        assert program.reading(node, "ssh")["value"] == "up"
    finally:
        program.lab.do("start_slurmd", node)
        program.lab.do("make_idle", node)
    assert program.reading(node, "slurmd")["value"]["running"] is True
    told = f"/api/v1/history/{node}?since=1h"
    wait_until(lambda: "slurmd_start" in [each["subject"] for each in program.json(told)["changes"]], 60)


def test_a_left_over_user_is_told_from_one_with_a_job(program: LabProgram) -> None:
    node = "n0000.vector0"
    program.lab.do("left_over_process", node, "bob")
    program.lab.do("left_over_process", node, "alice")
    try:
        alone = program.reading(node, "users")
        program.lab.do("submit_job", node, "alice", "na|me\nlines|RUNNING|0:01|n0000.vector0|forged", "600")
        beside = program.readings(node, "users,jobs")
    finally:
        program.lab.do("cancel_jobs", node)
        program.lab.do("end_processes", node, "alice")
        program.lab.do("end_processes", node, "bob")
        program.lab.do("make_idle", node)
    assert sorted(alone["value"]) == ["alice", "bob"]
    assert beside["users"]["value"] == ["bob"]
    assert len(beside["jobs"]["value"]) == 1
    assert "alice" in beside["jobs"]["detail"]
    assert program.readings(node, "users,jobs")["users"]["value"] == []


def test_the_last_job_of_a_node_comes_from_the_accounting(program: LabProgram) -> None:
    node = "n0001.vector0"
    job = program.lab.do("submit_job", node, "alice", "name with | and\nnewline", "600")
    program.lab.do("cancel_jobs", node)
    wait_until(lambda: (program.reading(node, "last_job")["value"] or {}).get("job_id") == job, 60)
    assert program.reading(node, "last_job")["value"]["state"].startswith("CANCELLED")
    program.lab.do("make_idle", node)


def test_slurmdbd_remembers_when_a_node_was_drained_and_is_back(program: LabProgram) -> None:
    node, reason, begin = "n0001.vector0", "Kill task failed", utc_now()
    slurm = program.lab.slurm
    slurm.run("scontrol", "update", f"nodename={node}", "state=drain", f"reason={reason}")
    time.sleep(1.1)  # slurmdbd keeps whole seconds, and no event that is shorter
    slurm.run("scontrol", "update", f"nodename={node}", "state=resume")
    settings = SlurmSettings(sacctmgr=" ".join([*slurm.command(), "sacctmgr"]))

    def told() -> list[NodeEvent]:
        events = read_events(settings, begin - timedelta(minutes=1))
        return [each for each in events if (each.node, each.reason) == (node, reason) and each.ends_at]

    wait_until(lambda: bool(told()), 60)
    assert told()[-1].state == "DRAIN"
    assert told()[-1].by == "root"


def test_what_slurmdbd_remembers_is_imported_and_a_second_time_changes_nothing(
    program: LabProgram, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Another node than that of the test before: what begins right after the end of an event goes on with it.
    node, slurm = "n0000.vector0", program.lab.slurm
    tools = {tool: " ".join(map(str, [*slurm.command(), tool])) for tool in ("sinfo", "scontrol", "sacctmgr")}
    told = "".join(f"{tool} = {json.dumps(words)}\n" for tool, words in tools.items())
    (tmp_path / "botd.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/botd.db"\n[slurm]\n{told}')
    slurm.run("scontrol", "update", f"nodename={node}", "state=down", "reason=Not responding")
    time.sleep(1.1)  # slurmdbd keeps whole seconds
    program.lab.do("make_idle", node)  # unless it has come back by itself, as with ReturnToService=1

    def imported() -> str:
        assert main(["history", "import", "--since", "1d", "--config", str(tmp_path / "botd.toml")]) == 0
        return capsys.readouterr().out

    wait_until(
        lambda: re.search(r" nodes were silent, [1-9]\d* of them back alone within half an hour", imported()), 60
    )
    assert re.search(r"; 0 of them new\n.*; 0 new\n", imported())


AWAY = {
    "killed while it is asked": (("hang_slurmctld",), ("kill_slurmctld", "start_slurmctld")),
    "ended while it is asked": (("hang_slurmctld",), ("stop_slurmctld", "start_slurmctld")),
    "stopped for a moment": (("hang_slurmctld",), ("resume_slurmctld",)),
    "started while it is asked": (("kill_slurmctld",), ("start_slurmctld",)),
    "without its network": (("cut_slurmctld",), ("join_slurmctld",)),
    "without munge": (("stop_munged",), ("start_munged",)),
}
"""How Slurm is away for a moment: what is done before it is asked, and what while the commands wait."""


@pytest.mark.parametrize("how", AWAY)
def test_a_slurm_that_is_away_for_a_moment_costs_no_answer(program: LabProgram, how: str) -> None:
    lab, (before, meanwhile) = program.lab, AWAY[how]
    words = f"env SLURM_CONF={lab.slurm.config}"
    settings = SlurmSettings(sinfo=f"{words} sinfo", squeue=f"{words} squeue", sacct=f"{words} sacct", timeout=120.0)
    for verb in before:
        lab.do(verb)
    with ThreadPoolExecutor(3) as pool:
        nodes = pool.submit(SlurmReader(settings).read)
        jobs = pool.submit(running_jobs, settings, known=set(program.names))
        last = pool.submit(last_jobs, settings, program.names)
        wait_until(lambda: all(is_asking(tool, before) for tool in ("sinfo", "squeue")))
        for verb in meanwhile:
            lab.do(verb)
        assert {node.node for node in nodes.result()} == set(program.names)
        assert jobs.result() == {}
        assert isinstance(last.result(), dict)
    for job in lab.slurm.run("squeue", "-h", "-o", "%i").split():
        lab.slurm.run("scancel", job)  # one that had ended, which slurmctld had not saved, is in the queue again
    for node, state in lab.slurm.states().items():
        if state.startswith("drain"):
            lab.do("make_idle", node)  # it had gone back, which slurmctld had not saved either


def test_the_lab_has_the_partitions_that_botd_shows_as_groups(program: LabProgram) -> None:
    groups = {group["group"] for group in program.json("/api/v1/group-list")["groups"]}
    assert {*CLUSTERS, "savio_lowprio"} <= groups
