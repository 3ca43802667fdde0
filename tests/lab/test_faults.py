"""Faults of nodes, BMCs, Slurm and botd itself, on real parts: what each costs, and that it costs nothing else.

After each fault every reading of every node is compared: those that the fault must change, and all the others, which
it must not. `make faults` runs these alone and prints the figures.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from botd.settings import SweepSettings
from tests.lab.cluster import make_nodes
from tests.lab.conftest import Figures
from tests.lab.program import REMOTE, LabProgram
from tests.program import wait_until

NODE = "n0000.savio2"
ANCHOR = "n0001.vector0"
"""A node whose sshd is silent while something happens in mid-sweep, so that the sweep lasts [ssh] connect_timeout."""

RACK = ("n0000.savio2", "n0002.savio2", "n0000.savio3", "n0002.savio3")
EVERY_NODE = tuple(node.name for node in make_nodes(Path(), 10))
LAST_KNOWN_S = 86400

NO_LOGIN = dict.fromkeys(REMOTE, "skipped")
DEAF = {"ssh": "fail=timeout"} | NO_LOGIN
HUNG = {"ssh": "fail=hung"} | NO_LOGIN
SILENT = {"ping": "fail"} | DEAF
NO_BMC = {"ipmi_reachable": "fail", "ipmi_state": "skipped"}
NO_JOBS = {"jobs": "unknown", "users": "skipped"}
NO_ACCOUNTS = {"last_job": "unknown"}
ANY = dict.fromkeys(("ping", "ssh", "jobs", *REMOTE), "ok warn fail unknown skipped")

Act = Callable[[LabProgram], object]


@dataclass(frozen=True)
class Fault:
    """What is done, how it is undone, and the states of the cells of some nodes meanwhile; all others are well."""

    name: str
    begin: Act
    end: Act
    cells: Mapping[str, str]
    nodes: tuple[str, ...] = (NODE,)


def do(*verbs: str, nodes: tuple[str, ...] = (NODE,)) -> Act:
    """Does verbs of the lab, each with its arguments behind blanks, to nodes."""
    return lambda program: [
        program.lab.do(verb, node, *args) for verb, *args in map(str.split, verbs) for node in nodes
    ]


def slurm(*verbs: str) -> Act:
    """Does verbs of the lab to Slurm's daemons."""
    return lambda program: [program.lab.do(verb) for verb in verbs]


