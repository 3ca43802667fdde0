"""A running program on the simulated cluster, and the three text browsers, each with a home of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from botd.demo import DemoCluster
from tests.conftest import need_program
from tests.program import DemoProgram, free_port, wait_until
from tests.text_browsers.terminal import Terminal

NODES = 32
BROWSERS = ("elinks", "lynx", "w3m")
HOSTILE = '<script>alert(1)</script> "quoted" =cmd() \x1b[31mred\x1b[0m \u202egnp.exe &amp; \x9b1m'

Dump = Callable[[str, int], str]
"""What a browser prints of a path of the program, laid out for a terminal of so many columns."""


@pytest.fixture(scope="session")
def program() -> Iterator[DemoProgram]:
    """A small cluster, every node of it read, on which nothing changes any more; one node's reason is hostile."""
    port = free_port()
    with DemoCluster(NODES, f"127.0.0.1:{port}", boot_s=0.5, slurmd_timeout_s=0.5) as cluster:
        config = cluster.config_text().replace("interval = 60", "interval = 0")
        cluster.config_path.write_text(config, encoding="utf-8")
        running = DemoProgram(cluster, port)
        try:
            wait_until(lambda: running.is_well() and running.get("/api/v1/group-list")[0] == 200, 60)
            node = next(n["node"] for n in every_node(running) if n["slurm"]["state"] == "idle")
            running.tool("scontrol", "update", f"nodename={node}", "state=drain", f"reason={HOSTILE}")
            running.json("/api/v1/sinfo?max_age=0")
            running.json("/api/v1/status?groups=all&max_age=0")
            yield running
        finally:
            running.stop()


def every_node(program: DemoProgram, groups: str = "all") -> list[dict[str, Any]]:
    """The nodes of the last readings as documents."""
    found: list[dict[str, Any]] = program.json(f"/api/v1/status?groups={groups}&max_age=100000")["nodes"]
    return found


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A browser's environment with no settings of the person who runs the tests."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "linux", "LANG": "C.UTF-8"}


@pytest.fixture(params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> str:
    need_program(request.param)
    return str(request.param)


@pytest.fixture
def dump(browser: str, program: DemoProgram, environment: dict[str, str]) -> Dump:
    def run(path: str, columns: int) -> str:
        words = {
            "elinks": ["elinks", "-dump", "-no-references", "-no-numbering", "-dump-width", str(columns)],
            "lynx": ["lynx", "-dump", "-nolist", "-nonumbers", f"-width={columns}"],
            "w3m": ["w3m", "-dump", "-cols", str(columns)],
        }[browser]
        done = subprocess.run([*words, program.base + path], capture_output=True, env=environment, timeout=60)
        assert done.stdout, done.stderr  # the exit status of lynx tells of an error page
        return done.stdout.decode("utf-8").replace("\u00a0", " ")

    return run


@pytest.fixture
def terminal(browser: str, program: DemoProgram, environment: dict[str, str]) -> Iterator[Terminal]:
    """The browser in front of a person, on the matrix."""
    words = {"elinks": ["elinks", "-no-connect"], "lynx": ["lynx"], "w3m": ["w3m"]}[browser]
    with Terminal([*words, program.base + "/nodes"], environment) as opened:
        yield opened
