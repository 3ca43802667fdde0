"""Two networks in namespaces that cannot reach each other, a worker in each, a real agent, Redis and PostgreSQL.

A worker that is "held" has taken its order and waits for its nodes until the test lets it go on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from botd.config import load_config
from botd.documents import ReadingDocument
from botd.model import Sweep, utc_now
from botd.store import Store
from botd.workers.keys import signing_key
from botd.workers.letters import public_of
from tests.conftest import leave_out
from tests.lab.net import create_netns, delete_netns, in_netns, unplug
from tests.lab.proc import run
from tests.program import PATIENCE_S, wait_until
from tests.store.postgres import run_sql, running_postgres
from tests.workers.conftest import Broker, holding_fping

COMMON = """
[sweep]
interval = 0
least_age = 0
deadline = {deadline}
checks = ["ping"]
parallel = 1
[ping]
command = "{folder}/fping {name}"
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
silent = 10
slice = 1
"""

NETWORK = '[[network]]\nname = "{net}"\nnodes = ["{net}[1-3]"]\nkeys = {keys}\n'

NETS = {"a": 81, "b": 82}
"""The networks, each with a part of its addresses: 10.79.N.2 is a worker's, behind which nodes are 10.80.N.1 to .3."""

WORKERS = {"a": "a", "a2": "a", "b": "b"}
"""The workers, and the network of each."""


class Apart:
    """The namespaces and all processes. `a2` is a second worker of network `a`."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        holding_fping(folder)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "sinfo.txt").write_text(
            "NODELIST STATE TIMESTAMP USER REASON\n"
            + "".join(f"{net}[1-3] drain 2026-11-23T20:16:37 root bad GPU\n" for net in NETS)
        )
        hosts = [f"10.80.{part}.{number} {net}{number}\n" for net, part in NETS.items() for number in (1, 2, 3)]
        (folder / "hosts").write_text("".join(hosts))
        for net, part in NETS.items():
            self._lay(net, part)
        self.broker = Broker(folder, *(f"10.79.{part}.1" for part in NETS.values()))
        keys = {name: public_of(signing_key(load_config(str(self._write(name, ""))))) for name in ("agent", *WORKERS)}
        theirs = {net: [keys[name] for name in WORKERS if WORKERS[name] == net] for net in NETS}
        self._networks = "".join(NETWORK.format(net=net, keys=theirs[net]) for net in NETS)
        for name in WORKERS:
            self._write(name, f'agent_key = "{keys["agent"]}"\n{self._networks}')
        self._write("agent", self._networks)
        self.store = Store(load_config(str(folder / "agent.toml")))
        self.store.create()

    def start(self, name: str) -> None:
        """The agent, or the worker of a network in its namespace."""
        words = ["worker", "--network", WORKERS[name]] if name in WORKERS else ["agent"]
        line = [sys.executable, "-m", "botd", *words, "--config", str(self._folder / f"{name}.toml")]
        log = (self._folder / f"{name}.log").open("ab")
        self._running[name] = subprocess.Popen(
            in_netns(self.netns(WORKERS[name]), line) if name in WORKERS else line, stderr=log
        )

    def kill(self, name: str) -> None:
        """As if its machine had gone."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def netns(self, net: str) -> Path:
        return self._folder / f"net-{net}"

    def ping(self, node: str) -> ReadingDocument | None:
        return self.store.readings.since(0).get(node, {}).get("ping")

    def are(self, state: str, net: str, since: datetime) -> bool:
        """Whether all nodes of a network are in this state, by what was read after this."""
        found = [self.ping(f"{net}{number}") for number in (1, 2, 3)]
        return all(each and each["state"] == state and is_after(each, since) for each in found)

    def sweep(self) -> Sweep:
        """A sweep of all nodes, which the agent will take up."""
        nodes = [f"{net}{number}" for net in NETS for number in (1, 2, 3)]
        return self.store.sweeps.get(self.store.sweeps.request(nodes, ["ping"], 0, utc_now(), queue_limit=9))

    def errors(self, sweep: Sweep) -> tuple[str, ...]:
        """What went wrong in a sweep, once it is over."""
        wait_until(lambda: self.store.sweeps.get(sweep.id).is_over)
        return self.store.sweeps.get(sweep.id).errors

    def wait_whole(self, sweep: Sweep) -> None:
        """Waits until a sweep is over, in which nothing may have been lost."""
        assert self.errors(sweep) == ()
        assert all(self.are("ok", net, sweep.requested_at) for net in NETS)

    def wait_ok(self) -> None:
        """Waits until all can be read."""
        wait_until(lambda: self.errors(self.sweep()) == ())

    @contextmanager
    def held(self, *names: str) -> Iterator[Sweep]:
        """In the block these workers get no answer from any node. A sweep is under way, and each has a share of it."""
        holds = [self._folder / f"fping.{name}" for name in names]
        for hold in holds:
            hold.with_suffix(f"{hold.suffix}.held").unlink(missing_ok=True)
            hold.touch()
        try:
            sweep = self.sweep()
            wait_until(lambda: all(hold.with_suffix(f"{hold.suffix}.held").exists() for hold in holds))
            yield sweep
        finally:
            for hold in holds:
                hold.unlink()

    def close(self) -> None:
        for name in list(self._running):
            self.kill(name)
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
        unplug(link)  # where a run was killed it is still there
        run(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(self.netns(net))])
        run(["ip", "-batch", "-"], f"addr add 10.79.{part}.1/30 dev {link}\nlink set {link} up\n")
        nodes = "".join(f"addr add 10.80.{part}.{number}/32 dev lo\n" for number in (1, 2, 3))
        inside = f"link set lo up\naddr add 10.79.{part}.2/30 dev eth0\nlink set eth0 up\n{nodes}"
        run(in_netns(self.netns(net), ["ip", "-batch", "-"]), inside)

    def _write(self, name: str, more: str) -> Path:
        where = "127.0.0.1" if name == "agent" else f"10.79.{NETS[WORKERS[name]]}.1"
        secret = self._folder / f"{name}.broker"
        secret.write_text(self.broker.url(where))
        secret.chmod(0o600)
        path = self._folder / f"{name}.toml"
        path.write_text(COMMON.format(name=name, url=self._url, folder=self._folder, deadline=PATIENCE_S) + more)
        return path


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """The agent and a worker of each network. Each test leaves all of them at work."""
    if os.geteuid() != 0:
        leave_out("network namespaces take root")
    with running_postgres() as server:
        run_sql(server, "CREATE DATABASE botd_apart TEMPLATE template0")
        made = Apart(tmp_path_factory.mktemp("apart"), f"{server}/botd_apart")
        for name in ("agent", "a", "b"):
            made.start(name)
        yield made
        made.close()


