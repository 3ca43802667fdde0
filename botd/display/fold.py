"""Nodes with the same answers as one: a hostlist in place of a name, ranges in place of numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, final

from botd import nodeset
from botd.checks import Checks
from botd.documents import NodeDocument, NodeReadings, ReadingDocument, RecommendationDocument, SlurmDocument, Time
from botd.text import is_number

Member = TypeVar("Member")

WORSE = ("skipped", "ok", "unknown", "warn", "fail")
"""The states of readings, the worst last."""


class FoldSlurmDocument(TypedDict):
    """What Slurm says of the nodes of a fold: texts that differ with ` | ` between them, null for other differences."""

    state: str
    flags: list[str] | None
    unrecognised: list[str] | None
    reason: str
    reason_by: str
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


DIFFERS = "differs"
"""The value of nodes that say different things which are no numbers, names or words."""

Shown = NodeDocument | FoldDocument
"""A row of a status answer."""


def names_of(node: Shown) -> dict[str, object]:
    """What a row is of, by column: a node, or how many nodes and which."""
    return {"count": node["count"], "nodeset": node["nodeset"]} if "nodeset" in node else {"node": node["node"]}


def fold_nodes(nodes: Iterable[NodeDocument], checks: Checks) -> list[FoldDocument]:
    """Documents of status nodes of which the same is to be said as one each, in the order of their first nodes.

    Nodes with a diagnosis are the same when it and its action are. Others are when Slurm's state, the reason, the state
    of every reading and every value that is a word, a truth value or a list are the same. Numbers and sizes do not part
    them, nor do the texts in the object of a check, such as a job's id, but for those that the check tells. In place of
    `node` such a document has `nodeset` and `count`. Of readings in several states it has the worst; a number that
    differs is `{"low", "high"}`; lists hold what any of them has; words, states and reasons stand beside each other;
    what else differs is left out, empty or `differs`.
    """
    same: dict[str, list[NodeDocument]] = {}
    for node in nodes:
        same.setdefault(repr(_telling(node, checks)), []).append(node)
    return [_merged(members, checks) for members in same.values()]


def _telling(node: NodeDocument, checks: Checks) -> tuple[Any, ...]:
    """What nodes have in common that fold into one."""
    slurm, advice = node["slurm"], node["recommendation"]
    if advice:
        return advice["title"], advice["action"]
    readings = node["readings"].items()
    told = [(name, reading["state"], _part_of(reading["value"], checks[name].tells)) for name, reading in readings]
    return slurm and (slurm["state"], slurm["reason"]), told


def _part_of(value: Any, tells: Collection[str]) -> Any:
    """The part of a value in which nodes must agree."""
    if is_number(value):
        return 0.0
    if isinstance(value, Mapping):
        items = value.items()
        return {key: _part_of(item, tells) for key, item in items if key in tells or not isinstance(item, str)}
    return value


def _merged(members: Sequence[NodeDocument], checks: Checks) -> FoldDocument:
    first, slurm = members[0], [found for node in members if (found := node["slurm"])]
    groups = set.intersection(*(set(node["groups"]) for node in members))
    return {
        "nodeset": nodeset.fold(node["node"] for node in members),
        "count": len(members),
        "groups": [group for group in first["groups"] if group in groups],
        "slurm": _slurm(slurm) if slurm else None,
        "readings": {
            name: _reading([node["readings"][name] for node in members], checks[name].tells)
            for name in first["readings"]
        },
        "recommendation": _advice([advice for node in members if (advice := node["recommendation"])]),
        "since": min((at for node in members if (at := node["since"])), default=None),
    }


def _reading(readings: Sequence[ReadingDocument], tells: Collection[str]) -> ReadingDocument:
    """One reading for those of several nodes: the worst of them, as old as the oldest."""
    state = max((reading["state"] for reading in readings), key=WORSE.index)
    worst = [reading for reading in readings if reading["state"] == state]
    times = [at for reading in readings if (at := reading["at"])]
    return {
        "state": state,
        "value": _value([reading["value"] for reading in worst], tells),
        "unit": worst[0]["unit"],
        "at": min(times) if len(times) == len(readings) else None,
        "took_s": None,
        "detail": _detail([reading["detail"] for reading in worst], len(readings)),
    }


def _detail(details: Sequence[str], count: int) -> str:
    """The detail that all have, and how many of the nodes it is of where it is not all."""
    same = (_common(details) or "") if details else ""
    some = "" if len(details) == count else f"{len(details)} of {count} nodes"
    return ": ".join(part for part in (some, same) if part)


def _value(values: Sequence[Any], tells: Collection[str]) -> Any:
    """One value for those of several nodes: a range of numbers, all names, words beside each other, else DIFFERS."""
    known = [value for value in values if value is not None] or [None]
    first = known[0]
    if all(value == first and type(value) is type(first) for value in known):
        return first
    if all(map(is_number, known)):
        return {"low": min(known), "high": max(known)}
    if all(isinstance(value, str) for value in known):
        return _each(known)
    if all(isinstance(value, list) for value in known):
        return list({repr(item): item for value in known for item in value}.values())
    return _object(known, tells) if all(isinstance(value, Mapping) for value in known) else DIFFERS


def _object(values: Sequence[Mapping[str, Any]], tells: Collection[str]) -> Any:
    """One object for several: a text in it that differs is left out, unless the check tells it."""
    found = {key: _value([value.get(key) for value in values], tells) for key in values[0]}
    if DIFFERS in found.values():
        return DIFFERS
    texts = {key for key in found if len({value.get(key) for value in values if isinstance(value.get(key), str)}) > 1}
    return {key: value for key, value in found.items() if key in tells or key not in texts}


def _slurm(found: Sequence[SlurmDocument]) -> FoldSlurmDocument:
    """What Slurm says of several nodes."""
    return {
        "state": _each(node["state"] for node in found),
        "flags": _common([node["flags"] for node in found]),
        "unrecognised": _common([node["unrecognised"] for node in found]),
        "reason": _each(node["reason"] for node in found),
        "reason_by": _each(node["reason_by"] for node in found),
        "reason_at": _common([node["reason_at"] for node in found]),
        "partitions": _common([node["partitions"] for node in found]),
    }


def _advice(found: Sequence[RecommendationDocument]) -> RecommendationDocument | None:
    """What botd says of several nodes with one cause. What is each one's own, its numbers and evidence, is left out."""
    if not found:
        return None
    return {
        **found[0],
        "explanation": _common([advice["explanation"] for advice in found]) or "",
        "next": _common([advice["next"] for advice in found]) or "",
        "words": _common([advice["words"] for advice in found]) or "",
        "confidence": _common([advice["confidence"] for advice in found]),
        "evidence": found[0]["evidence"] if len(found) == 1 else "",
        "refused_by": _common([advice["refused_by"] for advice in found]) or [],
        "ranked": _common([advice["ranked"] for advice in found]) or [],
    }


def _each(texts: Iterable[str]) -> str:
    """These texts beside each other, each once."""
    return " | ".join(dict.fromkeys(text for text in texts if text))


def _common(members: Sequence[Member]) -> Member | None:
    """What all of these are, None where they differ."""
    return members[0] if all(other == members[0] for other in members) else None
