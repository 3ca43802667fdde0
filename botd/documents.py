"""The JSON shapes: how readings, nodes and sweeps look in the store and in every answer.

Times are text of one fixed form, `2026-11-23T20:16:37.123Z`, so that comparing two texts compares the times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from botd.model import Change, Check, Reading, SlurmNode, State, Sweep

Document = dict[str, Any]

CLOCK_SLACK = timedelta(seconds=2)
"""How far a reading may be ahead of the clock of who looks at it: the agent and a web process need not agree more."""

_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def encode(document: object) -> bytes:
    """The document as JSON bytes."""
    return orjson.dumps(document, option=_OPTIONS)


def decode(data: bytes) -> Any:
    """The document in JSON bytes that botd wrote itself."""
    return orjson.loads(data)


def iso(at: datetime | None) -> str | None:
    """A time as it stands in every answer: UTC with milliseconds, or null."""
    if at is None:
        return None
    # Not strftime(3), which writes a year before 1000 with fewer digits.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def reading_document(reading: Reading) -> Document:
    """One reading."""
    return {
        "state": reading.state.value,
        "value": _value(reading.value),
        "unit": reading.unit,
        "at": iso(reading.at),
        "took_s": reading.took_s,
        "detail": reading.detail,
    }


def _value(value: Any) -> Any:
    """A reading's value with the times in it, that of the last job's end, in the one form."""
    if isinstance(value, Mapping):
        return {key: _value(item) for key, item in value.items()}
    return iso(value) if isinstance(value, datetime) else value


def stale_nodes(
    readings: Mapping[str, Mapping[str, Document]],
    nodes: Iterable[str],
    checks: Iterable[str],
    since: datetime,
    now: datetime,
) -> list[str]:
    """The nodes with a reading among these checks that is missing or older than `since`.

    One of a time to come counts too: the clock was set back, and nothing says how old it is.
    """
    names, first, last = tuple(checks), iso(since) or "", iso(now + CLOCK_SLACK) or ""

    def is_stale(node: str) -> bool:
        oldest, newest = times_of(readings, (node,), names)
        return not first <= oldest <= newest <= last

    return [node for node in nodes if names and is_stale(node)]


def times_of(
    readings: Mapping[str, Mapping[str, Document]], nodes: Iterable[str], checks: Iterable[str]
) -> tuple[str, str]:
    """When the oldest and the newest of these readings were taken; a missing one counts as the oldest, and is empty."""
    names, nothing = tuple(checks), dict[str, Document]()
    known = (readings.get(node, nothing) for node in nodes)
    times = {each[name].get("at") or "" if name in each else "" for each in known for name in names}
    return min(times, default=""), max(times, default="")


def unread_document(check: Check) -> Document:
    """The reading of a check that has never run on a node."""
    return reading_document(Reading(State.UNKNOWN, None, check.unit, detail="not read yet"))


def node_document(
    node: str,
    groups: Iterable[str],
    slurm: SlurmNode | None,
    readings: Mapping[str, Document],
    checks: Iterable[Check],
) -> Document:
    """One node of a status answer, with a reading for each of these checks."""
    return {
        "node": node,
        "groups": list(groups),
        "slurm": slurm_document(slurm) if slurm else None,
        "readings": {check.name: readings.get(check.name) or unread_document(check) for check in checks},
        "recommendation": None,
    }


def slurm_document(node: SlurmNode) -> Document:
    """What Slurm says of a node, as far as a status answer shows it."""
    return {
        "state": node.state,
        "flags": list(node.flags),
        "unrecognised": list(node.unrecognised),
        "reason": node.reason,
        "reason_by": node.reason_by,
        "reason_at": iso(node.reason_at),
        "partitions": list(node.partitions),
    }


def hostinfo_document(node: SlurmNode, jobs: Document) -> Document:
    """Everything that Slurm says of a node; `jobs` is its reading of that check, null where it is not known."""
    return {
        "node": node.node,
        **slurm_document(node),
        "base": node.base,
        "features": list(node.features),
        "address": node.address,
        "cpus": node.cpus,
        "memory_mb": node.memory_mb,
        "boot_at": iso(node.boot_at),
        "slurmd_version": node.slurmd_version,
        "jobs": jobs["value"],
        "jobs_detail": jobs["detail"],
        "jobs_at": jobs["at"],
    }


def check_document(check: Check) -> Document:
    """The declaration of a check."""
    return {
        "name": check.name,
        "title": check.title,
        "unit": check.unit,
        "kind": check.kind.value,
        "needs": list(check.needs),
        "parent": check.parent,
        "help": check.help,
    }


def change_document(change: Change) -> Document:
    """One change; `id` is its place in the history, which never changes."""
    return {
        "id": change.id,
        "at": iso(change.at),
        "node": change.node,
        "subject": change.subject,
        "old": change.old or None,
        "new": change.new or None,
        "why": change.why,
        "bad": change.is_bad,
    }


def sweep_document(sweep: Sweep) -> Document:
    """A sweep as a client follows it."""
    return {
        "sweep": sweep.id,
        "state": sweep.state.value,
        "done": sweep.done,
        "total": sweep.total,
        "nodes": sweep.nodeset,
        "checks": list(sweep.checks),
        "requested_at": iso(sweep.requested_at),
        "started_at": iso(sweep.started_at),
        "ended_at": iso(sweep.ended_at),
        "errors": list(sweep.errors),
    }
