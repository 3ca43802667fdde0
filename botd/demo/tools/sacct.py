"""The stand-in for sacct, Slurm 22.05 with slurmdbd: jobs of the last day, running ones too, and their batch steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from botd import nodeset
from botd.demo.machine import DemoJob
from botd.demo.state import ClusterState
from botd.demo.tools.base import VERSION, Printed, clock_text, failed, iso, node_list, printed
from botd.demo.tools.options import Asked, Option, Usage, read_options
from botd.demo.tools.squeue import STATES
from botd.errors import BadNodeset

OPTIONS: tuple[Option, ...] = (
    Option("V", "version"),
    Option("n", "noheader"),
    Option("X", "allocations"),
    Option("a", "allusers"),
    Option("", "local"),
    Option("P", "parsable2"),
    Option("p", "parsable"),
    Option("", "delimiter", takes=True),
    Option("o", "format", takes=True),
    Option("S", "starttime", takes=True),
    Option("E", "endtime", takes=True),
    Option("N", "nodelist", takes=True),
    Option("u", "user", takes=True),
    Option("s", "state", takes=True),
    Option("j", "jobs", takes=True),
)

USUAL = "jobid,jobname,partition,account,alloccpus,state,exitcode"


@dataclass(frozen=True)
class Row:
    """One job or the batch step of one, and the time at which sacct looks."""

    job: DemoJob
    now: float
    step: str = ""

    @property
    def of_job(self) -> Callable[[str], str]:
        """Leaves out what belongs to the whole job and not to its step."""
        return lambda text: "" if self.step else text


class Cut(Enum):
    """What becomes of a text that is wider than its column."""

    PLUS = "ends with a plus"
    BARE = "is cut"
    NEVER = "stays whole"


@dataclass(frozen=True)
class Field:
    """One field: its heading, its width (left-aligned below 0), and the text of a row."""

    title: str
    width: int
    text: Callable[[Row], str]
    cut: Cut = Cut.PLUS


def _elapsed(row: Row) -> str:
    return clock_text((row.job.ended_at or row.now) - row.job.started_at, full=True)


FIELDS: dict[str, Field] = {
    field.title.lower(): field
    for field in (
        Field("JobID", -12, lambda row: f"{row.job.job_id}{row.step}"),
        Field("JobIDRaw", -12, lambda row: f"{row.job.job_id}{row.step}"),
        Field("JobName", 10, lambda row: row.step.removeprefix(".") or row.job.name),
        Field("User", 9, lambda row: row.of_job(row.job.user)),
        Field("Account", 10, lambda row: f"fc_{row.job.user}"),
        Field("Partition", 10, lambda row: row.of_job(row.job.partition)),
        Field("AllocCPUS", 10, lambda row: str(row.job.cores * len(row.job.nodes)), Cut.NEVER),
        Field("NNodes", 8, lambda row: str(len(row.job.nodes)), Cut.NEVER),
        Field("NodeList", 15, lambda row: node_list(row.job.nodes)),
        Field("State", 10, lambda row: row.job.state),
        Field("ExitCode", 8, lambda row: row.job.exit_code),
        Field("Submit", 19, lambda row: iso(row.job.started_at - row.job.waited_s), Cut.BARE),
        Field("Start", 19, lambda row: iso(row.job.started_at), Cut.BARE),
        Field("End", 19, lambda row: iso(row.job.ended_at), Cut.BARE),
        Field("Elapsed", 10, _elapsed, Cut.NEVER),
    )
}

STEP_ENDS = {"CANCELLED": ("CANCELLED", "0:15"), "TIMEOUT": ("CANCELLED", "0:15"), "NODE_FAIL": ("CANCELLED", "0:0")}
"""How a batch step ends where it does not end as its job does."""

_RELATIVE = re.compile(r"now(?:([+-])(\d+)(second|minute|hour|day|week)s?)?")
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def sacct(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `sacct` with these arguments prints."""
    try:
        asked = read_options("sacct", OPTIONS, words)
        fields = [_field(name) for name in asked.text("format", USUAL).split(",")]
        jobs = _chosen(state, asked)
    except Usage as error:
        return failed(str(error))
    if asked.has("version"):
        return printed(f"{VERSION}\n")
    rows = [row for job in jobs for row in _rows(job, state.now(), steps=not asked.has("allocations"))]
    table = [[field.text(row) for field, _ in fields] for row in rows]
    return printed(_parsable(fields, table, asked) if _is_parsable(asked) else _aligned(fields, table, asked))


def _rows(job: DemoJob, now: float, *, steps: bool) -> Iterator[Row]:
    yield Row(job, now)
    if steps:
        state, code = STEP_ENDS.get(job.state.split()[0], (job.state, job.exit_code))
        yield Row(replace(job, state=state, exit_code=code, nodes=job.nodes[:1], waited_s=0.0), now, ".batch")


