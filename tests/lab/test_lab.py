"""The lab itself: that it is what the other tests take it for, and that nothing leads out of it.

That it leaves nothing behind is asserted where it is taken down, in conftest.py.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab import bmc, net
from tests.lab.cluster import Lab, take_down_abandoned
from tests.lab.proc import LabError, Proc
from tests.lab.program import LabProgram
from tests.program import wait_until

NODE = "n0003.savio2"


def routes(netns: str) -> list[str]:
    """Where packets can go from a network namespace, besides its own loopback."""
    command = net.in_netns(netns, ["ip", "-json", "route", "show", "table", "all"])
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [route["dst"] for route in found if route.get("dev") != "lo"]


def is_inside(destination: str) -> bool:
    """Whether a route's destination is in the lab's network, or is a link's own multicast."""
    if destination == "default":
        return False
    network = ipaddress.ip_network(destination)
    return network.is_multicast or (network.version == 4 and network.subnet_of(ipaddress.ip_network(net.NETWORK)))


def test_no_route_leads_out_of_the_lab(lab: Lab) -> None:
    spaces = [node.netns for node in lab.nodes] + [each.netns for each in lab.bmcs] + [lab.slurm.netns]
    for space in spaces:
        found = routes(str(space))
        assert found
        assert [destination for destination in found if not is_inside(destination)] == []


def test_a_second_lab_is_refused_and_the_first_lives_on(lab: Lab) -> None:
    with pytest.raises(LabError, match="a lab is up already"):
        Lab("/tmp/botd-lab-second", nodes=3).up()
    assert set(lab.slurm.states().values()) == {"idle"}


def test_a_lab_whose_maker_was_killed_is_taken_down_and_no_other(tmp_path: Path, monkeypatch: Any) -> None:
    taken_down: list[Path] = []
    monkeypatch.setattr(Lab, "down", lambda self: taken_down.append(self.directory))
    (tmp_path / "lab.json").write_text('{"nodes": 3}')
    take_down_abandoned(str(tmp_path))
    with subprocess.Popen(["sleep", "60"]) as maker:
        Proc.of(maker.pid).save(tmp_path / "maker")
        take_down_abandoned(str(tmp_path))
        assert taken_down == []
        maker.kill()
    take_down_abandoned(str(tmp_path))
    assert taken_down == [tmp_path]


def ipmitool(lab: Lab, node: str, *words: str) -> str:
    """What ipmitool prints, asked at the BMC of a node."""
    command = ["ipmitool", "-I", "lanplus", "-C", "3", "-H", lab.node(node).bmc_address, "-U", bmc.USER]
    command += ["-f", str(lab.directory / "bmc_password"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_the_power_switch_of_a_bmc_stops_the_node_and_brings_it_back(program: LabProgram) -> None:
    node = program.lab.node(NODE)
    assert ipmitool(program.lab, NODE, "chassis", "power", "off") == "Chassis Power Control: Down/Off"
    try:
        wait_until(lambda: not node.is_on)
        readings = program.readings(NODE, "ping,ssh,ipmi")
        assert (readings["ipmi_reachable"]["value"], readings["ipmi_state"]["value"]) == (True, "off")
        assert (readings["ping"]["state"], readings["ssh"]["value"]) == ("fail", "timeout")
    finally:
        assert ipmitool(program.lab, NODE, "chassis", "power", "on") == "Chassis Power Control: Up/On"
    wait_until(lambda: node.is_on and node.answers_ssh())
    program.lab.do("make_idle", NODE)
    readings = program.readings(NODE, "ssh,uptime,slurmd,ipmi_state")
    assert [readings[check]["state"] for check in ("ssh", "uptime", "slurmd", "ipmi_state")] == ["ok"] * 4
    assert readings["uptime"]["value"] < 120
