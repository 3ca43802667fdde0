"""Which nodes and groups there are: Slurm's nodes and partitions, and the groups of files.

This module is pure. `slurm`, `saved` and `groups` read what it is built from, `jobs` reads jobs, `request`
is the grammar in which a request names nodes, `document` the form in which the store keeps an inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from botd.errors import BadNodeset
from botd.inventory import request
from botd.inventory.states import sinfo_list_to_node_list
from botd.model import Group, SlurmNode
from botd.nodeset import check_name, natural_key, short


@dataclass(frozen=True)
class Inventory:
    """Nodes by name and groups by name at one time. What `groups` holds includes Slurm's partitions; `switches` are
    groups that no request can name.

    Everything that is worked out from them is worked out once, when it is first asked for.
    """

    nodes: Mapping[str, SlurmNode]
    groups: Mapping[str, Group]
    as_of: datetime | None = None
    problems: tuple[str, ...] = ()
    switches: tuple[Group, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Every node that Slurm or a group names, naturally sorted."""
        return self._names

    def is_known(self, name: str) -> bool:
        """Whether this is the full name of a node."""
        return name in self._known

    def down(self) -> tuple[str, ...]:
        """The nodes of `sinfo -R`: down, drained or failing; naturally sorted.

        A saved `sinfo -R` without states holds nothing but such nodes, and their `state` is empty.
        """
        return self._down

    def group_names(self) -> tuple[str, ...]:
        """Every group, naturally sorted; without `all` and `sinfo`."""
        return tuple(sorted(self.groups, key=natural_key))

    def groups_of(self, node: str) -> tuple[str, ...]:
        """The groups that hold a node, naturally sorted."""
        return self._groups_of.get(node, ())

    def partitions(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes of each Slurm partition, also of one whose name a file group has taken."""
        return self._partitions

    def named_in_short(self, name: str) -> tuple[str, ...]:
        """The nodes whose name before the first dot is this."""
        return self._by_short_name.get(name, ())

    def expand_groups(self, text: str, *, max_nodes: int) -> list[str]:
        """The nodes of a comma list of groups, nodesets and `A/B`, naturally sorted; see `request`.

        Raises BadNodeset, UnknownGroup, UnknownNode.
        """
        return request.expand_groups(self, text, max_nodes=max_nodes)

    def expand_nodes(self, text: str, *, max_nodes: int) -> list[str]:
        """The nodes of a nodeset, naturally sorted; short names are taken. Raises BadNodeset, UnknownNode."""
        return request.expand_nodes(self, text, max_nodes=max_nodes)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        grouped = (name for group in self.groups.values() for name in group.nodes)
        return tuple(sorted({*self.nodes, *grouped}, key=natural_key))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._names)

    @cached_property
    def _down(self) -> tuple[str, ...]:
        return tuple(sorted((node.node for node in sinfo_list_to_node_list(self.nodes.values())), key=natural_key))

    @cached_property
    def _groups_of(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for group in self.group_names():
            for node in self.groups[group].nodes:
                found.setdefault(node, []).append(group)
        return {node: tuple(groups) for node, groups in found.items()}

    @cached_property
    def _partitions(self) -> dict[str, tuple[str, ...]]:
        return partitions_of(self.nodes.values())

    @cached_property
    def _by_short_name(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for name in self._names:
            found.setdefault(short(name), []).append(name)
        return {name: tuple(nodes) for name, nodes in found.items()}


def build(
    slurm_nodes: Iterable[SlurmNode],
    file_groups: Mapping[str, Group],
    as_of: datetime | None,
    problems: Iterable[str] = (),
    switches: tuple[Group, ...] = (),
) -> Inventory:
    """The inventory of these nodes and groups, with a group for each partition whose name is free."""
    nodes = {node.node: node for node in slurm_nodes}
    groups = dict(file_groups)
    told = list(problems)
    for name, members in partitions_of(nodes.values()).items():
        if name in request.RESERVED or name in groups:
            continue  # `@name` still means the partition
        try:
            groups[check_name(name)] = Group(name, "slurm", members)
        except BadNodeset as error:
            told.append(f"a partition makes no group: {error}")
    return Inventory(nodes, groups, as_of, tuple(told), switches)


def partitions_of(nodes: Iterable[SlurmNode]) -> dict[str, tuple[str, ...]]:
    """The nodes of each partition, naturally sorted both."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        for partition in node.partitions:
            found.setdefault(partition, []).append(node.node)
    by_name = sorted(found.items(), key=lambda item: natural_key(item[0]))
    return {name: tuple(sorted(members, key=natural_key)) for name, members in by_name}


def listed_groups(inventory: Inventory) -> list[Group]:
    """Every group that a request may name: the two that are always there, then those of files and Slurm."""
    always = [Group("sinfo", "slurm", inventory.down()), Group("all", "slurm and group files", inventory.names())]
    return always + [inventory.groups[name] for name in inventory.group_names()]
