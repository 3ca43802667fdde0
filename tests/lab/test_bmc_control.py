"""Commands to BMCs on the lab: a node boots where its BMC was told to cycle, and nowhere else."""

from __future__ import annotations

from botd.settings import BmcSettings
from botd.transport.bmc.control import POWER_CYCLE, BmcControl, identify
from botd.transport.bmc.outcome import Answered, NotSent
from botd.transport.bmc.targets import why_no_target
from botd.transport.bmc.turns import Turns
from tests.lab import bmc, net
from tests.lab.cluster import Lab
from tests.lab.proc import wait_until

NODE = "n0002.savio2"

SAME_BOOT_S = 3
"""slurmd works out anew when the machine booted each time that it registers, in whole seconds."""


def test_a_node_whose_bmc_is_told_to_cycle_boots_again(lab: Lab) -> None:
    node = lab.node(NODE)
    password = (lab.directory / "bmc_password").read_text().strip()
    control = BmcControl(BmcSettings(port=bmc.PORT), bmc.USER, password, Turns())
    guid = f"{node.index:032x}"
    before = boot_time(lab)
    assert isinstance(control.send(node.bmc_address, identify(15), guid=guid), Answered)
    other = control.send(node.bmc_address, POWER_CYCLE, guid=f"{node.index + 1:032x}")
    assert isinstance(other, NotSent)
    assert abs(boot_time(lab) - before) <= SAME_BOOT_S
    found = control.send(node.bmc_address, POWER_CYCLE, guid=guid)
    assert isinstance(found, Answered)
    assert (found.code, found.guid) == (0, guid)
    wait_until("another boot", lambda: boot_time(lab) > before + SAME_BOOT_S, 90, every_s=0.2)
    lab.do("make_idle", NODE)


def boot_time(lab: Lab) -> int:
    """When Slurm says that the node booted."""
    return int(next(node for node in lab.slurm.nodes() if node["name"] == NODE)["boot_time"])


def test_the_address_of_the_machine_itself_is_no_bmc(lab: Lab) -> None:
    addresses = {node.name: node.bmc_address for node in lab.nodes}
    assert {why_no_target(name, addresses) for name in addresses} == {""}
    assert "this machine" in why_no_target(NODE, {**addresses, NODE: net.BRIDGE_ADDRESS})
    twice = {**addresses, NODE: addresses["n0001.savio2"]}
    assert "the BMC of n0001.savio2 too" in why_no_target(NODE, twice)
