"""One simulated cluster for all tests that speak its protocols, and a client for each protocol."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import paramiko
import pytest
from pyghmi.ipmi.command import Command

from botd.config import load_config, read_secret
from botd.demo import DemoCluster
from botd.demo.machine import Node
from botd.demo.site import build_site
from botd.nodeset import fill_in
from botd.settings import Config

BOOT_S = 0.8
NODES = 64
SEED = 1


@dataclass
class DemoSite:
    """The running cluster as a client sees it, and the nodes that it was built from."""

    cluster: DemoCluster
    config: Config
    addresses: dict[str, str]
    nodes: list[Node]

    def node(self, wanted: Callable[[Node], bool]) -> Node:
        """The first node of that kind."""
        return next(node for node in self.nodes if wanted(node))

    def take_sound(self) -> Node:
        """A sound node without jobs that no other test has had."""
        place = next(i for i, node in enumerate(self.nodes) if is_idle(node, self))
        return self.nodes.pop(place)

    def run(self, tool: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One run of a stand-in."""
        command = [str(self.cluster.tools / tool), *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)

    def slurm_state(self, name: str) -> str:
        """State and reason as sinfo has them now."""
        return self.run("sinfo", "-h", "-n", name, "-o", "%T|%E").stdout.splitlines()[0]

    def pings(self, name: str) -> bool:
        """Whether the node answers fping now."""
        return self.run("fping", "-c", "1", "-q", "-t", "50", name).returncode == 0

    @contextlib.contextmanager
    def bmc(self, name: str, password: str = "") -> Iterator[Command]:
        """An operator's session with the node's BMC, closed at the end. Raises IpmiException."""
        settings = self.config.bmc
        secret = password or read_secret(self.config, self.config.actions.bmc_password_file, "")
        address = self.addresses[fill_in(settings.address, name)]
        # As bytes: with text pyghmi 1.6 finds its own ended session again, and waits for it for ever.
        user, key = self.config.actions.bmc_user.encode(), secret.encode()
        command = Command(bmc=address, userid=user, password=key, port=settings.port)
        try:
            yield command
        finally:
            command.ipmi_session.logout()

    def heard(self) -> Any:
        """What the cluster was told to do so far, and which LEDs blink."""
        return json.loads(self.run("heard", "--json").stdout)

    def orders(self, name: str) -> list[tuple[str, str, str]]:
        """Place, words and answer of each order that one node got."""
        orders = self.heard()["orders"]
        return [(each["place"], each["words"], each["answer"]) for each in orders if each["node"] == name]

    def set_power(self, name: str, state: str) -> None:
        """Asks the node's BMC for `on` or `off`."""
        with self.bmc(name) as command:
            assert command.set_power(state) in ({"pendingpowerstate": state}, {"powerstate": state})

    def power(self, name: str) -> str:
        """What the node's BMC says."""
        with self.bmc(name) as command:
            return str(command.get_power()["powerstate"])

    def login(self, name: str, timeout_s: float = 30.0) -> paramiko.Transport:
        """An authenticated connection, whose host key is the known one. Raises as paramiko does."""
        wire = socket.create_connection((self.addresses[name], self.config.ssh.port), timeout_s)
        transport = paramiko.Transport(wire)
        transport.banner_timeout = timeout_s
        try:
            transport.start_client(timeout=timeout_s)
            known = paramiko.HostKeys(self.config.ssh.known_hosts)
            if not known.check(f"[{name}]:{self.config.ssh.port}", transport.get_remote_server_key()):
                raise paramiko.SSHException("another host key")
            key = paramiko.Ed25519Key.from_private_key_file(self.config.ssh.key_file)
            transport.auth_publickey(self.config.ssh.user, key)
        except BaseException:
            transport.close()
            raise
        return transport


def is_idle(node: Node, site: DemoSite) -> bool:
    """Whether nothing is wrong with the node and no job is on it."""
    sound = node.up and not node.standing.reason and node.health.bmc and not node.health.lossy
    return sound and site.slurm_state(node.name).startswith("idle")


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoSite]:
    with DemoCluster(NODES, seed=SEED, boot_s=BOOT_S, slurmd_timeout_s=0.5) as cluster:
        config = load_config(str(cluster.config_path))
        with open(config.nodes.hosts_file, encoding="ascii") as lines:
            addresses = {name: address for address, name in map(str.split, lines)}
        yield DemoSite(cluster, config, addresses, build_site(NODES, SEED, time.time()).nodes)
