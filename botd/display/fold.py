"""Nodes with the same answers as one: a hostlist in place of a name, ranges in place of numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, final

from botd import nodeset
from botd.checks import Checks
from botd.documents import NodeDocument, NodeReadings, ReadingDocument, RecommendationDocument, SlurmDocument, Time
from botd.text import is_number

Member = TypeVar("Member")


class FoldSlurmDocument(TypedDict):
    """What Slurm says of all nodes of a fold, with null for what it does not say of all of them."""

    state: str
    flags: list[str] | None
    unrecognised: list[str] | None
    reason: str
    reason_by: str | None
    reason_at: Time | None
    partitions: list[str] | None


@final
class FoldDocument(TypedDict):
    """Nodes with the same answers as one. `readings` and `since` are the oldest of theirs, `groups` what all are in."""

    nodeset: str
    count: int
    groups: list[str]
    slurm: FoldSlurmDocument | None
    readings: NodeReadings
    recommendation: RecommendationDocument | None
    since: Time | None


def fold_nodes(nodes: Iterable[NodeDocument], checks: Checks) -> list[FoldDocument]:
    """Documents of status nodes with the same answers as one each, in the order of their first nodes.

    Nodes are the same when Slurm's state, the reason, the diagnosis with its action, the state of every reading and
    every value that is a word, a truth value or a list are the same. Numbers and sizes do not part them, nor do the
    texts in the object of a check, such as a job's id, but for those that the check tells. In place of `node` such a
    document has `nodeset` and `count`. A number that differs is `{"low", "high"}`; any other text that differs is left
    out or empty.
    """
    same: dict[str, list[NodeDocument]] = {}
    for node in nodes:
        same.setdefault(repr(_telling(node, checks)), []).append(node)
    return [_merged(members) for members in same.values()]


def _telling(node: NodeDocument, checks: Checks) -> tuple[Any, ...]:
    """What nodes have in common that fold into one."""
    slurm = node["slurm"]
    readings = node["readings"].items()
    told = [(name, reading["state"], _part_of(reading["value"], checks[name].tells)) for name, reading in readings]
    advice = node["recommendation"]
    cause = advice and (advice["title"], advice["next"], advice["action"])
    return slurm and (slurm["state"], slurm["reason"]), cause, told


def _part_of(value: Any, tells: Collection[str]) -> Any:
    """The part of a value in which nodes must agree."""
    if is_number(value):
        return 0.0
    if isinstance(value, Mapping):
        items = value.items()
        return {key: _part_of(item, tells) for key, item in items if key in tells or not isinstance(item, str)}
    return value


def _merged(members: Sequence[NodeDocument]) -> FoldDocument:
    first, slurm = members[0], [found for node in members if (found := node["slurm"])]
    groups = set.intersection(*(set(node["groups"]) for node in members))
    return {
        "nodeset": nodeset.fold(node["node"] for node in members),
        "count": len(members),
        "groups": [group for group in first["groups"] if group in groups],
        "slurm": _slurm(slurm) if slurm else None,
        "readings": {name: _reading([node["readings"][name] for node in members]) for name in first["readings"]},
        "recommendation": _advice([advice for node in members if (advice := node["recommendation"])]),
        "since": min((at for node in members if (at := node["since"])), default=None),
    }


def _reading(readings: Sequence[ReadingDocument]) -> ReadingDocument:
    """One reading for those of several nodes, as old as the oldest of them."""
    first = readings[0]
    times = [at for reading in readings if (at := reading["at"])]
    details = {reading["detail"] for reading in readings}
    return {
        "state": first["state"],
        "value": _value([reading["value"] for reading in readings]),
        "unit": first["unit"],
        "at": min(times) if len(times) == len(readings) else None,
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


def _slurm(found: Sequence[SlurmDocument]) -> FoldSlurmDocument:
    """What Slurm says of several nodes, which are the same in state and reason."""
    return {
        "state": found[0]["state"],
        "flags": _common([node["flags"] for node in found]),
        "unrecognised": _common([node["unrecognised"] for node in found]),
        "reason": found[0]["reason"],
        "reason_by": _common([node["reason_by"] for node in found]),
        "reason_at": _common([node["reason_at"] for node in found]),
        "partitions": _common([node["partitions"] for node in found]),
    }


def _advice(found: Sequence[RecommendationDocument]) -> RecommendationDocument | None:
    """What botd says of several nodes with one cause. What is each one's own, its numbers and evidence, is left out."""
    if not found:
        return None
    explanations = {advice["explanation"] for advice in found}
    told = found[0]["explanation"] if len(explanations) == 1 else ""
    return {**found[0], "explanation": told, "evidence": found[0]["evidence"] if len(found) == 1 else ""}


def _common(members: Sequence[Member]) -> Member | None:
    """What all of these are, None where they differ."""
    return members[0] if all(other == members[0] for other in members) else None
