"""An agent with all that it needs: fping on loopback, group files, a saved sinfo list, SQLite."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from botd.agent.loop import Agent
from botd.config import load_config
from botd.store import Store
from tests.conftest import need_program
from tests.program import wait_until

SINFO = """NODELIST STATE TIMESTAMP USER REASON
n[1-3] drain 2026-11-23T20:16:37 root bad GPU 3, RMA open
"""
CONFIG = """
[server]
threads = 128
[slurm]
sinfo_file = "sinfo.txt"
squeue = "./squeue"
sacct = ""
refresh = {refresh}
[sweep]
interval = {interval}
least_age = 0
checks = ["ping"]
deadline = {patience}
node_deadline = {patience}
[groups]
directories = ["groups"]
[nodes]
hosts_file = "hosts"
[ssh]
port = {port}
known_hosts = "/dev/null"
connect_timeout = {patience}
[bmc]
port = 1
timeout = 0.3
"""


PATIENCE_S = 120
"""Time limit of logins and sweeps: a sweep that waits for a silent server lasts until the test lets it end."""


class Lone:
    """A folder with everything that an agent of five loopback nodes needs."""

    def __init__(self, folder: Path, *, interval: float = 0, port: int = 1, refresh: float = 3600) -> None:
        self.path = folder / "botd.toml"
        self.path.write_text(CONFIG.format(interval=interval, port=port, refresh=refresh, patience=PATIENCE_S))
        (folder / "sinfo.txt").write_text(SINFO)
        (folder / "hosts").write_text("".join(f"127.0.9.{i} n{i}\n" for i in range(1, 6)))
        (folder / "groups").mkdir()
        (folder / "groups" / "others").write_text("n[4-5]\n")
        self.config = load_config(str(self.path))
        self.store = Store(self.config)

    def process(self) -> subprocess.Popen[bytes]:
        """The agent as a process of its own."""
        words = [sys.executable, "-m", "botd", "agent", "--config", str(self.path)]
        return subprocess.Popen(words, stderr=subprocess.PIPE)


@pytest.fixture
def lone(tmp_path: Path) -> Lone:
    need_program("fping")
    return Lone(tmp_path)


@pytest.fixture
def run_agent() -> Iterator[Callable[[Lone], Agent]]:
    """Runs agents in threads of this process until the test is over."""
    stop, threads = threading.Event(), []

    def run(lone: Lone) -> Agent:
        agent = Agent(lone.config)
        threads.append(threading.Thread(target=agent.run, args=(stop,)))
        threads[-1].start()
        wait_until(lambda: lone.store.pulse().list_tried_at)
        return agent

    yield run
    stop.set()
    for thread in threads:
        thread.join(60)


class SilentServer:
    """Takes connections on every loopback address, says nothing, and hangs up on all of them at the end of the block.

    A sweep of logins there lasts as long as the block.
    """

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("0.0.0.0", 0), backlog=64)
        self.port = int(self._socket.getsockname()[1])
        self.taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take)
        self._thread.start()
        return self

    def _take(self) -> None:
        with suppress(OSError):  # it was shut down
            while True:
                self.taken.append(self._socket.accept()[0])

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for taken in (self._socket, *self.taken):
            taken.close()


def tried(lone: Lone, before: object) -> bool:
    """Whether an agent has looked at Slurm since the look at `before`."""
    try:
        tried_at = lone.store.pulse().list_tried_at
    except Exception:
        return False
    return tried_at is not None and tried_at != before
