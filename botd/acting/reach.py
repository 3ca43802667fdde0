"""Whether the agent itself reaches what an action is sent to, and what it rests on: a worker only ever reads."""

from __future__ import annotations

from collections.abc import Sequence

from botd.acting.actions import Action, Way, Weight
from botd.inventory.networks import Network, network_of


def why_elsewhere(networks: Sequence[Network], action: Action, node: str) -> str:
    """Which worker stands between; empty where the agent reaches the node by all that the action needs."""
    for probe in _needed(action):
        if network := network_of(networks, node, probe):
            what = "its BMC is" if probe == "bmc" else "it is"
            return f"{what} reached by a worker of {network.name} alone"
    return ""


def needs_power(action: Action) -> bool:
    """Whether the power of the node matters to an action."""
    return action.weight is Weight.HARD or not {"power-on", "power-off"}.isdisjoint(action.guards)


def _needed(action: Action) -> list[str]:
    """By what it is sent, looked at and read back. What goes to Slurm needs no way to the node."""
    by_bmc = action.way is Way.BMC or needs_power(action) or "bmc" in action.guards
    by_ssh = action.way is Way.SSH or "green" in action.guards or action.checks
    return ["bmc"] * by_bmc + ["ssh"] * by_ssh
