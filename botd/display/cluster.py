"""The picture of the cluster: every node once, in the block of one group, with how bad it is."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from botd import nodeset
from botd.checks import Checks
from botd.display.findings import UNREAD, WORST, worst
from botd.documents import NodeReadings
from botd.errors import UnknownGroup, did_you_mean, nearest
from botd.inventory import Inventory
from botd.model import Group

PARTITIONS, FILES = "partitions", "files"
"""Words for the families of groups that are always there: Slurm's partitions, and all groups of files."""

REST = "other nodes"
"""The block of the nodes that are in no group of the family."""

OUT = "out"
"""How bad a node is that was not read and that Slurm has out of service."""

IN_SERVICE = ("mixed", "allocated", "idle")
"""What Slurm says of a node in service, which stands in for readings of one that was not read."""

ORDER = (*(state for state in WORST if state != UNREAD), OUT, *IN_SERVICE, UNREAD)
"""How bad nodes are in the picture, worst first; last those of which neither readings nor Slurm tell."""

WORDS = {
    **{state: state for state in WORST},
    OUT: "out of service and not read",
    **{state: f"{state} and not read" for state in IN_SERVICE},
    UNREAD: "not read",
}
"""How bad a node is, for a person."""

_TITLES = 3


@dataclass(frozen=True, slots=True)
class Square:
    """A node in the picture: one of ORDER, and the titles of the checks that make it so."""

    node: str
    worst: str
    checks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`n0001.savio2: fail Ping, SSH`."""
        return f"{self.node}: {WORDS[self.worst]} {', '.join(self.checks)}".rstrip()


class BlockDocument(TypedDict):
    """A block as a flat record: a count for each of WORST, and the nodes that are not well."""

    group: str
    count: int
    ok: int
    fail: int
    warn: int
    unknown: int
    unread: int
    unknown_nodes: str
    warn_nodes: str
    fail_nodes: str


@dataclass(frozen=True)
class Block:
    """The nodes of one group, naturally sorted. `group` is empty where it is not one that a request can name."""

    name: str
    squares: tuple[Square, ...]

    @cached_property
    def nodesets(self) -> dict[str, str]:
        """The nodes by how bad they are, as nodesets; worst first, and only what there is."""
        found: dict[str, list[str]] = {}
        for square in self.squares:
            found.setdefault(square.worst, []).append(square.node)
        return {state: nodeset.fold(found[state]) for state in ORDER if state in found}

    @cached_property
    def counts(self) -> Counter[str]:
        """How many nodes there are by how bad they are."""
        return Counter(square.worst for square in self.squares)

    def record(self) -> BlockDocument:
        """The block as a flat record."""
        return {
            "group": self.name,
            "count": len(self.squares),
            "ok": self.counts["ok"],
            "fail": self.counts["fail"],
            "warn": self.counts["warn"],
            "unknown": self.counts["unknown"],
            "unread": sum(self.counts[state] for state in (OUT, *IN_SERVICE, UNREAD)),
            "unknown_nodes": self.nodesets.get("unknown", ""),
            "warn_nodes": self.nodesets.get("warn", ""),
            "fail_nodes": self.nodesets.get("fail", ""),
        }


COLUMNS = tuple(BlockDocument.__annotations__)
"""The members of a block's record. The worst is last: a table that is too wide leaves others out, never the last."""


def draw_blocks(
    groups: Sequence[Group],
    nodes: Iterable[str],
    readings: Mapping[str, NodeReadings],
    names: Iterable[str],
    checks: Checks,
    slurm: Mapping[str, str] | None = None,
) -> list[Block]:
    """A block for each of the groups that has any of the nodes; a node stands in the smallest of its groups.

    What is in none of them is in a last block, REST. `slurm` is how nodes are that were not read, from `in_slurm`.
    """
    wanted = tuple(names)
    home = {node: group.name for group in sorted(groups, key=lambda group: -len(group.nodes)) for node in group.nodes}
    members: dict[str, list[Square]] = {group.name: [] for group in groups}
    for node in nodes:
        square = _square(node, readings.get(node, {}), wanted, checks)
        square = Square(node, (slurm or {}).get(node, UNREAD)) if square.worst == UNREAD else square
        members.setdefault(home.get(node, REST), []).append(square)
    return [Block(name, tuple(squares)) for name, squares in members.items() if squares]


def in_slurm(inventory: Inventory) -> dict[str, str]:
    """OUT or one of IN_SERVICE for each node of which Slurm says that."""
    known = {name: node.base.lower() for name, node in inventory.nodes.items() if node.base.lower() in IN_SERVICE}
    return known | dict.fromkeys(inventory.down(), OUT)


def families(inventory: Inventory) -> dict[str, list[Group]]:
    """The sets of groups that may part the nodes, by what `by=` calls them; those that part them best come first.

    Besides PARTITIONS and FILES these are the groups of files whose names differ in numbers only: `rack-*`.
    """
    partitions = [Group(name, "slurm", nodes) for name, nodes in inventory.partitions().items()]
    files = [inventory.groups[name] for name in inventory.group_names() if inventory.groups[name].source != "slurm"]
    stems: dict[str, list[Group]] = {}
    for group in files:
        stems.setdefault(re.sub(r"\d+", "*", group.name), []).append(group)
    several = {stem: groups for stem, groups in stems.items() if len(groups) > 1}
    found = {**several, PARTITIONS: partitions, FILES: files}
    ranked = sorted(found.items(), key=lambda item: _parts(item[1]), reverse=True)
    return {name: groups for name, groups in ranked if groups}


def family(inventory: Inventory, by: str) -> list[Group]:
    """The groups that `by` names: a family, or a comma list of names and patterns. Raises UnknownGroup."""
    found = families(inventory)
    if by in found:
        return found[by]
    names: dict[str, None] = {}
    for word in nodeset.split(by):
        matching = fnmatch.filter(inventory.group_names(), word)
        if not matching:
            known = (*found, *inventory.group_names())
            raise UnknownGroup(f'no group is "{word[:60]}"{did_you_mean(word[:60], known)}', nearest(word[:60], known))
        names.update(dict.fromkeys(matching))
    return [inventory.groups[name] for name in names]


def _parts(groups: Sequence[Group]) -> tuple[int, int]:
    """How well groups part nodes: how many nodes stand in exactly one of them, then how many groups there are."""
    times = Counter(node for group in groups for node in group.nodes)
    return sum(count == 1 for count in times.values()), len(groups)


def _square(node: str, readings: NodeReadings, names: Sequence[str], checks: Checks) -> Square:
    state = worst(readings, names)
    if state not in ("fail", "warn", "unknown"):
        return Square(node, state)
    titles = [checks[name].title for name in names if (found := readings.get(name)) and found["state"] == state]
    more = (f"and {len(titles) - _TITLES} more",) if len(titles) > _TITLES else ()
    return Square(node, state, (*titles[:_TITLES], *more))
