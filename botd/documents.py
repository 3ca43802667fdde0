"""The JSON shapes: how readings, nodes and sweeps look in the store and in every answer.

Times are text of one fixed form, `2026-11-23T20:16:37.123Z`, so that comparing two texts compares the times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypedDict,
    Union,
    final,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
    overload,
)

import orjson

from botd.answers import Kind
from botd.model import Change, Check, Note, NoteKind, Reading, SlurmNode, State, Sweep, SweepState
from botd.text import in_numbers

Time = Annotated[str, ("format", "date-time")]
"""What stands beside a type is for its OpenAPI schema: see `botd.resources.schemas`."""

CLOCK_SLACK = timedelta(seconds=2)
"""How far a reading may be ahead of the clock of who looks at it: the agent and a web process need not agree more."""

_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def encode(document: object) -> bytes:
    """The document as JSON bytes. What a terminal would obey, or turn a line around, stands as its number in it."""
    data = orjson.dumps(document, option=_OPTIONS)
    # A copy: orjson 3.13 leaves up to fifteen times its length behind an answer, for as long as that is kept.
    return bytes(memoryview(data)) if data.isascii() else in_numbers(data)


def decode(data: bytes) -> Any:
    """The document in JSON bytes that botd wrote itself."""
    return orjson.loads(data)


@overload
def iso(at: datetime) -> str: ...
@overload
def iso(at: datetime | None) -> str | None: ...
def iso(at: datetime | None) -> str | None:
    """A time as it stands in every answer: UTC with milliseconds, or null."""
    if at is None:
        return None
    # Not strftime(3), which writes a year before 1000 with fewer digits.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def has_shape(shape: Any, value: Any) -> bool:
    """Whether what others may have written is of a type: a TypedDict, list, text, number, or one of several.

    A time is one of the fixed form, and a text one that UTF-8 can have: JSON brings half a surrogate too.
    """
    origin, args = get_origin(shape), get_args(shape)
    if origin is Annotated:
        return has_shape(args[0], value) and (shape != Time or bool(_TIME.fullmatch(value)))
    if is_typeddict(shape):
        hints = _members(shape)
        is_whole = isinstance(value, dict) and value.keys() == hints.keys()
        return is_whole and all(has_shape(hint, value[name]) for name, hint in hints.items())
    if origin in (Union, UnionType):
        return any(has_shape(each, value) for each in args)
    if origin is list:
        return isinstance(value, list) and all(has_shape(args[0], each) for each in value)
    if origin is Literal:
        return value in args
    if shape is NoneType:
        return value is None
    return type(value) is shape and not (shape is str and any("\ud800" <= char <= "\udfff" for char in value))


@cache
def _members(shape: type) -> Mapping[str, Any]:
    """The members of a TypedDict with their types, which take long to find out."""
    return get_type_hints(shape, include_extras=True)


class ReadingDocument(TypedDict):
    """One reading. `at` is null where the check has never run on the node."""

    state: Annotated[str, State]
    value: Annotated[Any, ("description", "A number, text, truth value, list or object; see the check.")]
    unit: str | None
    at: Time | None
    took_s: float | None
    detail: str


NodeReadings = Mapping[str, ReadingDocument]
"""Readings of one node, by check."""


def reading_document(reading: Reading) -> ReadingDocument:
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
    readings: Mapping[str, NodeReadings],
    nodes: Iterable[str],
    checks: Iterable[str],
    since: datetime,
    now: datetime,
) -> list[str]:
    """The nodes with a reading among these checks that is missing or older than `since`.

    One of a time to come counts too: the clock was set back, and nothing says how old it is.
    """
    names, first, last = tuple(checks), iso(since), iso(now + CLOCK_SLACK)

    def is_stale(node: str) -> bool:
        oldest, newest = times_of(readings, (node,), names)
        return not first <= oldest <= newest <= last

    return [node for node in nodes if names and is_stale(node)]


def read_since(
    readings: Mapping[str, NodeReadings], nodes: Iterable[str], checks: Iterable[str], since: datetime
) -> set[str]:
    """The nodes with a reading among these checks that was taken since then."""
    names, first = tuple(checks), iso(since)
    known = ((node, readings.get(node, {})) for node in nodes)
    return {node for node, each in known if any(name in each and (each[name]["at"] or "") >= first for name in names)}


def times_of(readings: Mapping[str, NodeReadings], nodes: Iterable[str], checks: Iterable[str]) -> tuple[str, str]:
    """When the oldest and the newest of these readings were taken; a missing one counts as the oldest, and is empty."""
    names, nothing = tuple(checks), dict[str, ReadingDocument]()
    known = (readings.get(node, nothing) for node in nodes)
    times = {each[name]["at"] or "" if name in each else "" for each in known for name in names}
    return min(times, default=""), max(times, default="")


def unread_document(check: Check) -> ReadingDocument:
    """The reading of a check that has never run on a node."""
    return reading_document(Reading(State.UNKNOWN, None, check.unit, detail="not read yet"))


class LedgerDocument(TypedDict):
    """Whether the agent's ledger can be acted by, and in words why it cannot."""

    usable: bool
    why: str | None


