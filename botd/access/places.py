"""Whether a list of a role holds a node: nodesets, groups, `@groups`, `A/B` and globs, resolved when somebody presses.

::

    nodes = "savio2,savio3/n[0000-0099],fs*,@gpu"

What grants is read narrowly and what excludes is read widely, so that a list that is in doubt never lets more through:
a group that is unknown grants nothing, and a role whose `not_nodes` names one grants nothing at all. `@name` is the
partition and the group of a file of that name: both must hold a node that is granted, either excludes one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from botd.errors import BadNodeset
from botd.inventory import Inventory
from botd.nodeset import check_name, expand, short, split
from botd.text import shown

MAX_NODES = 50_000

_DIGITS = re.compile(r"[0-9]+")
_GLOB = re.compile(r"[A-Za-z0-9_.*?-]{1,253}")


class Doubt(Exception):
    """Raised where a group that a list names is not there, is empty, or cannot be believed. The text says which."""


@dataclass(frozen=True)
class Places:
    """The nodes and groups there are. `faults` says of groups why they are not believed, by name."""

    inventory: Inventory
    faults: Mapping[str, str] = field(default_factory=dict)

    def grants(self, text: str, node: str) -> bool:
        """Whether a role's `nodes` holds the node. Groups that are in doubt hold none."""
        return any(self._grants(part, node) for part in split(text))

    def excludes(self, text: str, node: str) -> bool:
        """Whether a role's `not_nodes` holds the node. Raises Doubt."""
        # All of them are looked at, so that a group in doubt is told wherever it stands.
        parts = [[self._excludes(term, node) for term in _terms(part)] for part in split(text)]
        return any(map(all, parts))

    def protects(self, text: str, node: str) -> bool:
        """Whether `[protected] nodes` holds the node: names and globs as text, groups by their nodes. Raises Doubt."""
        parts = [self._protects(part, node) for part in split(text)]
        return any(parts)

    def _grants(self, part: str, node: str) -> bool:
        terms = _terms(part)
        try:
            return all(self._holds(term, node, widely=len(terms) > 1) for term in terms)
        except Doubt:
            return False

    def _holds(self, term: str, node: str, *, widely: bool) -> bool:
        """Whether a term holds a node. `widely`: a short name means every node of that name, not the only one."""
        if term in ("all", "sinfo"):
            return self.inventory.is_known(node) if term == "all" else node in self.inventory.down()
        if term.startswith("@"):
            return all(node in nodes for nodes in self._named(term[1:]))
        if is_glob(term):
            return fnmatchcase(node, term)
        if (group := self._group(term)) is not None:
            return node in group
        names = _names(term)
        return node in names or (short(node) in names and (widely or self._is_only(short(node))))

    def _excludes(self, term: str, node: str) -> bool:
        if term.startswith("@"):
            return any(node in nodes for nodes in self._named(term[1:]))
        if is_glob(term):
            return _matches(term, node)
        if self._is_word(term):
            raise Doubt(f'there is no node and no group "{shown(term)}"')
        return self._holds(term, node, widely=True)

    def _protects(self, term: str, node: str) -> bool:
        if term.startswith("@"):
            return any(node in nodes for nodes in self._named(term[1:]))
        if is_glob(term):
            return _matches(term, node)
        return not _names(term).isdisjoint((node, short(node)))

    def _named(self, name: str) -> list[Collection[str]]:
        """The nodes of the partition and of the file's group of this name. Raises Doubt."""
        partition = self.inventory.partitions().get(name)
        found = [nodes for nodes in (partition, self._group(name)) if nodes is not None]
        if not found:
            raise Doubt(f'there is no group "{shown(name)}"')
        return found

    def _group(self, name: str) -> Collection[str] | None:
        if name in self.faults:
            raise Doubt(f'the group "{shown(name)}" is not believed: {self.faults[name]}')
        group = self.inventory.groups.get(name)
        if group is not None and not group.nodes:  # a file that cannot be read makes such a group too
            raise Doubt(f'the group "{shown(name)}" is empty')
        return None if group is None else group.nodes

    def _is_word(self, term: str) -> bool:
        """Whether it must mean a group and there is none: no node is called like it, whatever its number."""
        is_plain = term not in ("all", "sinfo") and "[" not in term
        return is_plain and self._group(term) is None and _form(term) not in self._forms

    @cached_property
    def _forms(self) -> frozenset[str]:
        """What nodes are called, their numbers left out: `n#.savio#` and `n#`."""
        return frozenset(_form(name) for node in self.inventory.names() for name in (node, short(node)))

    def _is_only(self, name: str) -> bool:
        return len(self.inventory.named_in_short(name)) == 1


def check_nodes(text: str) -> None:
    """Raises BadNodeset for a list that could not be read at any time, and for an empty one."""
    parts = split(text)
    if not parts:
        raise BadNodeset('the list is empty: name nodes, or "all"')
    for term in (term for part in parts for term in _terms(part)):
        if term.startswith("@"):
            check_name(term[1:])
        elif not is_glob(term):
            _names(term)


def check_protected(text: str) -> None:
    """As `check_nodes`, where `A/B`, `all` and `sinfo` have no meaning, and nothing at all may be protected."""
    for part in split(text):
        if "/" in part or part in ("all", "sinfo"):
            raise BadNodeset(
                f'"{shown(part)}": protect names, nodesets, globs such as "fs*", and groups such as "@mgmt"'
            )
        check_nodes(part)


def groups_named(text: str) -> tuple[str, ...]:
    """The names after `@` in a list."""
    return tuple(dict.fromkeys(term[1:] for part in split(text) for term in _terms(part) if term.startswith("@")))


def is_glob(term: str) -> bool:
    """Whether a term is a glob, `fs*`. Raises BadNodeset for one that has brackets or other signs too."""
    if "*" not in term and "?" not in term:
        return False
    if not _GLOB.fullmatch(term):
        raise BadNodeset(f'"{shown(term)}": a glob has letters, digits, ".", "-", "_", "*" and "?", and no brackets')
    return True


def _terms(part: str) -> list[str]:
    terms = [term.strip() for term in part.split("/")]
    if "" in terms:
        raise BadNodeset(f'"{shown(part)}" has nothing on one side of "/"; write A/B for the nodes in both')
    return terms


def _form(name: str) -> str:
    return _DIGITS.sub("#", name)


def _matches(glob: str, node: str) -> bool:
    return fnmatchcase(node, glob) or fnmatchcase(short(node), glob)


@lru_cache(maxsize=1024)
def _names(term: str) -> frozenset[str]:
    return frozenset(expand(term, max_nodes=MAX_NODES))
