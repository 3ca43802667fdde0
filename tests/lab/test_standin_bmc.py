"""The demo's BMCs against ipmi_sim: what ipmitool is told by both, order by order, and how it ends."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from botd.config import load_config, read_secret
from botd.demo import DemoCluster
from botd.nodeset import fill_in
from tests.conftest import need_program
from tests.lab import bmc
from tests.lab.cluster import Lab
from tests.lab.proc import wait_until

Told = tuple[str, str, int]


@dataclass(frozen=True)
class Login:
    """Where a BMC is, and who asks."""

    address: str
    port: int
    user: str
    password: str

    def ask(self, *words: str, user: str = "", password: str = "") -> Told:
        """What ipmitool prints on both outputs, and its status."""
        where = ["-I", "lanplus", "-C", "3", "-N", "2", "-R", "2", "-H", self.address, "-p", str(self.port)]
        where += ["-L", "OPERATOR"]  # the last one given counts
        who = ["-U", user or self.user, "-P", password or self.password]
        argv = [need_program("ipmitool"), *where, *who, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        # ipmi_sim has one thing more that a session of low privilege is refused, and ipmitool tells of it.
        stderr = re.sub(r"Get HPM\.x Capabilities request failed.*\n", "", done.stderr)
        return done.stdout, stderr, done.returncode


@pytest.fixture(scope="module")
def real(lab: Lab) -> Iterator[Login]:
    """The BMC of one node of the lab, which is well again afterwards."""
    node = lab.nodes[9]
    password = (lab.directory / "bmc_password").read_text().strip()
    yield Login(node.bmc_address, bmc.PORT, bmc.USER, password)
    node.power_on()
    lab.do("make_idle", node.name)


@pytest.fixture(scope="module")
def ours() -> Iterator[Login]:
    """The BMC of one sound node of the demo."""
    with DemoCluster(16, boot_s=0.5) as cluster:
        config = load_config(str(cluster.config_path))
        with open(config.nodes.hosts_file, encoding="ascii") as lines:
            addresses = {name: address for address, name in map(str.split, lines)}
        sinfo = [cluster.tools / "sinfo", "-h", "-N", "-t", "idle", "-o", "%N"]
        node = subprocess.run(sinfo, capture_output=True, text=True, check=True).stdout.split()[0]
        secret = read_secret(config, config.actions.bmc_password_file, "")
        yield Login(addresses[fill_in(config.bmc.address, node)], config.bmc.port, config.actions.bmc_user, secret)


# Each order, and the state of the power that it ends in.
ORDERS = (
    ("status", "on"),
    ("on", "on"),
    ("soft", "off"),
    ("soft", "off"),
    ("off", "off"),
    ("on", "on"),
    ("cycle", "on"),
    ("reset", "on"),
    ("off", "off"),
    ("on", "on"),
)


def test_each_power_order_is_answered_and_done_alike(real: Login, ours: Login) -> None:
    for order, state in ORDERS:
        assert ours.ask("power", order) == real.ask("power", order), order
        for login in (real, ours):
            told = (f"Chassis Power is {state}\n", "", 0)
            wait_until(f"power {state} after {order}", lambda: login.ask("power", "status") == told)  # noqa: B023


CHASSIS = (
    *("power", "power diag", "power bogus", "chassis status", "chassis power status"),
    *(
        "chassis identify",
        "chassis identify 0",
        "chassis identify 15",
        "chassis identify 255",
        "chassis identify force",
    ),
)


@pytest.mark.parametrize("words", CHASSIS)
def test_what_else_is_said_of_the_chassis_is_the_same(real: Login, ours: Login, words: str) -> None:
    assert ours.ask(*words.split()) == real.ask(*words.split())


@pytest.mark.parametrize("stranger", [{"user": "nobody"}, {"password": "wrong"}], ids=["user", "password"])
def test_a_stranger_is_refused_alike(real: Login, ours: Login, stranger: dict[str, str]) -> None:
    assert ours.ask("power", "status", **stranger) == real.ask("power", "status", **stranger)


@pytest.mark.parametrize("order", ["status", "on", "off", "cycle", "reset", "soft"])
def test_a_session_of_user_privilege_may_look_and_not_switch(real: Login, ours: Login, order: str) -> None:
    told = ours.ask("-L", "USER", "power", order)
    assert told == real.ask("-L", "USER", "power", order)
    assert told[2] == (0 if order == "status" else 1)


def test_a_session_of_user_privilege_may_not_let_the_led_blink(real: Login, ours: Login) -> None:
    told = ours.ask("-L", "USER", "chassis", "identify", "15")
    assert told == real.ask("-L", "USER", "chassis", "identify", "15")
    assert told[2] == 1


@pytest.mark.parametrize("order", ["cycle", "reset"])
def test_a_cycle_without_power_is_refused_by_the_demo_as_ipmi_allows_and_not_by_ipmi_sim(
    real: Login, ours: Login, order: str
) -> None:
    for login in (real, ours):
        login.ask("power", "off")
        wait_until("power off", lambda: "off" in login.ask("power", "status")[0])  # noqa: B023
    assert real.ask("power", order)[2] == 0
    told = ours.ask("power", order)
    assert (told[2], "not supported in present state" in told[1]) == (1, True)