class SlurmDocument(TypedDict):
    """What Slurm says of a node, as far as a status answer shows it."""

    state: str
    flags: list[str]
    unrecognised: list[str]
    reason: str
    reason_by: str
    reason_at: Time | None
    partitions: list[str]


class ConfidenceDocument(TypedDict):
    """How sure botd is of a way on: the chance that it mends, what is counted, and where.

    `p` leans on a guess as long as little was counted. `at_least` is a bound that only the `good` outcomes `of` so many
    carry, all of one `scope`: a kind of hardware, or all of it; null with fewer than three, which are too few to say.
    """

    p: float
    at_least: float | None
    good: int
    of: int
    scope: str


class RefusalDocument(TypedDict):
    """An action's guard that says no, and why in words."""

    action: str
    guard: str
    words: str


class RankedDocument(TypedDict):
    """A way on, best first, as far as no guard stands in it.

    `cost_h` is what it costs in hours of a node, null where that was not reckoned; `words` say why it is where it is.
    """

    action: str
    confidence: ConfidenceDocument | None
    cost_h: float | None
    words: str


class RecommendationDocument(TypedDict):
    """Why a node is not well, and what to do next. `action` is null where there is nothing to press.

    `words` say how sure that is, and why. `evidence` changes whenever what was judged by does: states, reason, power,
    jobs, what a guard forbids and what failed before, and no ages and numbers, nor what was counted.
    """

    diagnosis: str
    title: str
    family: str
    explanation: str
    next: str
    action: str | None
    words: str
    confidence: ConfidenceDocument | None
    evidence: str
    refused_by: list[RefusalDocument]
    ranked: list[RankedDocument]


@final
class NodeDocument(TypedDict):
    """One node of a status answer. Its history comes with it where it is the only one.

    `since` is since when it is out of service, else since when it has its diagnosis; null for one that is well.
    """

    node: str
    groups: list[str]
    slurm: SlurmDocument | None
    readings: NodeReadings
    recommendation: RecommendationDocument | None
    since: Time | None
    history: NotRequired[list[ChangeDocument]]
    history_next: NotRequired[int | None]


def node_document(
    node: str,
    groups: Iterable[str],
    slurm: SlurmNode | None,
    readings: NodeReadings,
    checks: Iterable[Check],
    recommendation: RecommendationDocument | None = None,
    since: Time | None = None,
) -> NodeDocument:
    """One node of a status answer, with a reading for each of these checks."""
    return {
        "node": node,
        "groups": list(groups),
        "slurm": slurm_document(slurm) if slurm else None,
        "readings": {check.name: readings.get(check.name) or unread_document(check) for check in checks},
        "recommendation": recommendation,
        "since": since,
    }


def slurm_document(node: SlurmNode) -> SlurmDocument:
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


class SinfoNodeDocument(SlurmDocument):
    """One node of Slurm's list."""

    node: str