def is_after(reading: ReadingDocument, moment: datetime) -> bool:
    return bool(reading["at"]) and datetime.fromisoformat(str(reading["at"])) > moment


def test_two_networks_that_cannot_reach_each_other_are_read(apart: Apart) -> None:
    lost = subprocess.run(in_netns(apart.netns("a"), ["ping", "-c1", "-W1", "10.80.82.1"]), capture_output=True)
    assert lost.returncode != 0
    apart.wait_ok()


def test_a_slow_worker_delays_no_node_of_another_network(apart: Apart) -> None:
    with apart.held("b") as slow:
        wait_until(lambda: apart.are("ok", "a", slow.requested_at))
        assert not apart.store.sweeps.get(slow.id).is_over
    apart.wait_whole(slow)


def test_what_a_killed_worker_had_begun_the_other_one_of_its_network_does(apart: Apart) -> None:
    apart.start("a2")
    with apart.held("a", "a2") as begun:
        apart.kill("a")
    apart.wait_whole(begun)
    apart.start("a")


def test_a_broker_that_is_killed_in_mid_sweep_and_comes_back_empty_loses_nothing(apart: Apart) -> None:
    with apart.held("b") as begun:
        apart.broker.kill()
        apart.broker.start()
    apart.wait_whole(begun)


def test_a_partition_costs_one_network_and_for_as_long_as_it_is_there(apart: Apart) -> None:
    apart.wait_ok()
    apart.cut("b", "down")
    cut_off = apart.sweep()
    assert apart.errors(cut_off)[0].startswith("no worker for b since ")
    assert apart.are("unknown", "b", cut_off.requested_at)
    assert apart.are("ok", "a", cut_off.requested_at)
    apart.cut("b", "up")
    apart.wait_ok()
