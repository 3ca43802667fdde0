"""How a request names nodes.

::

    request = part {"," part}
    part    = term {"/" term}                  the nodes that all terms have in common
    term    = "all" | "sinfo"                  every node; those that are down or drained
            | GROUP | PARTITION                a file group, else a Slurm partition
            | "@" PARTITION                    the partition, whatever file group has its name
            | NODESET                          n0004.savio2, n[0000-0003].savio2, n0004 if it is unambiguous

Commas inside brackets belong to the nodeset, whose names must all be known. In `A/B` a nodeset only chooses:
a short name stands for every node of that name (`savio2/n0292` is n0292.savio2, although there is an
n0292.savio3 too), and one known name is enough (`savio2/n[0290-0299]`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from botd.errors import BadNodeset, UnknownGroup, UnknownNode, did_you_mean, nearest
from botd.nodeset import cluster, expand, natural_key, short, split
from botd.text import shown

if TYPE_CHECKING:
    from botd.inventory import Inventory

RESERVED = ("all", "sinfo")
"""Terms with a meaning of their own; no group may have such a name."""

MAX_HELD = 500_000
"""Nodes that the terms of one request may hold together, each as often as a term holds it. A body of 2 MB has room for
100,000 overlapping nodesets, which would take a quarter of an hour for 10,000 nodes; so many take half a second."""

SHOWN = 5
"""Candidates that a message names."""


def expand_groups(known: Inventory, text: str, *, max_nodes: int) -> list[str]:
    """The nodes that a request names, naturally sorted.

    Raises BadNodeset for what is malformed, empty, or more than `max_nodes`; UnknownGroup or UnknownNode.
    """
    found: set[str] = set()
    terms = _Terms(known, max_nodes)
    for part in dict.fromkeys(_parts(text)):
        found.update(_part_nodes(terms, part))
        _check_size(found, max_nodes)
    every = known.names()
    return list(every) if len(found) == len(every) else sorted(found, key=natural_key)


def expand_nodes(known: Inventory, text: str, *, max_nodes: int) -> list[str]:
    """The nodes of a nodeset, naturally sorted. Raises BadNodeset, UnknownNode."""
    found = {_full_name(known, name) for name in expand(",".join(_parts(text)), max_nodes=max_nodes)}
    return sorted(found, key=natural_key)


def with_those_in_service(terms: Iterable[str]) -> str:
    """The request for all nodes of these terms, in service or not: `all` for `sinfo`, `savio2` for `sinfo/savio2`."""
    left = ("/".join(word for word in term.split("/") if word.strip() != "sinfo") or "all" for term in terms)
    return ",".join(dict.fromkeys(left))


def _parts(text: str) -> list[str]:
    parts = split(text)
    if not parts:
        raise BadNodeset("the request names no node and no group; name one, or ask for all")
    return parts


def _check_size(found: set[str], max_nodes: int) -> None:
    if len(found) > max_nodes:
        raise BadNodeset(f"the request spans more than {max_nodes} nodes; ask for fewer")


def _part_nodes(terms: _Terms, part: str) -> Collection[str]:
    words = [word.strip() for word in part.split("/")]
    if "" in words:
        raise BadNodeset(f'"{shown(part)}" has nothing on one side of "/"; write A/B for the nodes in both')
    if len(words) == 1:
        return terms.nodes(words[0], _named_nodes)
    common: set[str] | None = None
    for word in dict.fromkeys(words):
        nodes = terms.nodes(word, _all_named_so)
        common = set(nodes) if common is None else common.intersection(nodes)
    return common or set()


class _Terms:
    """The terms of one request: what each holds, until together they hold too much."""

    def __init__(self, known: Inventory, max_nodes: int) -> None:
        self._known = known
        self._max_nodes = max_nodes
        self._left = MAX_HELD

    def nodes(self, term: str, named: Callable[[Inventory, list[str]], Collection[str]]) -> Collection[str]:
        """The nodes of a group, else those that `named` makes of the names in a nodeset."""
        nodes = _group_nodes(self._known, term)
        if nodes is not None:
            self._count(nodes)
            return nodes
        names = expand(term, max_nodes=self._max_nodes)
        self._count(names)
        _check_word(self._known, term, names)
        return named(self._known, names)

    def _count(self, nodes: Collection[str]) -> None:
        self._left -= len(nodes)
        if self._left < 0:
            raise BadNodeset(f"the terms of the request hold more than {MAX_HELD} nodes together; ask for fewer groups")


def _group_nodes(known: Inventory, term: str) -> Collection[str] | None:
    """The nodes of a term that is a group, else None. Raises BadNodeset for an unknown `@name`."""
    if term.startswith("@"):
        partitions = known.partitions()
        if term[1:] not in partitions:
            near = did_you_mean(term[1:61], partitions) or "; @NAME is a Slurm partition"
            raise BadNodeset(f'there is no partition "{shown(term[1:])}"{near}')
        return partitions[term[1:]]
    if term == "all":
        return known.names()
    if term == "sinfo":
        return known.down()
    return known.groups[term].nodes if term in known.groups else None


def _named_nodes(known: Inventory, names: list[str]) -> list[str]:
    return [_full_name(known, name) for name in names]


def _all_named_so(known: Inventory, names: list[str]) -> set[str]:
    """The known nodes among these names, with every node that a short name may mean.

    Raises UnknownNode only when there is none at all.
    """
    found: set[str] = set()
    for name in names:
        # Both: where n1 and n1.savio2 exist, n1 is the one's name and the other's short name.
        found.update(known.named_in_short(name), [name] if known.is_known(name) else [])
    return found or {_full_name(known, names[0])}


def _check_word(known: Inventory, term: str, names: list[str]) -> None:
    """Raises UnknownGroup for a plain word that is no node: whoever writes one means a group."""
    plain = "[" not in term and not any(char.isdigit() for char in term)
    if plain and not known.is_known(names[0]) and not known.named_in_short(names[0]):
        near = nearest(term, (*RESERVED, *known.group_names()))
        hint = did_you_mean(term, near) or "; /api/v1/group-list has them all"
        raise UnknownGroup(f'there is no group "{shown(term)}"{hint}', near)


def _full_name(known: Inventory, name: str) -> str:
    """The node that a name or an unambiguous short name means. Raises UnknownNode."""
    if known.is_known(name):
        return name
    meant = known.named_in_short(name)
    if len(meant) == 1:
        return meant[0]
    if meant:
        more = f" and {len(meant) - SHOWN} more" if len(meant) > SHOWN else ""
        raise UnknownNode(f'"{name}" may be {", ".join(meant[:SHOWN])}{more}; write the full name', meant[:SHOWN])
    near = nearest(name, (*known.group_names(), *_alike(known, name)))
    hint = did_you_mean(name, near) or "; groups=all lists every node"
    raise UnknownNode(f'there is no node and no group "{shown(name)}"{hint}', near)


def _alike(known: Inventory, name: str) -> Iterable[str]:
    """Some nodes that a mistyped name may have meant: comparing it with 10,000 takes 0.2 s."""
    if "." not in name:
        return {short(node) for node in known.names()}
    return known.named_in_short(short(name)) or [node for node in known.names() if cluster(node) == cluster(name)]
