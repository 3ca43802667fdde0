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

from collections.abc import Iterable
from typing import TYPE_CHECKING

from botd.errors import BadNodeset, UnknownGroup, UnknownNode, did_you_mean
from botd.nodeset import cluster, expand, natural_key, short, split

if TYPE_CHECKING:
    from botd.inventory import Inventory

RESERVED = ("all", "sinfo")
"""Terms with a meaning of their own; no group may have such a name."""

SHOWN = 5
"""Candidates that a message names."""


def expand_groups(known: Inventory, text: str, *, max_nodes: int) -> list[str]:
    """The nodes that a request names, naturally sorted.

    Raises BadNodeset for what is malformed, empty, or more than `max_nodes`; UnknownGroup or UnknownNode.
    """
    found: set[str] = set()
    for part in _parts(text):
        found.update(_part_nodes(known, part, max_nodes))
        _check_size(found, max_nodes)
    return sorted(found, key=natural_key)


def expand_nodes(known: Inventory, text: str, *, max_nodes: int) -> list[str]:
    """The nodes of a nodeset, naturally sorted. Raises BadNodeset, UnknownNode."""
    found = {_full_name(known, name) for name in expand(",".join(_parts(text)), max_nodes=max_nodes)}
    return sorted(found, key=natural_key)


def _parts(text: str) -> list[str]:
    parts = split(text)
    if not parts:
        raise BadNodeset("the request names no node and no group; name one, or ask for all")
    return parts


def _check_size(found: set[str], max_nodes: int) -> None:
    if len(found) > max_nodes:
        raise BadNodeset(f"the request spans more than {max_nodes} nodes; ask for fewer")


def _part_nodes(known: Inventory, part: str, max_nodes: int) -> Iterable[str]:
    terms = [term.strip() for term in part.split("/")]
    if "" in terms:
        raise BadNodeset(f'"{part[:60]}" has nothing on one side of "/"; write A/B for the nodes in both')
    if len(terms) > 1:
        return _common_nodes(known, terms, max_nodes)
    nodes = _group_nodes(known, terms[0])
    return _named_nodes(known, terms[0], max_nodes) if nodes is None else nodes


def _common_nodes(known: Inventory, terms: list[str], max_nodes: int) -> set[str]:
    """The nodes that all terms hold; a short name holds every node of that name."""
    common: set[str] | None = None
    for term in terms:
        nodes = _group_nodes(known, term)
        if nodes is None:
            nodes = _all_named_so(known, term, max_nodes)
        common = set(nodes) if common is None else common.intersection(nodes)
    return common or set()


def _group_nodes(known: Inventory, term: str) -> Iterable[str] | None:
    """The nodes of a term that is a group, else None. Raises BadNodeset for an unknown `@name`."""
    if term.startswith("@"):
        partitions = known.partitions()
        if term[1:] not in partitions:
            near = did_you_mean(term[1:61], partitions) or "; @NAME is a Slurm partition"
            raise BadNodeset(f'there is no partition "{_shown(term[1:])}"{near}')
        return partitions[term[1:]]
    if term == "all":
        return known.names()
    if term == "sinfo":
        return known.down()
    return known.groups[term].nodes if term in known.groups else None


def _named_nodes(known: Inventory, term: str, max_nodes: int) -> list[str]:
    names = expand(term, max_nodes=max_nodes)
    _check_word(known, term, names)
    return [_full_name(known, name) for name in names]


def _all_named_so(known: Inventory, term: str, max_nodes: int) -> set[str]:
    """The known nodes of a nodeset, with every node that a short name in it may mean.

    Raises as `_named_nodes` does, but UnknownNode only when it names no known node at all.
    """
    names = expand(term, max_nodes=max_nodes)
    _check_word(known, term, names)
    found: set[str] = set()
    for name in names:
        # Both: where n1 and n1.savio2 exist, n1 is the one's name and the other's short name.
        found.update(known.named_in_short(name), [name] if known.is_known(name) else [])
    return found or {_full_name(known, names[0])}


def _check_word(known: Inventory, term: str, names: list[str]) -> None:
    """Raises UnknownGroup for a plain word that is no node: whoever writes one means a group."""
    plain = "[" not in term and not any(char.isdigit() for char in term)
    if plain and not known.is_known(names[0]) and not known.named_in_short(names[0]):
        near = did_you_mean(term, (*RESERVED, *known.group_names())) or "; /api/v1/group-list has them all"
        raise UnknownGroup(f'there is no group "{_shown(term)}"{near}')


def _full_name(known: Inventory, name: str) -> str:
    """The node that a name or an unambiguous short name means. Raises UnknownNode."""
    if known.is_known(name):
        return name
    meant = known.named_in_short(name)
    if len(meant) == 1:
        return meant[0]
    if meant:
        more = f" and {len(meant) - SHOWN} more" if len(meant) > SHOWN else ""
        raise UnknownNode(f'"{name}" may be {", ".join(meant[:SHOWN])}{more}; write the full name')
    near = did_you_mean(name, (*known.group_names(), *_alike(known, name))) or "; groups=all lists every node"
    raise UnknownNode(f'there is no node and no group "{_shown(name)}"{near}')


def _alike(known: Inventory, name: str) -> Iterable[str]:
    """Some nodes that a mistyped name may have meant: comparing it with 10,000 takes 0.2 s."""
    if "." not in name:
        return {short(node) for node in known.names()}
    return known.named_in_short(short(name)) or [node for node in known.names() if cluster(node) == cluster(name)]


def _shown(text: str) -> str:
    cut = text if len(text) <= 60 else text[:57] + "..."
    return "".join(char if char.isprintable() else "?" for char in cut)
