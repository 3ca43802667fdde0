"""The helper for Slurm on a real slurmctld: what it says is so, and what somebody else did meanwhile stays."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botd.settings import ActionsSettings
from botd.transport.slurm_control import Done, Refused, Shown, SlurmControl
from tests.lab.cluster import Lab
from tests.lab.record import REASONS
from tests.libexec.helper import REASON, installed
from tests.transport.sshd import make_key, running_sshd

NODE = "n0003.savio3"  # in two partitions


@pytest.fixture
def ask(lab: Lab, tmp_path: Path) -> Iterator[Any]:
    """Asks the helper, as root on the controller; afterwards the node is in service again."""
    path = tmp_path / "botd-slurm-helper"
    installed(path, Path("/usr/bin"), str(lab.slurm.config))

    def asked(line: str) -> dict[str, Any]:
        done = subprocess.run([path], input=f"{line}\n".encode(), capture_output=True, timeout=90, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    asked.path = path  # type: ignore[attr-defined]
    yield asked
    if lab.slurm.states()[NODE] != "idle":
        lab.do("make_idle", NODE)


def stamp(ask: Any) -> str:
    return str(ask(f"show {NODE}")["stamp"])


def in_slurm(lab: Lab) -> dict[str, Any]:
    """The node as `sinfo --json` has it."""
    return next(node for node in lab.slurm.nodes() if node["name"] == NODE)


def test_a_node_is_drained_once_and_taken_back(lab: Lab, ask: Any) -> None:
    drained = ask(f"drain {NODE} {stamp(ask)} {REASON}")
    assert (drained["answer"], drained["before"]["state"], drained["after"]["state"]) == ("done", "idle", "drained")
    found = in_slurm(lab)
    assert (found["reason"], found["reason_set_by_user"]) == (REASON, drained["after"]["by"]) == (REASON, "root")
    again = ask(f"drain {NODE} {stamp(ask)} {REASON}")
    assert (again["answer"], again["code"]) == ("refused", "wrong-state")
    undrained = ask(f"undrain {NODE} {stamp(ask)}")
    assert (undrained["answer"], undrained["after"]["reason"]) == ("done", None)
    assert lab.slurm.states()[NODE].rstrip("*") == "idle"  # "*" until slurmctld has heard from it again


def test_what_somebody_did_meanwhile_stays(lab: Lab, ask: Any) -> None:
    ask(f"drain {NODE} {stamp(ask)} {REASON}")
    seen = stamp(ask)
    lab.do("drain", NODE, "no IB")
    for verb in ("undrain", "resume"):
        found = ask(f"{verb} {NODE} {seen}")
        assert (found["answer"], found["code"], found["now"]["reason"]) == ("refused", "changed", "no IB")
    assert (in_slurm(lab)["reason"], lab.slurm.states()[NODE]) == ("no IB", "drained")


def test_a_node_that_is_down_is_resumed(lab: Lab, ask: Any) -> None:
    lab.slurm.run("scontrol", "update", f"nodename={NODE}", "state=down", "reason=Not responding")
    found = ask(f"resume {NODE} {stamp(ask)}")
    assert (found["answer"], found["before"]["state"]) == ("done", "down")
    assert found["after"]["state"].rstrip("*") == "idle"


@pytest.mark.parametrize("reason", REASONS)
def test_a_troublesome_reason_is_shown_whole_and_can_be_taken_back(lab: Lab, ask: Any, reason: str | bytes) -> None:
    lab.do("drain", NODE, reason)
    found = ask(f"show {NODE}")
    expected = os.fsencode(reason).decode("utf-8", "backslashreplace")
    assert found["now"]["reason"].strip() == expected.strip()
    assert ask(f"undrain {NODE} {found['stamp']}")["answer"] == "done"


def test_no_name_for_all_nodes_gets_past_it(lab: Lab, ask: Any) -> None:
    for name in ("ALL", "savio3", "savio_lowprio", "nosuch.savio3", "n0003", "labmaster", "10.77.1.1"):
        found = ask(f"drain {name} {stamp(ask)} {REASON}")
        assert (found["answer"], found["code"]) == ("refused", "unknown-node")
    assert {state.rstrip("*") for state in lab.slurm.states().values()} == {"idle"}


def test_over_ssh_with_a_forced_command_it_does_the_same(lab: Lab, ask: Any, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    public = tmp_path / "key.pub"
    public.write_text(f'restrict,command="{ask.path}" {public.read_text()}')
    with running_sshd(tmp_path / "sshd", ["127.0.0.1"], key=key) as sshd:
        options = f"-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oBatchMode=yes -i {key} -p {sshd.port}"
        control = SlurmControl(ActionsSettings(slurm=f"ssh -T -F none {options} root@127.0.0.1"))
        seen = control.show(NODE)
        assert isinstance(seen, Shown)
        drained = control.drain(NODE, seen.stamp, REASON)
        assert isinstance(drained, Done)
        lab.do("hang_slurmctld")
        try:
            assert isinstance(control.show(NODE), Refused)
        finally:
            lab.do("resume_slurmctld")
    assert drained.before.reason is None
    assert drained.after is not None
    assert (drained.after.reason, in_slurm(lab)["reason"]) == (REASON, REASON)
