"""What several nodes have in common: a rack that fell silent, and a mount whose server does not answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from botd.documents import NodeReadings
from botd.inventory import Inventory

NO_ANSWER = ("timeout", "unresolved")
"""How a login ends where nobody is there."""

SAVES_POWER = frozenset({"POWERED_DOWN", "POWERING_DOWN", "POWERING_UP", "POWER_DOWN", "POWER_UP"})
"""Flags of a node that Slurm switches off and on by itself (slurm.conf(5), SuspendProgram)."""

RACK_NODES = 5
"""So many nodes of one group that fall silent at once are a matter of the group."""

RACK_SHARE = 0.1
"""And so large a part of it: five of a partition of a thousand are five nodes."""

AT_ONCE = timedelta(minutes=15)

SWITCH_NODES = 3
SWITCH_SHARE = 0.5
"""So many nodes, and so large a part, that fell silent at once where no other answers either are their switch's."""

SERVER_SHARE = 0.2
"""A mount that is bad on so many of all nodes is a matter of its server."""

SERVER_NODES = 3


@dataclass(frozen=True, slots=True)
class Rack:
    """A group of nodes of which so many fell silent at once; of a switch, behind which nobody answers."""

    name: str
    silent: int
    count: int
    is_switch: bool = False


@dataclass(frozen=True)
class Neighbours:
    """What the others have: the rack of each node that fell silent with it, and on how many nodes a mount is bad."""

    racks: Mapping[str, Rack] = field(default_factory=dict)
    mounts: Mapping[str, int] = field(default_factory=dict)
    count: int = 0


ALONE = Neighbours()
"""A node of whose neighbours nothing is known."""


@dataclass(frozen=True, slots=True)
class Look:
    """What of a node's readings counts for others: whether it is silent, and the mounts that are hung or gone."""

    is_silent: bool = False
    mounts: tuple[str, ...] = ()


FINE = Look()


def look_at(readings: NodeReadings) -> Look:
    """What of these readings counts for others."""
    ssh = readings.get("ssh")
    if ssh is None or ssh["state"] != "ok":
        return Look(is_silent(readings))
    mounts = tuple(name for name, found in readings.items() if name.startswith("df_") and _is_gone(found["value"]))
    return Look(mounts=mounts) if mounts else FINE


def meet(inventory: Inventory, looks: Mapping[str, Look]) -> Neighbours:
    """What nodes have in common; `looks` are of those that have anything to tell."""
    names = inventory.names()
    hung = Counter(mount for look in looks.values() for mount in look.mounts)
    least = max(SERVER_NODES, SERVER_SHARE * len(names))
    silent = {node for node, look in looks.items() if look.is_silent and not _saves_power(inventory, node)}
    mounts = {mount: count for mount, count in sorted(hung.items()) if count >= least}
    return Neighbours(_racks(inventory, silent), mounts, len(names))


def is_silent(readings: NodeReadings) -> bool:
    """Whether a node answers neither ssh nor ping; ping may also have had no answer for itself."""
    ssh, ping = readings.get("ssh"), readings.get("ping")
    unanswered = ssh is not None and ssh["state"] == "fail" and ssh["value"] in NO_ANSWER
    return unanswered and (ping is None or ping["state"] not in ("ok", "warn"))


def _racks(inventory: Inventory, silent: set[str]) -> dict[str, Rack]:
    """The rack of each node that fell silent with others: the smallest group of which that can be said.

    A switch comes first: what is behind it fell silent for one reason, whatever racks that is.
    """
    found = _switches(inventory, silent)
    for group in sorted(inventory.groups.values(), key=lambda group: (len(group.nodes), group.name)):
        members = _at_once(inventory, silent.intersection(group.nodes) - found.keys())
        if len(members) >= max(RACK_NODES, RACK_SHARE * len(group.nodes)):
            found |= dict.fromkeys(members, Rack(group.name, len(members), len(group.nodes)))
    return found


def _switches(inventory: Inventory, silent: set[str]) -> dict[str, Rack]:
    """The highest switch of each node behind which nobody answers; Slurm's names are those of nodes that it has."""
    found: dict[str, Rack] = {}
    for switch in sorted(inventory.switches, key=lambda switch: (-len(switch.nodes), switch.name)):
        behind = set(switch.nodes) - {node for node in switch.nodes if _saves_power(inventory, node)}
        members = _at_once(inventory, behind - found.keys()) if behind <= silent else []
        if len(members) >= max(SWITCH_NODES, SWITCH_SHARE * len(behind)):
            found |= dict.fromkeys(members, Rack(switch.name, len(members), len(switch.nodes), is_switch=True))
    return found


def _at_once(inventory: Inventory, nodes: set[str]) -> list[str]:
    """The most of these nodes that fell silent within AT_ONCE; those that Slurm does not miss yet did so just now."""
    known, unnoticed = list[tuple[datetime, str]](), list[str]()
    for node in sorted(nodes):
        slurm = inventory.nodes.get(node)
        if slurm and slurm.reason_at:
            known.append((slurm.reason_at, node))
        else:
            unnoticed.append(node)
    known.sort()
    best, begin = range(0), 0
    for end, (at, _) in enumerate(known):
        while at - known[begin][0] > AT_ONCE:
            begin += 1
        best = max(best, range(begin, end + 1), key=len)
    return [known[place][1] for place in best] + unnoticed


def _saves_power(inventory: Inventory, node: str) -> bool:
    slurm = inventory.nodes.get(node)
    return slurm is not None and not SAVES_POWER.isdisjoint(slurm.flags)


def _is_gone(value: object) -> bool:
    return isinstance(value, dict) and (value.get("hung") is True or value.get("mounted") is False)
