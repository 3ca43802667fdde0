"""An agent's office, a broker (Redis of Debian) and workers, all on loopback: the nodes are addresses of it."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from botd.checks import site_checks
from botd.config import load_config
from botd.inventory.networks import networks_of
from botd.model import Reading, utc_now
from botd.sweep import make_plan, run_sweep
from botd.workers.broker import Post
from botd.workers.keys import signing_key
from botd.workers.letters import public_of
from botd.workers.office import Office
from tests.conftest import need_program
from tests.program import PATIENCE_S, wait_until

AGENT = """
[sweep]
deadline = {deadline}
parallel = {parallel}
[bmc]
port = 1
timeout = 0.3
[nodes]
hosts_file = "hosts"
[ping]
command = "{ping}"
[workers]
broker_file = "broker"
key_file = "{key}"
slice = {slice}
silent = {silent}
"""

NETWORK = """
[[network]]
name = "{name}"
nodes = ["{nodes}"]
probes = ["ping"]
keys = {keys}
"""

PASSWORD = f"open {secrets.token_hex(16)}"


def holding_fping(folder: Path) -> None:
    """Makes `fping NAME ...` there: while `fping.NAME` is there it waits and makes `fping.NAME.held`."""
    pinger = folder / "fping"
    wait = 'while [ -e "$0.$1" ]; do : > "$0.$1.held"; sleep 0.05; done'
    pinger.write_text(f'#!/bin/sh\n{wait}\nshift\nexec {need_program("fping")} "$@"\n')
    pinger.chmod(0o755)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Broker:
    """A Redis with a password, which forgets all when it is killed. It listens on loopback, and where it is told to."""

    def __init__(self, folder: Path, *addresses: str) -> None:
        self.port = free_port()
        self._addresses = ("127.0.0.1", *addresses)
        self._folder = folder
        self._program = need_program("redis-server")
        (folder / "broker").write_text(self.url("127.0.0.1"))
        (folder / "broker").chmod(0o600)
        self.start()

    def start(self) -> None:
        words = ["--port", str(self.port), "--bind", *self._addresses, "--save", "", "--requirepass", PASSWORD]
        self.process = subprocess.Popen([self._program, *words], cwd=self._folder, stdout=subprocess.DEVNULL)
        wait_until(self._answers)

    def url(self, address: str) -> str:
        return f"redis://:{quote(PASSWORD)}@{address}:{self.port}/0\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Cluster:
    """Networks `a` (a1 to a4) and `b` (b1 to b4), and an office that asks them. A worker of one has its own folder."""

    def __init__(
        self, folder: Path, *, deadline: float = PATIENCE_S, slice: int = 2, silent: float = 30, parallel: int = 4
    ) -> None:
        self.folder, self.workers = folder, dict[str, subprocess.Popen[bytes]]()
        self._set = {"deadline": deadline, "slice": slice, "silent": silent, "parallel": parallel}
        hosts = [f"127.0.{0 if net == 'a' else 1}.{number} {net}{number}" for net in "ab" for number in range(1, 5)]
        (folder / "hosts").write_text("\n".join(hosts) + "\n")
        holding_fping(folder)
        self.broker = Broker(folder)
        self._agent_key = public_of(signing_key(load_config(str(self._write("agent")))))
        self._keys = {name: self._key_of(name) for name in ("a", "b", "a2")}
        self.config = load_config(str(self._write("agent", self._networks())))
        self.checks = site_checks(self.config)
        self.post = Post(self.config)
        self.office = Office(self.config, networks_of(self.config), signing_key(self.config), self.post, clock=utc_now)
        self.post.listen(self.office)

    def work(self, network: str, key: str = "") -> subprocess.Popen[bytes]:
        """A worker of a network, once it gave a sign of life."""
        before = set(self.office.there(network))
        path = self._write(key or network, self._networks())
        words = [sys.executable, "-m", "botd", "--log-level", "warning", "worker", "--network", network]
        log = (self.folder / f"{key or network}.log").open("ab")
        process = subprocess.Popen([*words, "--config", str(path)], stderr=log)
        self.end(key or network)
        self.workers[key or network] = process
        wait_until(lambda: set(self.office.there(network)) - before)
        return process

    def sweep(
        self, *nodes: str, deadline_s: float | None = None, emit: Callable[[str], None] = lambda _: None
    ) -> tuple[dict[str, Reading], list[str]]:
        """What ping says of each node, and what failed as a whole. `emit` takes each node as it comes out."""
        plan = make_plan(nodes, self.checks, ["ping"])
        found: dict[str, Reading] = {}
        limit_s = deadline_s or self.config.sweep.deadline
        probers = self.office.probers(plan, lambda _: [], limit_s)

        def take(node: str, each: Mapping[str, Reading]) -> None:
            found[node] = each["ping"]
            emit(node)

        errors = run_sweep(plan, probers, take, deadline_s=limit_s, clock=utc_now)
        return found, errors

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """In the block the worker with this key gets no answer from any node."""
        hold = self.folder / f"fping.{key}"
        hold.touch()
        yield
        hold.unlink()

    def end(self, name: str) -> None:
        """Ends the worker with this key, if there is one."""
        if process := self.workers.pop(name, None):
            process.kill()
            process.wait()

    def close(self) -> None:
        self.post.close()
        for name in list(self.workers):
            self.end(name)
        self.broker.kill()

    def _key_of(self, name: str) -> str:
        return public_of(signing_key(load_config(str(self._write(name)))))

    def _networks(self) -> str:
        keys = {"a": [self._keys["a"], self._keys["a2"]], "b": [self._keys["b"]]}
        return "".join(NETWORK.format(name=name, nodes=f"{name}[1-4]", keys=str(keys[name])) for name in "ab")

    def _write(self, name: str, networks: str = "") -> Path:
        path = self.folder / f"{name}.toml"
        text = AGENT.format(key=f"{name}.key", ping=f"{self.folder}/fping {name}", **self._set)
        agent = f'agent_key = "{self._agent_key}"\n' if networks and name != "agent" else ""
        path.write_text(text + agent + networks)
        return path