def sinfo_node_document(node: SlurmNode) -> SinfoNodeDocument:
    """What Slurm says of a node, with its name."""
    return {"node": node.node, **slurm_document(node)}


class HostinfoNodeDocument(SinfoNodeDocument):
    """Everything that Slurm says of a node. `jobs` is null where they are not known."""

    base: str
    features: list[str]
    address: str
    cpus: int | None
    memory_mb: int | None
    boot_at: Time | None
    slurmd_version: str
    jobs: list[str] | None
    jobs_detail: str
    jobs_at: Time | None


def hostinfo_node_document(node: SlurmNode, jobs: ReadingDocument) -> HostinfoNodeDocument:
    """Everything that Slurm says of a node; `jobs` is its reading of that check."""
    return {
        **sinfo_node_document(node),
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


class CheckDocument(TypedDict):
    """The declaration of a check."""

    name: str
    title: str
    unit: str | None
    kind: Annotated[str, Kind]
    needs: list[str]
    parent: str | None
    help: str


def check_document(check: Check) -> CheckDocument:
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


class ChangeDocument(TypedDict):
    """One change. `old` is null where nothing was known before, `new` where nothing is there any more."""

    id: int
    at: Time
    node: str
    subject: str
    old: str | None
    new: str | None
    why: str
    bad: bool


def change_document(change: Change) -> ChangeDocument:
    """One change on record; `id` is its place there, which never changes. Raises ValueError for one that has none."""
    if change.id is None:
        raise ValueError(f"a change of {change.node} is not on record yet")
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


class NoteDocument(TypedDict):
    """What somebody noted on a node. `until` is when a snooze ends."""

    id: int
    node: str
    kind: Annotated[str, NoteKind]
    text: str
    by: str
    at: Time
    until: Time | None


def note_document(note: Note) -> NoteDocument:
    """A note on record. Raises ValueError for one that has no id."""
    if note.id is None:
        raise ValueError(f"a note of {note.node} is not on record yet")
    return {
        "id": note.id,
        "node": note.node,
        "kind": note.kind.value,
        "text": note.text,
        "by": note.by,
        "at": iso(note.at),
        "until": iso(note.until),
    }


class SweepDocument(TypedDict):
    """A sweep as a client follows it. `done` and `total` count nodes."""

    sweep: int
    state: Annotated[str, SweepState]
    done: int
    total: int
    nodes: str
    checks: list[str]
    requested_at: Time
    started_at: Time | None
    ended_at: Time | None
    errors: list[str]


def sweep_document(sweep: Sweep) -> SweepDocument:
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


class ProgressDocument(TypedDict):
    """How far a sweep is, in nodes."""

    sweep: int
    done: int
    total: int


def progress_document(sweep: Sweep) -> ProgressDocument:
    """How far a sweep is."""
    return {"sweep": sweep.id, "done": sweep.done, "total": sweep.total}


class AnswerHead(TypedDict):
    """What stands before the list in the answers that come from the node list. `problems` are sentences."""

    as_of: Time | None
    count: int
    complete: bool
    problems: list[str]


class ChosenHead(AnswerHead):
    """An answer of `count` nodes, chosen `of` so many by the filters in `chosen`, which is empty without any."""

    of: int
    chosen: str


class StatusHead(ChosenHead):
    """A status answer without its nodes. `sweep` is the one to follow where the answer did not wait for it."""

    groups: list[str]
    checks: list[str]
    sweep: int | None


def status_head(
    groups: Iterable[str],
    checks: Iterable[str],
    *,
    as_of: datetime | None,
    count: int,
    complete: bool,
    problems: Iterable[str] = (),
    sweep: int | None = None,
    of: int | None = None,
    chosen: str = "",
) -> StatusHead:
    """The head of a status answer of so many nodes, `chosen` of so many."""
    return {
        "as_of": iso(as_of),
        "groups": list(groups),
        "checks": list(checks),
        "count": count,
        "complete": complete,
        "problems": list(problems),
        "sweep": sweep,
        "of": count if of is None else of,
        "chosen": chosen,
    }
