"""Faults of nodes, BMCs, Slurm and botd itself, on real parts: what each costs, and that it costs nothing else.

After each fault every reading and the diagnosis of every node are compared: those that the fault must change, and all
the others, which it must not. `make faults` gives them one by one and prints the figures; `make test` gives those that
concern one node in rounds, to a node each.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from botd.settings import SweepSettings
from tests.lab.cluster import make_nodes
from tests.lab.conftest import Figures
from tests.lab.program import QUIET, REMOTE, Comparison, LabProgram
from tests.program import wait_until

NODE = "n0000.savio2"
TOGETHER = 1 if os.environ.get("BOTD_FAULTS") else 6
"""How many nodes have a fault each at the same time."""

ANCHOR = "n0001.vector0"
"""A node whose sshd is silent while something happens in mid-sweep, so that the sweep lasts [ssh] connect_timeout."""

RACK = ("n0000.savio2", "n0002.savio2", "n0000.savio3", "n0002.savio3")
EVERY_NODE = tuple(node.name for node in make_nodes(Path(), 10))
LAST_KNOWN_S = 86400

NO_LOGIN = dict.fromkeys(REMOTE, "skipped")
DEAF = {"ssh": "fail=timeout"} | NO_LOGIN
HUNG = {"ssh": "fail=hung"} | NO_LOGIN
SILENT = {"ping": "fail"} | DEAF
NO_BMC = {"ipmi_reachable": "fail", "ipmi_state": "skipped", "sel": "skipped"}
NO_JOBS = {"jobs": "unknown", "users": "skipped"}
NO_ACCOUNTS = {"last_job": "unknown"}
ANY = dict.fromkeys(("ping", "ssh", "jobs", *REMOTE), "ok warn fail unknown skipped")

CUT_SHORT = f"{QUIET} silent ssh-timeout ssh-hung ping-dropped packets-lost mount-hung not-told"
"""The diagnoses of a node that fell silent at some moment of a sweep."""

Act = Callable[[LabProgram, tuple[str, ...]], object]
"""What is done to a lab and to these nodes of it."""


@dataclass(frozen=True)
class Fault:
    """What is done, how it is undone, and the states of the cells of some nodes and their diagnosis meanwhile.

    All others are well. Where it depends on the moment there are several diagnoses; `-` is none.
    """

    name: str
    begin: Act
    end: Act
    cells: Mapping[str, str]
    diagnosis: str
    nodes: tuple[str, ...] = (NODE,)


def do(*verbs: str) -> Act:
    """Does verbs of the lab, each with its arguments behind blanks, to nodes."""
    return lambda program, nodes: [
        program.lab.do(verb, node, *args) for verb, *args in map(str.split, verbs) for node in nodes
    ]


def slurm(*verbs: str) -> Act:
    """Does verbs of the lab to Slurm's daemons."""
    return lambda program, _: [program.lab.do(verb) for verb in verbs]


def drain(reason: str) -> Act:
    """Drains a node for a reason."""
    return lambda program, nodes: [program.lab.do("drain", node, reason) for node in nodes]


def drain_at_work(program: LabProgram, nodes: tuple[str, ...]) -> None:
    """Drains a node on which a job runs."""
    for node in nodes:
        program.lab.do("submit_job", node)
    drain("Kill task failed")(program, nodes)