def _field(text: str) -> tuple[Field, int]:
    """The field of that name, and its width: `jobid`, `state%20`."""
    name, _, width = text.partition("%")
    if name.lower() not in FIELDS:
        raise Usage(f'sacct: error: Invalid field requested: "{name}"')
    field = FIELDS[name.lower()]
    return field, int(width) if width else field.width


def _chosen(state: ClusterState, asked: Asked) -> list[DemoJob]:
    """The jobs that ran between start and end and that the other filters leave, oldest first. Raises Usage."""
    since, until = _window(asked, state.now())
    jobs = sorted([*state.ended, *state.running], key=lambda job: job.job_id)
    filters = (
        (_nodes(asked), lambda job: set(job.nodes)),
        (_users(asked, jobs), lambda job: {job.user}),
        (_ids(asked), lambda job: {str(job.job_id)}),
        (_states(asked), lambda job: {job.state.split()[0]}),
    )
    inside = [job for job in jobs if job.started_at <= until and (job.ended_at or until) >= since]
    return [job for job in inside if all(wanted is None or wanted & of(job) for wanted, of in filters)]


def _window(asked: Asked, now: float) -> tuple[float, float]:
    """From when to when (sacct(1), DEFAULT TIME WINDOW): today so far; all time with -j; one moment with -s."""
    usual = "now" if asked.has("state") else "1970-01-01" if asked.has("jobs") else f"{datetime.fromtimestamp(now):%F}"
    start = asked.text("starttime", usual)
    end = asked.text("endtime", start if asked.has("state") else "now")
    return read_time(start, now), read_time(end, now)


def _nodes(asked: Asked) -> set[str] | None:
    """None without the option; sacct takes a list that it cannot read for one of no nodes."""
    try:
        return set(nodeset.expand(asked.text("nodelist"))) if asked.has("nodelist") else None
    except BadNodeset:
        return set()


def _users(asked: Asked, jobs: list[DemoJob]) -> set[str] | None:
    """The demo's users are those who have jobs."""
    for user in asked.words("user"):
        if user not in {job.user for job in jobs}:
            raise Usage(f"sacct: error: Invalid user id: {user}")
    return set(asked.words("user")) or None


def _ids(asked: Asked) -> set[str] | None:
    for job in asked.words("jobs"):
        if not job.isdigit():
            raise Usage(f"sacct: fatal: Bad job/step specified: {job}")
    return set(asked.words("jobs")) or None


def _states(asked: Asked) -> set[str] | None:
    full = {short: word for word, short in STATES.items()}
    for word in asked.words("state"):
        if word.upper() not in {*STATES, *full}:
            raise Usage(f"sacct: fatal: unrecognized job state value '{word}'")
    return {full.get(word.upper(), word.upper()) for word in asked.words("state")} or None


def read_time(text: str, now: float) -> float:
    """Seconds since the epoch of `now`, `now-1day` or `2026-11-23T08:00:00`. Raises Usage for anything else."""
    match = _RELATIVE.fullmatch(text)
    if match:
        sign = -1 if match[1] == "-" else 1
        return now + sign * int(match[2] or 0) * _UNITS.get(match[3] or "", 0)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise Usage(f"Invalid time specification (pos=0): {text}") from None


Fields = list[tuple[Field, int]]


def _is_parsable(asked: Asked) -> bool:
    return asked.has("parsable") or asked.has("parsable2")


def _parsable(fields: Fields, table: list[list[str]], asked: Asked) -> str:
    delimiter = asked.text("delimiter", "|")
    end = delimiter * asked.has("parsable")
    heading = [] if asked.has("noheader") else [[field.title for field, _ in fields]]
    return "".join(f"{delimiter.join(texts)}{end}\n" for texts in [*heading, *table])


def _aligned(fields: Fields, table: list[list[str]], asked: Asked) -> str:
    """Columns with their headings underlined."""
    widths = [width for _, width in fields]
    heading = _line(_fit(field.title, width, Cut.BARE) for field, width in fields)
    rule = _line("-" * abs(width) for width in widths)
    cuts = [field.cut for field, _ in fields]
    lines = [_line(map(_fit, texts, widths, cuts)) for texts in table]
    return "".join(lines if asked.has("noheader") else [heading, rule, *lines])


def _line(cells: Iterable[str]) -> str:
    return "".join(f"{cell} " for cell in cells) + "\n"


def _fit(text: str, width: int, cut: Cut) -> str:
    room = abs(width)
    if len(text) > room and cut is not Cut.NEVER:
        text = text[:room] if cut is Cut.BARE else f"{text[: room - 1]}+"
    return text.ljust(room) if width < 0 else text.rjust(room)
