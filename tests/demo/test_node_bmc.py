"""The simulated BMCs through pyghmi's client, ipmitool, and bare packets."""

from __future__ import annotations

import socket
import subprocess

import pytest
from pyghmi.exceptions import IpmiException

from tests.conftest import need_program
from tests.demo.conftest import DemoSite
from tests.program import wait_until

AUTH_CAPABILITIES = bytes.fromhex("0600ff07 00 00000000 00000000 09 2018c8 8100 38 8e04 b5")
AUTH_CAPABILITIES_1_5 = bytes.fromhex("0600ff07 00 00000000 00000000 09 2018c8 8100 38 0e04 35")
ASF_PING = bytes.fromhex("0600ff06 000011be 80 2a 00 00")


def ask(demo: DemoSite, address: str, packet: bytes) -> bytes:
    """The answer to one datagram. Raises TimeoutError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(0.5)
        wire.connect((address, demo.config.bmc.port))
        wire.send(packet)
        return wire.recv(500)


def test_pyghmi_reads_the_power_of_each_node(demo: DemoSite) -> None:
    on = demo.node(lambda node: node.health.powered and node.health.bmc)
    off = demo.node(lambda node: not node.health.powered and node.health.bmc)
    assert (demo.power(on.name), demo.power(off.name)) == ("on", "off")


@pytest.mark.parametrize("suite", [["-C", "3"], []], ids=["suite 3", "suite asked for"])
def test_ipmitool_reads_the_power(demo: DemoSite, suite: list[str]) -> None:
    node = demo.node(lambda node: node.health.powered and node.health.bmc)
    assert ipmitool(demo, node.bmc_address, *suite, "power", "status") == "Chassis Power is on\n"


def ipmitool(demo: DemoSite, address: str, *words: str, privilege: str = "OPERATOR") -> str:
    tool = need_program("ipmitool")
    where = ["-I", "lanplus", "-H", address, "-p", str(demo.config.bmc.port)]
    who = ["-U", demo.config.actions.bmc_user, "-f", demo.config.actions.bmc_password_file, "-L", privilege]
    return subprocess.run([tool, *where, *who, *words], capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.mark.parametrize("packet", [AUTH_CAPABILITIES, AUTH_CAPABILITIES_1_5], ids=["2.0", "1.5"])
def test_a_stranger_learns_the_authentication_capabilities(demo: DemoSite, packet: bytes) -> None:
    node = demo.node(lambda node: node.health.bmc)
    answer = ask(demo, node.bmc_address, packet)
    assert answer[:4] == b"\x06\x00\xff\x07"
    assert (answer[15] >> 2, answer[19], answer[20]) == (7, 0x38, 0)
    assert sum(answer[17:]) % 256 == 0


def test_a_presence_ping_is_answered_with_its_own_tag(demo: DemoSite) -> None:
    answer = ask(demo, demo.node(lambda node: node.health.bmc).bmc_address, ASF_PING)
    assert (len(answer), answer[3], answer[8], answer[9]) == (28, 6, 0x40, 0x2A)


@pytest.mark.parametrize("packet", [AUTH_CAPABILITIES, ASF_PING])
def test_a_dead_bmc_says_nothing(demo: DemoSite, packet: bytes) -> None:
    with pytest.raises(TimeoutError):
        ask(demo, demo.node(lambda node: not node.health.bmc).bmc_address, packet)


def test_nothing_but_bmc_addresses_answers(demo: DemoSite) -> None:
    with pytest.raises(TimeoutError):
        ask(demo, "127.0.0.1", AUTH_CAPABILITIES)


@pytest.mark.parametrize("packet", [b"", b"x", b"\x06\x00\xff\x07", bytes(60), b"\x06\x00\xff\x07\x06\x10" + bytes(9)])
def test_garbage_is_not_answered_and_does_no_harm(demo: DemoSite, packet: bytes) -> None:
    node = demo.node(lambda node: node.health.bmc)
    with pytest.raises(TimeoutError):
        ask(demo, node.bmc_address, packet)
    assert ask(demo, node.bmc_address, ASF_PING)


def test_a_wrong_password_is_refused(demo: DemoSite) -> None:
    node = demo.node(lambda node: node.health.bmc)
    with pytest.raises(IpmiException, match="Incorrect password"), demo.bmc(node.name, password="wrong"):
        pass


def test_a_user_may_look_at_the_power_and_not_switch_it(demo: DemoSite) -> None:
    node = demo.node(lambda node: node.health.powered and node.health.bmc)
    power = ["-C", "3", "power"]
    assert ipmitool(demo, node.bmc_address, *power, "status", privilege="USER") == "Chassis Power is on\n"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        ipmitool(demo, node.bmc_address, *power, "off", privilege="USER")
    assert "Insufficient privilege level" in caught.value.stderr
    assert demo.power(node.name) == "on"
    assert demo.orders(node.name)[-1] == ("BMC", "power off", "completion code D4h")


def test_the_user_of_the_sweeps_gets_no_session_of_an_operator(demo: DemoSite) -> None:
    node = demo.node(lambda node: node.health.powered and node.health.bmc)
    asked = ["-I", "lanplus", "-C", "3", "-H", node.bmc_address, "-p", str(demo.config.bmc.port), "-L", "OPERATOR"]
    who = ["-U", demo.config.bmc.user, "-f", demo.config.bmc.password_file]
    done = subprocess.run([need_program("ipmitool"), *asked, *who, "power", "off"], capture_output=True, text=True)
    assert (done.returncode, "Set Session Privilege Level to OPERATOR failed" in done.stderr) == (1, True)
    assert demo.power(node.name) == "on"


def test_a_led_blinks_for_as_long_as_an_operator_says_and_the_cluster_tells_of_it(demo: DemoSite) -> None:
    node = demo.take_sound()
    identify = ["-C", "3", "chassis", "identify"]
    with pytest.raises(subprocess.CalledProcessError):
        ipmitool(demo, node.bmc_address, *identify, "15", privilege="USER")
    assert node.name not in demo.heard()["leds"]
    told = {"15": 15.0, "240": 240.0, "force": 1e9}
    for word, seconds in told.items():
        ipmitool(demo, node.bmc_address, *identify, word)
        assert seconds - 60 < demo.heard()["leds"][node.name] <= seconds
    assert f"{node.name}: its LED blinks for" in demo.run("heard").stdout
    ipmitool(demo, node.bmc_address, *identify, "0")
    assert node.name not in demo.heard()["leds"]
    words = ["identify 15 s", "identify 15 s", "identify 240 s", "identify until told otherwise", "identify 0 s"]
    assert demo.orders(node.name) == [("BMC", word, "completion code D4h" * (not i)) for i, word in enumerate(words)]


def test_power_off_really_stops_the_node_and_power_on_brings_it_back(demo: DemoSite) -> None:
    name = demo.take_sound().name
    demo.set_power(name, "off")
    wait_until(lambda: not demo.pings(name))
    assert demo.power(name) == "off"
    wait_until(lambda: demo.slurm_state(name) == "down*|Not responding")
    demo.set_power(name, "on")
    assert demo.power(name) == "on"
    wait_until(lambda: demo.pings(name))
    assert demo.slurm_state(name) == "down|Node unexpectedly rebooted"
    assert demo.run("scontrol", "update", f"nodename={name}", "state=resume").returncode == 0
    assert demo.slurm_state(name) == "idle|none"


def test_ipmitool_power_cycles_a_node(demo: DemoSite) -> None:
    node = demo.take_sound()
    ipmitool(demo, node.bmc_address, "-C", "3", "power", "cycle")
    wait_until(lambda: not demo.pings(node.name))
    wait_until(lambda: demo.pings(node.name))
    assert "Node unexpectedly rebooted" in demo.slurm_state(node.name)


def test_a_dead_supply_takes_the_command_and_stays_off(demo: DemoSite) -> None:
    node = demo.node(lambda node: node.health.power_dead)
    with demo.bmc(node.name) as command:
        assert command.ipmi_session.raw_command(netfn=0, command=2, data=[1])["code"] == 0
    assert demo.power(node.name) == "off"