def lock_database(program: LabProgram, _: tuple[str, ...]) -> None:
    """Keeps everybody else from writing the database for two seconds, as a backup may."""
    with contextlib.closing(sqlite3.connect(program.lab.directory / "botd.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(2)  # the length of the fault
        database.execute("ROLLBACK")


def nothing(_program: LabProgram, _nodes: tuple[str, ...]) -> None:
    """Nothing is left to undo."""


FAULTS = (
    Fault("node cut off", do("cut"), do("join"), SILENT, "silent"),
    Fault("node and BMC cut off", do("cut", "cut_bmc"), do("join", "join_bmc"), SILENT | NO_BMC, "bmc-silent"),
    Fault("echo requests dropped", do("drop_icmp"), do("join"), {"ping": "fail"}, "ping-dropped"),
    Fault("port 22 dropped", do("drop_ssh"), do("join"), DEAF, "ssh-timeout"),
    Fault("no route to the node", do("unreachable"), do("join"), SILENT, "silent"),
    Fault("sshd stopped", do("stop_sshd"), do("start_sshd"), {"ssh": "fail=refused"} | NO_LOGIN, "ssh-refused"),
    Fault("sshd hung", do("hang_sshd"), do("resume_sshd"), HUNG, "ssh-hung"),
    Fault("node hung after connect", do("freeze"), do("thaw"), HUNG, "ssh-hung"),
    Fault("key removed", do("remove_key"), do("restore_key"), {"ssh": "fail=auth"} | NO_LOGIN, "ssh-auth"),
    Fault(
        "host key changed",
        do("wrong_host_key"),
        do("right_host_key"),
        {"ssh": "fail=host-key"} | NO_LOGIN,
        "ssh-host-key",
    ),
    Fault(
        "power off", do("power_off"), do("power_on", "make_idle"), SILENT | {"ipmi_state": "fail=off"}, "powered-off"
    ),
    Fault("BMC hung", do("hang_bmc"), do("resume_bmc"), NO_BMC, "bmc-only"),
    Fault("BMC cut off", do("cut_bmc"), do("join_bmc"), NO_BMC, "bmc-only"),
    Fault("BMC program dead", do("stop_bmc"), do("start_bmc"), NO_BMC, "bmc-only"),
    Fault("mount hangs, can be killed", do("hang_mount"), do("resume_mount"), {"df_scratch": "fail"}, "mount-hung"),
    Fault("mount hangs in state D", do("hang_mount hard"), do("resume_mount"), {"df_scratch": "fail"}, "mount-hung"),
    Fault(
        "mount gone",
        do("unmount_scratch"),
        do("power_off", "power_on", "make_idle"),
        {"df_scratch": "fail"},
        "mount-missing",
    ),
    Fault("drained by a person", drain("fan 3 loud, RMA open -jd"), do("undrain"), {}, "colleague"),
    Fault("drained for what is over", drain("Prolog error"), do("undrain"), {}, "ready-prolog"),
    Fault("drained while a job runs", drain_at_work, do("cancel_jobs", "undrain"), {}, "draining"),
    Fault("file system full", do("fill tmp"), do("fill tmp 0"), {"df_tmp": "fail"}, "mount-full"),
    Fault(
        "left-over process, no job",
        do("left_over_process"),
        do("end_processes alice"),
        {"users": "warn fail"},
        "leftovers",
    ),
    Fault("slurmd killed", do("kill_slurmd"), do("start_slurmd"), {"slurmd": "fail"}, "slurmd"),
    Fault("a whole rack cut off", do("cut"), do("join"), SILENT, "silent", RACK),
    Fault("slurmdbd stopped", slurm("stop_slurmdbd"), slurm("start_slurmdbd"), NO_ACCOUNTS, "not-told", EVERY_NODE),
    Fault("a whole rack hung", do("freeze"), do("thaw"), HUNG, "ssh-hung", RACK),
)
AT_WORK = dict.fromkeys(REMOTE, "ok warn fail unknown skipped") | {"df_scratch": "fail unknown"}
"""The cells of a node that took the login, and then fell silent: what it had said before stays."""

SLURM_FAULTS = (
    Fault("slurmctld stopped", slurm("stop_slurmctld"), slurm("start_slurmctld"), NO_JOBS, "not-told", EVERY_NODE),
    Fault("slurmctld hung", slurm("hang_slurmctld"), slurm("resume_slurmctld"), NO_JOBS, "not-told", EVERY_NODE),
    Fault(
        "slurmctld cut off",
        slurm("cut_slurmctld"),
        slurm("join_slurmctld"),
        NO_JOBS | NO_ACCOUNTS,
        "not-told",
        EVERY_NODE,
    ),
    # slurmctld finds out only later whom it has not heard for so long; one that starts asks all of them.
    Fault(
        "munge stopped",
        slurm("stop_munged"),
        slurm("start_munged", "stop_slurmctld", "start_slurmctld"),
        NO_JOBS | NO_ACCOUNTS,
        "not-told",
        EVERY_NODE,
    ),
)
MID_SWEEP_FAULTS = (
    Fault("node cut off in mid-sweep", do("cut"), do("join"), ANY, CUT_SHORT),
    Fault(
        "node power cycled in mid-sweep",
        do("power_off", "power_on"),
        do("make_idle"),
        ANY | {"ipmi_state": "ok fail"},
        f"{CUT_SHORT} powered-off",
    ),
    Fault("rack cut off in mid-sweep", do("cut"), do("join"), ANY, CUT_SHORT, RACK),
    Fault("slurmctld killed and back in mid-sweep", slurm("kill_slurmctld", "start_slurmctld"), nothing, {}, QUIET),
    Fault("database locked in mid-sweep", lock_database, nothing, {}, QUIET),
)


Round = tuple[Fault, ...]


def compare(program: LabProgram, figures: Figures, body: Any, together: Round) -> Comparison:
    """How an answer differs from what it must be while nodes have these faults, as the figures of each have it too."""
    cells = {node: fault.cells for fault in together for node in fault.nodes}
    diagnoses = {node: fault.diagnosis for fault in together for node in fault.nodes}
    result = program.compare(body, cells, diagnoses)
    for fault in together:
        figures.end(fault.name, result)
    return result


def rounds(faults: Sequence[Fault]) -> Iterator[Round]:
    """The faults, as many of one node together as may be, each of a node of its own; all others alone."""
    single = [fault for fault in faults if fault.nodes == (NODE,)]
    count = -(-len(single) // TOGETHER)
    for number in range(count):
        # Those that stand together are of one kind, and three nodes that miss one mount would be a file server's fault.
        chosen = single[number::count]
        yield tuple(replace(each, nodes=(node,)) for each, node in zip(chosen, EVERY_NODE, strict=False))
    yield from ((fault,) for fault in faults if fault not in single)


@pytest.mark.parametrize("together", list(rounds(FAULTS)), ids=lambda faults: ", ".join(each.name for each in faults))
def test_a_fault_costs_its_own_cells_and_no_other(program: LabProgram, figures: Figures, together: Round) -> None:
    program.make_well()  # and so there are kept connections to be misled by
    with ExitStack() as ends:
        for fault in together:
            figures.begin(fault.name)
            ends.callback(fault.end, program, fault.nodes)
            fault.begin(program, fault.nodes)
        body = program.sweep_all()
    result = compare(program, figures, body, together)
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
    fault.begin(program, fault.nodes)
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(program.get, "/api/v1/sinfo?max_age=0")
            body = program.sweep_all()
            status, text = asked.result()
    finally:
        fault.end(program, fault.nodes)
    result = compare(program, figures, body, (fault,))
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
        fault.begin(program, fault.nodes)
        ended = program.end_of(sweep)
    finally:
        fault.end(program, fault.nodes)
        program.lab.do("join", ANCHOR)
    body = program.json(f"/api/v1/status?groups=all&max_age={LAST_KNOWN_S}")
    cells = {ANCHOR: DEAF, **dict.fromkeys(fault.nodes, fault.cells)}
    diagnoses = {ANCHOR: "ssh-timeout", **dict.fromkeys(fault.nodes, fault.diagnosis)}
    result = figures.end(fault.name, program.compare(body, cells, diagnoses))
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
    result = figures.end(
        "node hung while it answers", program.compare(body, {NODE: AT_WORK}, {NODE: f"{CUT_SHORT} mount-hung"})
    )
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
