"""The child process in which the whole simulated cluster lives: `python -m botd.demo.simulator`.

It writes its files, opens its ports, prints one line of JSON that says where it is, and runs until SIGTERM,
SIGINT or the death of the process that started it. Whatever ends it, its directory goes with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import logging
import os
import resource
import shutil
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import TypeVar

from botd.config import parse_config
from botd.demo import files
from botd.demo.node_bmc import Account, BmcFront, Privilege
from botd.demo.node_shell import USER, NodeShell
from botd.demo.node_ssh import SshFront
from botd.demo.site import build_site
from botd.demo.state import ClusterState, Times
from botd.demo.tools.base import ZONE
from botd.demo.tools.table import run_tool

SSH_PORTS = range(2222, 2322)
BMC_PORTS = range(6230, 6330)

SPARE_FILES = 200

STILL_WRITES_S = 20.0
"""How long an agent may take to end that was told to."""

Front = TypeVar("Front")


class Simulator:
    """The cluster on an event loop: it opens all doors, and keeps them as the state has them."""

    def __init__(self, state: ClusterState, directory: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._state, self._directory = state, directory
        self._ssh: SshFront | None = None
        self._bmc: BmcFront | None = None
        self._tools: asyncio.Server | None = None
        self._alarm: asyncio.TimerHandle | None = None

    async def start(self, listen: str) -> None:
        """Opens every port and writes every file. Raises OSError."""
        nodes = list(self._state.nodes.values())
        keys = files.make_keys(self._directory)
        accounts = {
            USER: Account(files.make_password(self._directory, files.PASSWORD), Privilege.USER),
            files.ACTOR: Account(files.make_password(self._directory, files.ACTOR_PASSWORD), Privilege.OPERATOR),
        }
        config = parse_config(tomllib.loads(files.config_text(self._directory, listen, 22, 623)))
        shell = NodeShell(self._state, config)
        self._bmc = _on_free_port(BMC_PORTS, lambda port: BmcFront(self._state, accounts, port))
        self._ssh = _on_free_port(SSH_PORTS, lambda port: self._open_ssh(SshFront(self._state, shell, keys, port)))
        self._tools = await asyncio.start_unix_server(self._answer_tool, self._directory / files.SOCKET)
        self._state.watch = lambda name: self._loop.call_soon_threadsafe(self._apply, name)
        files.write_stand_ins(self._directory)
        files.write_slurm_helper(self._directory)
        files.write_roles(self._directory)
        files.write_names(self._directory, nodes, keys.host, self._ssh.port)
        text = files.config_text(self._directory, listen, self._ssh.port, self._bmc.port)
        (self._directory / files.CONFIG_FILE).write_text(text, encoding="utf-8")

    def close(self) -> None:
        """Closes every port and ends every connection."""
        self._state.watch = lambda _: None
        for part in (self._tools, self._bmc, self._ssh):
            if part:
                part.close()
        if self._alarm:
            self._alarm.cancel()

    def _open_ssh(self, front: SshFront) -> SshFront:
        try:
            for name in self._state.nodes:
                front.apply(name)
        except OSError:
            front.close()
            raise
        return front

    def _apply(self, name: str) -> None:
        """Follows a change of one node."""
        if self._ssh:
            self._ssh.apply(name)
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Wakes when the state has something due; until then nothing runs."""
        if self._alarm:
            self._alarm.cancel()
        due = self._state.next_due()
        self._alarm = self._loop.call_later(due - self._state.now(), self._settle) if due is not None else None

    def _settle(self) -> None:
        self._state.settle()
        self._set_alarm()

    async def _answer_tool(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One run of a stand-in; `botd.demo.standin` has the form of what goes over the socket."""
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            head, _, rest = (await reader.read(-1)).partition(b"\n")
            count, zone = head.split()
            *words, stdin = rest.split(b"\0", int(count))
            ZONE.set(UTC if zone == b"UTC" else None)
            texts = [word.decode("utf-8", "replace") for word in words]
            # In a thread, so that a long table does not keep the BMCs waiting.
            done = await asyncio.to_thread(run_tool, self._state, texts, stdin)
            await asyncio.sleep(done.after_s)
            writer.write(b"%d %d\n" % (done.status, len(done.out)) + done.out + done.err)
            await writer.drain()


def main(argv: list[str]) -> int:
    """Runs the cluster. The exit status is 1 when it could not start; the line on standard output says why."""
    asked = _parser().parse_args(argv)
    # What paramiko has to say of a client that goes away is of no interest to anybody here.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    directory = Path(asked.directory)
    try:
        _allow_files(asked.nodes)
        asyncio.run(_run(asked, directory))
    except OSError as error:
        _say({"error": f"the simulated cluster cannot start: {error}"})
        return 1
    finally:
        _remove(directory)
    return 0


def _remove(directory: Path) -> None:
    """Removes the directory, also while an agent that is told to end still writes into it."""
    ends_at = time.monotonic() + STILL_WRITES_S
    shutil.rmtree(directory, ignore_errors=True)
    while directory.exists() and time.monotonic() < ends_at:
        time.sleep(0.1)
        shutil.rmtree(directory, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="botd.demo.simulator", description=__doc__)
    parser.add_argument("directory", help="an empty directory, removed at the end")
    parser.add_argument("--nodes", type=int, default=320)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--listen", default="127.0.0.1:5000", help="where botd shall serve; goes into botd.toml")
    parser.add_argument("--parent", type=int, default=0, help="the process with which this one ends")
    for name, usual in (("boot", Times.boot_s), ("cycle", Times.cycle_s), ("slurmd-timeout", Times.slurmd_timeout_s)):
        parser.add_argument(f"--{name}", type=float, default=usual, help="seconds")
    return parser


async def _run(asked: argparse.Namespace, directory: Path) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    site = build_site(asked.nodes, asked.seed, time.time())
    times = Times(asked.boot, asked.cycle, asked.slurmd_timeout)
    simulator = Simulator(ClusterState(site.nodes, site.jobs, time.time, times), directory)
    try:
        with _watched(asked.parent, stopped):
            await simulator.start(asked.listen)
            _say({"config": str(directory / files.CONFIG_FILE)})
            await stopped.wait()
    finally:
        simulator.close()


@contextlib.contextmanager
def _watched(parent: int, stopped: asyncio.Event) -> Iterator[None]:
    """Sets the event when the parent dies, however it dies. 0 is no parent."""
    if not parent:
        yield
        return
    try:
        descriptor = os.pidfd_open(parent)
    except ProcessLookupError:
        stopped.set()
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, stopped.set)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _on_free_port(ports: range, start: Callable[[int], Front]) -> Front:
    """The part, started on the first port that nobody has. Raises OSError when all are taken."""
    for port in ports:
        try:
            return start(port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(f"every port from {ports.start} to {ports.stop - 1} is taken")


def _allow_files(nodes: int) -> None:
    """Raises the limit of open files to what this many nodes may need, when each is connected to."""
    wanted = SPARE_FILES + 3 * nodes
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < SPARE_FILES + 2 * nodes:
        raise OSError(f"{nodes} nodes need {wanted} open files, and the limit is {hard} (ulimit -Hn)")
    if soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _say(message: dict[str, str]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
