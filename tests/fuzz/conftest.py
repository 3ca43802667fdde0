"""How long the fuzzing goes on, and the running program that the requests go to.

The same examples come in each run, so that a change fails for what it changed. `BOTD_FUZZ_EXAMPLES=5000` tries that
many of each kind instead, other ones each time.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import settings

from botd.commands.demo_people import add_people
from botd.demo import DemoCluster
from botd.demo.code import code
from tests.program import DemoProgram, free_port, wait_until

NODES = 24
EXAMPLES = int(os.environ.get("BOTD_FUZZ_EXAMPLES", 0))

FUZZ = settings(max_examples=EXAMPLES or 100, derandomize=not EXAMPLES)
"""What every test here is decorated with: the profile of all tests, with more examples where they are asked for."""

SHORT = {
    "[server]": "workers = 1\nthreads = 8\nmax_streams = 4",
    "[slurm]": "timeout = 3",
    "[sweep]": "deadline = 3\nnode_deadline = 3",
    "[ssh]": "connect_timeout = 1",
}
"""Settings by section: no request has to wait for more than seconds, and all meet in one process."""


PASSWORD = "as in the demo"

ANSWERS_WITHIN_S = 30.0
"""How long any request may take: a sweep and the one before it, on a busy machine."""

GROWS_AT_MOST_MB = 256
"""Over all requests of a run, hundreds of megabytes of them eight at once. malloc(3) keeps for each thread what its
largest requests once needed, some 20 MB; after that no more is taken."""


def fuzz(examples: int) -> settings:
    """The profile with another number of examples, for what costs more or less than most."""
    return settings(FUZZ, max_examples=EXAMPLES or examples)


@pytest.fixture(scope="session")
def program() -> Iterator[DemoProgram]:
    """`botd serve` on a simulated cluster that has been read once, with time limits of a few seconds."""
    port = free_port()
    with DemoCluster(NODES, f"127.0.0.1:{port}", boot_s=0.5, slurmd_timeout_s=0.5) as cluster:
        text = cluster.config_text()
        for section, lines in SHORT.items():
            text = text.replace(f"{section}\n", f"{section}\n{lines}\n")
        cluster.config_path.write_text(f'{text}\n[notes]\nwriters = "anyone"\n')
        add_people(str(cluster.config_path), PASSWORD, cluster.secrets)
        running = DemoProgram(cluster, port)
        try:
            wait_until(running.is_well, 60)
            running.json("/api/v1/status?groups=all&max_age=0")
            footprint = Footprint(running)
            yield running
            assert footprint.grown_mb() < GROWS_AT_MOST_MB
        finally:
            running.stop()


@pytest.fixture(scope="session")
def session(program: DemoProgram) -> str:
    """The token of an administrator who has logged in."""
    digits = code((program.cluster.secrets / "kmf").read_text(), time.time())
    body = json.dumps({"login": "kmf", "password": PASSWORD, "code": digits}).encode()
    request = urllib.request.Request(f"{program.base}/api/v2/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return str(json.load(response)["token"])


class Footprint:
    """The memory of agent, gunicorn and its workers as it was when this was made. What the agent starts passes."""

    def __init__(self, program: DemoProgram) -> None:
        self._program = program
        self._before = self._resident()

    def grown_mb(self) -> float:
        """By how much the process has grown that has grown most. Fails when one has ended meanwhile."""
        now = self._resident()
        assert now.keys() == self._before.keys(), "a process of the program ended"
        return max(now[pid] - self._before[pid] for pid in now) / 2**20

    def _resident(self) -> dict[int, int]:
        agent = psutil.Process(self._program.json("/healthz")["agent"]["pid"])
        return {process.pid: process.memory_info().rss for process in (agent, *self._program.web())}