def lock_database(program: LabProgram) -> None:
    """Keeps everybody else from writing the database for two seconds, as a backup may."""
    with contextlib.closing(sqlite3.connect(program.lab.directory / "botd.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(2)  # the length of the fault
        database.execute("ROLLBACK")


def nothing(program: LabProgram) -> None:
    """Nothing is left to undo."""


FAULTS = (
    Fault("node cut off", do("cut"), do("join"), SILENT),
    Fault("node and BMC cut off", do("cut", "cut_bmc"), do("join", "join_bmc"), SILENT | NO_BMC),
    Fault("echo requests dropped", do("drop_icmp"), do("join"), {"ping": "fail"}),
    Fault("port 22 dropped", do("drop_ssh"), do("join"), DEAF),
    Fault("no route to the node", do("unreachable"), do("join"), SILENT),
    Fault("sshd stopped", do("stop_sshd"), do("start_sshd"), {"ssh": "fail=refused"} | NO_LOGIN),
    Fault("sshd hung", do("hang_sshd"), do("resume_sshd"), HUNG),
    Fault("node hung after connect", do("freeze"), do("thaw"), HUNG),
    Fault("key removed", do("remove_key"), do("restore_key"), {"ssh": "fail=auth"} | NO_LOGIN),
    Fault("host key changed", do("wrong_host_key"), do("right_host_key"), {"ssh": "fail=host-key"} | NO_LOGIN),
    Fault("power off", do("power_off"), do("power_on", "make_idle"), SILENT | {"ipmi_state": "fail=off"}),
    Fault("BMC hung", do("hang_bmc"), do("resume_bmc"), NO_BMC),
    Fault("BMC cut off", do("cut_bmc"), do("join_bmc"), NO_BMC),
    Fault("BMC program dead", do("stop_bmc"), do("start_bmc"), NO_BMC),
    Fault("mount hangs, can be killed", do("hang_mount"), do("resume_mount"), {"df_scratch": "fail"}),
    Fault("mount hangs in state D", do("hang_mount hard"), do("resume_mount"), {"df_scratch": "fail"}),
    Fault("file system full", do("fill tmp"), do("fill tmp 0"), {"df_tmp": "fail"}),
    Fault("left-over process, no job", do("left_over_process"), do("end_processes alice"), {"users": "warn fail"}),
    Fault("slurmd killed", do("kill_slurmd"), do("start_slurmd"), {"slurmd": "fail"}),
    Fault("a whole rack cut off", do("cut", nodes=RACK), do("join", nodes=RACK), SILENT, RACK),
    Fault("slurmdbd stopped", slurm("stop_slurmdbd"), slurm("start_slurmdbd"), NO_ACCOUNTS, EVERY_NODE),
    Fault("a whole rack hung", do("freeze", nodes=RACK), do("thaw", nodes=RACK), HUNG, RACK),
)
AT_WORK = dict.fromkeys(REMOTE, "ok warn fail unknown skipped") | {"df_scratch": "fail unknown"}
"""The cells of a node that took the login, and then fell silent: what it had said before stays."""

SLURM_FAULTS = (
    Fault("slurmctld stopped", slurm("stop_slurmctld"), slurm("start_slurmctld"), NO_JOBS),
    Fault("slurmctld hung", slurm("hang_slurmctld"), slurm("resume_slurmctld"), NO_JOBS),
    Fault("slurmctld cut off", slurm("cut_slurmctld"), slurm("join_slurmctld"), NO_JOBS | NO_ACCOUNTS),
    Fault("munge stopped", slurm("stop_munged"), slurm("start_munged"), NO_JOBS | NO_ACCOUNTS),
)
MID_SWEEP_FAULTS = (
    Fault("node cut off in mid-sweep", do("cut"), do("join"), ANY),
    Fault(
        "node power cycled in mid-sweep", do("power_off", "power_on"), do("make_idle"), ANY | {"ipmi_state": "ok fail"}
    ),
    Fault("rack cut off in mid-sweep", do("cut", nodes=RACK), do("join", nodes=RACK), ANY, RACK),
    Fault("slurmctld killed and back in mid-sweep", slurm("kill_slurmctld", "start_slurmctld"), nothing, {}),
    Fault("database locked in mid-sweep", lock_database, nothing, {}),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_costs_its_own_cells_and_no_other(program: LabProgram, figures: Figures, fault: Fault) -> None:
    program.make_well()  # and so there are kept connections to be misled by
    figures.begin(fault.name)
    fault.begin(program)
    try:
        body = program.sweep_all()
    finally:
        fault.end(program)
    result = figures.end(fault.name, program.compare(body, dict.fromkeys(fault.nodes, fault.cells)))
    assert result.wrong == ()
    assert (body["count"], body["complete"], body["problems"]) == (len(program.lab.nodes), True, [])
    sweep = program.json(f"/api/v1/sweeps/{body['sweep']}")
    assert sweep["state"] == "done"
    took = datetime.fromisoformat(sweep["ended_at"]) - datetime.fromisoformat(sweep["started_at"])
    assert took.total_seconds() < SweepSettings().deadline


@pytest.mark.parametrize("fault", SLURM_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_of_slurm_costs_the_jobs_and_no_node(program: LabProgram, figures: Figures, fault: Fault) -> None:
    program.make_well()
    figures.begin(fault.name)
    fault.begin(program)
    try:
        body = program.sweep_all()
        status, text = program.get("/api/v1/sinfo?max_age=0")
    finally:
        fault.end(program)
    result = figures.end(fault.name, program.compare(body, dict.fromkeys(program.names, fault.cells)))
    assert result.wrong == ()
    assert (status in (502, 504), "the last good list is kept" in text) == (True, True), text
    wait_until(lambda: program.get("/api/v1/sinfo?max_age=0")[0] == 200, 60)


@pytest.mark.parametrize("fault", MID_SWEEP_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_mid_sweep_costs_no_other_node(program: LabProgram, figures: Figures, fault: Fault) -> None:
    program.make_well()
    figures.begin(fault.name)
    program.lab.do("drop_ssh", ANCHOR)
    try:
        sweep = program.begin_sweep()
        fault.begin(program)
        ended = program.end_of(sweep)
    finally:
        fault.end(program)
        program.lab.do("join", ANCHOR)
    body = program.json(f"/api/v1/status?groups=all&max_age={LAST_KNOWN_S}")
    result = figures.end(fault.name, program.compare(body, {ANCHOR: DEAF, **dict.fromkeys(fault.nodes, fault.cells)}))
    assert result.wrong == ()
    assert (ended["state"], ended["errors"]) == ("done", [])


def test_a_node_that_hangs_while_it_answers_costs_no_other_node(program: LabProgram, figures: Figures) -> None:
    program.make_well()
    figures.begin("node hung while it answers")
    node = program.lab.node(NODE)
    program.lab.do("hang_mount", NODE)
    try:
        sweep = program.begin_sweep()
        wait_until(lambda: node.enter("sh", "-c", "pgrep -f '^stat -f' || true"))
        program.lab.do("freeze", NODE)
        program.end_of(sweep)
    finally:
        program.lab.do("thaw", NODE)
        program.lab.do("resume_mount", NODE)
    body = program.json(f"/api/v1/status?groups=all&max_age={LAST_KNOWN_S}")
    result = figures.end("node hung while it answers", program.compare(body, {NODE: AT_WORK}))
    assert result.wrong == ()


def test_an_agent_that_is_killed_in_mid_sweep_loses_no_reading(program: LabProgram, figures: Figures) -> None:
    program.make_well()
    figures.begin("agent killed in mid-sweep")
    program.lab.do("drop_ssh", ANCHOR)
    try:
        sweep = program.begin_sweep()
        agent = program.json("/healthz")["agent"]["pid"]
        os.kill(agent, signal.SIGKILL)
        wait_until(lambda: program.is_well() and program.json("/healthz")["agent"]["pid"] != agent, 60)
        ended = program.end_of(sweep)
    finally:
        program.lab.do("join", ANCHOR)
    body = program.json(f"/api/v1/status?groups=all&max_age={LAST_KNOWN_S}")
    result = figures.end("agent killed in mid-sweep", program.compare(body, {}))
    assert (result.wrong, ended["state"]) == ((), "cut")
    program.make_well()
