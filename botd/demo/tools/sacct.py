"""The stand-in for sacct, Slurm 22.05: jobs of the last day and the running ones, one line per job."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime

from botd import nodeset
from botd.demo.machine import DemoJob
from botd.demo.state import ClusterState
from botd.demo.tools.base import VERSION, Arguments, Printed, Usage, clock_text, failed, iso, printed
from botd.errors import BadNodeset

USUAL = "jobid,jobname,partition,account,alloccpus,state,exitcode"

Field = Callable[[DemoJob, float], str]

FIELDS: dict[str, tuple[str, Field]] = {
    "jobid": ("JobID", lambda job, _: str(job.job_id)),
    "jobidraw": ("JobIDRaw", lambda job, _: str(job.job_id)),
    "jobname": ("JobName", lambda job, _: job.name),
    "user": ("User", lambda job, _: job.user),
    "account": ("Account", lambda job, _: f"fc_{job.user}"),
    "partition": ("Partition", lambda job, _: job.partition),
    "alloccpus": ("AllocCPUS", lambda job, _: str(job.cores * len(job.nodes))),
    "nnodes": ("NNodes", lambda job, _: str(len(job.nodes))),
    "nodelist": ("NodeList", lambda job, _: ",".join(job.nodes)),
    "state": ("State", lambda job, _: job.state),
    "exitcode": ("ExitCode", lambda job, _: job.exit_code),
    "submit": ("Submit", lambda job, _: iso(job.started_at)),
    "start": ("Start", lambda job, _: iso(job.started_at)),
    "end": ("End", lambda job, _: iso(job.ended_at)),
    "elapsed": ("Elapsed", lambda job, now: clock_text((job.ended_at or now) - job.started_at, full=True)),
}

_RELATIVE = re.compile(r"now(?:([+-])(\d+)(second|minute|hour|day|week)s?)?")
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def sacct(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `sacct` with these arguments prints."""
    try:
        asked = _parser().parse_args(words)
        fields = [_field(name) for name in asked.format.split(",")]
        jobs = _chosen(state, asked)
    except (Usage, BadNodeset) as error:
        return failed("sacct", str(error))
    if asked.version:
        return printed(f"{VERSION}\n")
    table = [[text(job, state.now()) for _, text in fields] for job in jobs]
    if not asked.noheader:
        table = [[title for title, _ in fields], *table]
    return printed("".join(_line(texts, asked) for texts in table))


def _parser() -> Arguments:
    parser = Arguments("sacct")
    for flag, name in (("-n", "--noheader"), ("-X", "--allocations"), ("-a", "--allusers"), ("-c", "--completion")):
        parser.add_argument(flag, name, action="store_true")
    parser.add_argument("-P", "--parsable2", action="store_true")
    parser.add_argument("-p", "--parsable", action="store_true")
    parser.add_argument("--delimiter", default="|")
    parser.add_argument("-o", "--format", default=USUAL)
    parser.add_argument("-S", "--starttime", default="now-1day")
    parser.add_argument("-E", "--endtime", default="now")
    for flag, name in (("-N", "--nodelist"), ("-u", "--user"), ("-s", "--state"), ("-j", "--jobs")):
        parser.add_argument(flag, name, default="")
    return parser


def _field(text: str) -> tuple[str, Field]:
    name = text.partition("%")[0].lower()
    if name not in FIELDS:
        raise Usage(f'fatal: Invalid field requested: "{text}"')
    return FIELDS[name]


def _chosen(state: ClusterState, asked: Namespace) -> list[DemoJob]:
    """The jobs that ran between start and end and that the other filters leave, oldest first."""
    since, until = read_time(asked.starttime, state.now()), read_time(asked.endtime, state.now())
    jobs = sorted([*state.ended, *state.running], key=lambda job: job.job_id)
    filters = (
        (set(nodeset.expand(asked.nodelist)), lambda job: set(job.nodes)),
        (set(filter(None, asked.user.split(","))), lambda job: {job.user}),
        (set(filter(None, asked.jobs.split(","))), lambda job: {str(job.job_id)}),
        (set(filter(None, asked.state.upper().split(","))), lambda job: {job.state.split()[0]}),
    )
    inside = [job for job in jobs if job.started_at <= until and (job.ended_at or until) >= since]
    return [job for job in inside if all(not wanted or wanted & of(job) for wanted, of in filters)]


def read_time(text: str, now: float) -> float:
    """Seconds since the epoch of `now`, `now-1day` or `2026-11-23T08:00:00`. Raises Usage for anything else."""
    match = _RELATIVE.fullmatch(text)
    if match:
        sign = -1 if match[1] == "-" else 1
        return now + sign * int(match[2] or 0) * _UNITS.get(match[3] or "", 0)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise Usage(f"error: Invalid time specification (pos=0): {text}") from None


def _line(texts: list[str], asked: Namespace) -> str:
    if asked.parsable2 or asked.parsable:
        delimiter = str(asked.delimiter)
        return delimiter.join(texts) + delimiter * bool(asked.parsable) + "\n"
    return " ".join(f"{text[:10]:>10}" for text in texts) + " \n"
