"""Two networks in namespaces that cannot reach each other, a worker in each, a real agent, Redis and PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from botd.config import load_config
from botd.documents import ReadingDocument
from botd.store import Store
from botd.workers.keys import signing_key
from botd.workers.letters import public_of
from tests.conftest import leave_out, need_program
from tests.lab.net import create_netns, delete_netns, in_netns, unplug
from tests.lab.proc import run
from tests.program import wait_until
from tests.store.postgres import run_sql, running_postgres
from tests.workers.conftest import Broker

COMMON = """
[sweep]
interval = 2
checks = ["ping"]
[slurm]
sinfo_file = "sinfo.txt"
squeue = "false"
sacct = ""
[groups]
directories = []
[nodes]
hosts_file = "hosts"
[store]
url = "{url}"
[workers]
broker_file = "{name}.broker"
key_file = "{name}.key"
silent = 8
"""

NETWORK = '[[network]]\nname = "{net}"\nnodes = ["{net}[1-3]"]\nkeys = ["{key}"]\n'

NETS = {"a": 81, "b": 82}
"""The networks, each with a part of its addresses: 10.79.N.2 is a worker's, behind which nodes are 10.80.N.1 to .3."""


class Apart:
    """The namespaces and all processes."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self._running: list[subprocess.Popen[bytes]] = []
        (folder / "sinfo.txt").write_text(
            "NODELIST STATE TIMESTAMP USER REASON\n"
            + "".join(f"{net}[1-3] drain 2026-11-23T20:16:37 root bad GPU\n" for net in NETS)
        )
        hosts = [f"10.80.{part}.{number} {net}{number}\n" for net, part in NETS.items() for number in (1, 2, 3)]
        (folder / "hosts").write_text("".join(hosts))
        for net, part in NETS.items():
            self._lay(net, part)
        self.broker = Broker(folder, "0.0.0.0")
        keys = {name: public_of(signing_key(load_config(str(self._write(name, ""))))) for name in ("agent", *NETS)}
        networks = "".join(NETWORK.format(net=net, key=keys[net]) for net in NETS)
        for name in keys:
            self._write(name, f'agent_key = "{keys["agent"]}"\n{networks}' if name in NETS else networks)
        self.store = Store(load_config(str(folder / "agent.toml")))
        self.store.create()

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """The agent, or the worker of a network in its namespace."""
        words = ["agent"] if name == "agent" else ["worker", "--network", name]
        line = [sys.executable, "-m", "botd", *words, "--config", str(self._folder / f"{name}.toml")]
        log = (self._folder / f"{name}.log").open("ab")
        self._running.append(subprocess.Popen(in_netns(self.netns(name), line) if name in NETS else line, stderr=log))
        return self._running[-1]

    def netns(self, net: str) -> Path:
        return self._folder / f"net-{net}"

    def ping(self, node: str) -> ReadingDocument | None:
        return self.store.readings.since(0).get(node, {}).get("ping")

    def are(self, state: str, net: str) -> bool:
        """Whether all nodes of a network are in this state now."""
        return all((self.ping(f"{net}{number}") or {}).get("state") == state for number in (1, 2, 3))

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
        self.store.close()
        self.broker.kill()
        for net in NETS:
            unplug(self._link(net))
            delete_netns(self.netns(net))

    def cut(self, net: str, state: str) -> None:
        """A partition between a worker and the broker begins (`down`) or ends (`up`)."""
        run(["ip", "link", "set", self._link(net), state])

    def _link(self, net: str) -> str:
        return f"botdw-{net}"

    def _lay(self, net: str, part: int) -> None:
        create_netns(self.netns(net))
        link = self._link(net)
        run(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(self.netns(net))])
        run(["ip", "-batch", "-"], f"addr add 10.79.{part}.1/30 dev {link}\nlink set {link} up\n")
        nodes = "".join(f"addr add 10.80.{part}.{number}/32 dev lo\n" for number in (1, 2, 3))
        inside = f"link set lo up\naddr add 10.79.{part}.2/30 dev eth0\nlink set eth0 up\n{nodes}"
        run(in_netns(self.netns(net), ["ip", "-batch", "-"]), inside)

    def _write(self, name: str, more: str) -> Path:
        where = "127.0.0.1" if name == "agent" else f"10.79.{NETS[name]}.1"
        secret = self._folder / f"{name}.broker"
        secret.write_text(self.broker.url(where))
        secret.chmod(0o600)
        path = self._folder / f"{name}.toml"
        path.write_text(COMMON.format(name=name, url=self._url) + more)
        return path


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    if os.geteuid() != 0:
        leave_out("network namespaces take root")
    need_program("fping")
    with running_postgres() as server:
        run_sql(server, "CREATE DATABASE botd_apart TEMPLATE template0")
        made = Apart(tmp_path, f"{server}/botd_apart")
        yield made
        made.close()


def test_two_networks_that_cannot_reach_each_other_are_read_and_a_partition_costs_one(apart: Apart) -> None:
    lost = subprocess.run(in_netns(apart.netns("a"), ["ping", "-c1", "-W1", "10.80.82.1"]), capture_output=True)
    assert lost.returncode != 0
    apart.start("agent")
    apart.start("a")
    apart.start("b")
    wait_until(lambda: apart.are("ok", "a") and apart.are("ok", "b"))

    apart.cut("b", "down")
    wait_until(lambda: apart.are("unknown", "b"))
    assert apart.ping("b1")["detail"].startswith("no worker for b since ")
    assert apart.are("ok", "a")
    apart.cut("b", "up")
    wait_until(lambda: apart.are("ok", "b"))
