"""Nodes with the same answers as one: a hostlist in place of a name, ranges in place of numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from botd import nodeset
from botd.checks import Checks
from botd.documents import Document
from botd.text import is_number


def fold_nodes(nodes: Iterable[Document], checks: Checks) -> list[Document]:
    """Documents of status nodes with the same answers as one each, in the order of their first nodes.

    Nodes are the same when Slurm's state, the reason, the state of every reading and every value that is a word, a
    truth value or a list are the same. Numbers and sizes do not part them, nor do the texts in the object of a check,
    such as a job's id, but for those that the check tells. In place of `node` such a document has `nodeset` and
    `count`. A number that differs is `{"low", "high"}`; any other text that differs is left out or empty.
    """
    same: dict[str, list[Document]] = {}
    for node in nodes:
        same.setdefault(repr(_telling(node, checks)), []).append(node)
    return [_merged(members) for members in same.values()]


def _telling(node: Document, checks: Checks) -> tuple[Any, ...]:
    """What nodes have in common that fold into one."""
    slurm = node["slurm"] or {}
    readings = node["readings"].items()
    told = [(name, reading["state"], _part_of(reading["value"], checks[name].tells)) for name, reading in readings]
    return slurm.get("state"), slurm.get("reason"), told


def _part_of(value: Any, tells: Collection[str]) -> Any:
    """The part of a value in which nodes must agree."""
    if is_number(value):
        return 0.0
    if isinstance(value, Mapping):
        items = value.items()
        return {key: _part_of(item, tells) for key, item in items if key in tells or not isinstance(item, str)}
    return value


def _merged(members: Sequence[Document]) -> Document:
    first = members[0]
    groups = set.intersection(*(set(node["groups"]) for node in members))
    return {
        "nodeset": nodeset.fold(node["node"] for node in members),
        "count": len(members),
        "groups": [group for group in first["groups"] if group in groups],
        "slurm": _common([node["slurm"] for node in members]) if first["slurm"] else None,
        "readings": {name: _reading([node["readings"][name] for node in members]) for name in first["readings"]},
        "recommendation": None,
    }


def _reading(readings: Sequence[Document]) -> Document:
    """One reading for those of several nodes, as old as the oldest of them."""
    first = readings[0]
    times = [reading["at"] for reading in readings]
    details = {reading["detail"] for reading in readings}
    return {
        "state": first["state"],
        "value": _value([reading["value"] for reading in readings]),
        "unit": first["unit"],
        "at": None if None in times else min(times),
        "took_s": None,
        "detail": first["detail"] if len(details) == 1 else "",
    }


def _value(values: Sequence[Any]) -> Any:
    first = values[0]
    if all(value == first for value in values):
        return first
    if isinstance(first, Mapping):
        found = {key: _value([value.get(key) for value in values]) for key in first}
        return {key: value for key, value in found.items() if value is not None or first[key] is None}
    return {"low": min(values), "high": max(values)} if all(map(is_number, values)) else None


def _common(documents: Sequence[Document]) -> Document:
    """What Slurm says of several nodes, with null for what it does not say of all of them."""
    first = documents[0]
    return {key: item if all(other[key] == item for other in documents) else None for key, item in first.items()}
