"""`botd replay` over the record that a running botd made: what it read, what a person did, and what it did itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.client.conftest import Home
from tests.program import DemoProgram


def replayed(program: DemoProgram, *words: str) -> str:
    """What it prints."""
    command = [sys.executable, "-m", "botd", "replay", *words, "--config", str(program.config_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def recommended(out: str) -> dict[str, int]:
    """The ways of the line that counts them."""
    (line,) = re.findall(r"^recommended: (.*)$", out, re.MULTILINE)
    return {way: int(count) for way, count in (each.rsplit(" ", 1) for each in line.split(", "))}


def look_again(program: DemoProgram, nodes: str) -> None:
    """Reads Slurm's list and these nodes anew, so that both are on record."""
    program.json("/api/v1/sinfo?max_age=0")
    program.json(f"/api/v1/status?groups={nodes}&max_age=0")


def test_the_record_of_a_running_botd_is_gone_through(kmf: Home, program: DemoProgram, tmp_path: Path) -> None:
    every = program.json("/api/v1/status?groups=all&max_age=100000")["nodes"]
    idle = [each["node"] for each in every if each["slurm"]["state"] == "idle" and each["recommendation"] is None]
    theirs, ours = idle[-2:]
    for node in (theirs, ours):
        program.tool("scontrol", "update", f"nodename={node}", "state=drain", "reason=Kill task failed")
    look_again(program, f"{theirs},{ours}")
    program.tool("scontrol", "update", f"nodename={theirs}", "state=resume")  # a person's, past botd
    kmf.good("do", "resume", ours, "--reason", "it is well")
    look_again(program, f"{theirs},{ours}")

    out = replayed(program)
    assert "agreement: 1 of 1 presses of people" in out
    assert int(re.search(r"^(\d+) diagnoses", out, re.MULTILINE)[1]) == sum(recommended(out).values())
    assert recommended(out)["power-cycle"] > 0
    assert recommended(out)["resume"] >= 2

    (tmp_path / "policy.toml").write_text("[advice]\nleast_p = 0.99\n")
    strict = replayed(program, "--policy", str(tmp_path / "policy.toml"))
    assert recommended(strict).keys() <= {"person", "wait", "nothing"}
    assert "agreement: 0 of 1 presses of people" in strict
    assert "people: resume, botd: person: 1" in strict
