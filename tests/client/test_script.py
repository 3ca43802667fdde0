"""What botd suggests, edited and run in a real bash, to the node that is in service again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.client.conftest import PROGRAM, Home
from tests.conftest import need_program
from tests.program import DemoProgram, wait_until

ROOT = Path(__file__).parent.parent.parent

ROUND_TRIP = r"""
set -eu
bofhbot suggest --site demo -g "$1" >todo.sh
sed -i '/^bofhbot do /!d; s/$/ --ssh --login kmf/' todo.sh
exec bash todo.sh
"""


@pytest.fixture
def ready(program: DemoProgram) -> str:
    """A node that may go back, and not the last one: other tests need one too."""
    family = next(f for f in program.json("/api/v1/round")["families"] if f["family"] == "ready")
    assert len(family["nodes"]) > 1
    return str(family["nodes"][0]["node"])


def test_a_script_that_was_edited_puts_a_node_back(kmf: Home, ready: str, program: DemoProgram, tmp_path: Path) -> None:
    command = tmp_path / "bofhbot"
    command.write_text(f"#!/bin/sh\nexec {PROGRAM[0]} {PROGRAM[1]} '{PROGRAM[2]}' \"$@\"\n")
    command.chmod(0o755)
    environ = {**kmf.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{kmf.environ['PATH']}"}
    words = [need_program("bash"), "-c", ROUND_TRIP, "bash", ready]
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\t")[2:5] == [ready, "resume", "succeeded"]
    wait_until(lambda: program.tool("sinfo", "-h", "-n", ready, "-o", "%T").strip() == "idle")
    assert (tmp_path / "todo.sh").read_text().count("\n") == 1
