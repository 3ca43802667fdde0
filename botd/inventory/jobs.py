"""The jobs of all nodes: one squeue for those that hold a node, one sacct for those that ended."""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

from botd.answers import Job
from botd.errors import BadNodeset, SlurmFailed
from botd.inventory.command import ask_slurm, token_rows, unreadable
from botd.inventory.times import parse_time
from botd.model import Clock, utc_now
from botd.nodeset import expand
from botd.settings import SlurmSettings

QUEUE_FIELDS = "%i|%u|%T|%M|%N|%j"
"""id, user, state, elapsed, nodes, name (squeue(1)); the name may hold anything, newlines too."""

LAST_FIELDS = "JobID,User,State,ExitCode,Start,End,NodeList"
"""What sacct(1) is asked for; nothing here is for a user to choose."""

MAX_ARGUMENT = 100_000
"""Bytes of a node list given to sacct; a longer one is not given, as Linux takes 128 KiB per argument."""

DISABLED = "accounting storage is disabled"
"""What sacct says with AccountingStorageType=accounting_storage/none, which is Slurm's default (22.05)."""

NEVER = datetime.fromtimestamp(0, UTC)
"""The age of a job that has neither start nor end."""

HOLDS_NOTHING = ("PENDING", "REVOKED")
"""States of a job that waits, and of one that another cluster of the federation runs, which --all shows too."""

NO_NODES = ("", "(null)", "None assigned", "n/a")
"""What sacct says of a job that never had a node."""


def running_jobs(settings: SlurmSettings, *, known: Container[str]) -> dict[str, tuple[Job, ...]]:
    """The jobs that hold each known node, by node; a node without jobs is not in it.

    Whatever squeue shows with nodes counts, also suspended and completing jobs; only one that waits or that
    another cluster runs does not.
    Raises SlurmFailed, SlurmTimeout, and SlurmFailed too when one row cannot be read: a job that is left out
    would make its node look idle.
    """
    token = secrets.token_hex(8)
    output = ask_slurm(settings, "squeue", ("-h", f"--format={token}|{QUEUE_FIELDS}"), bytes)
    jobs: dict[str, list[Job]] = {}
    for job, nodes in parse_queue(output.decode("utf-8", "replace"), token):
        for node in nodes:
            if node in known:
                jobs.setdefault(node, []).append(job)
    return {node: tuple(held) for node, held in jobs.items()}


def last_jobs(settings: SlurmSettings, nodes: Sequence[str], *, clock: Clock = utc_now) -> dict[str, Job] | None:
    """The newest job of the last day on each of these nodes, by node; None where the cluster keeps no accounting.

    It is the one that ended last, else one that runs. Raises SlurmFailed, SlurmTimeout.
    """
    if not settings.sacct.strip():
        return None
    if not nodes:
        return {}
    options = ["-n", "-P", "-X", "-S", "now-1day", "-E", "now", "-o", LAST_FIELDS]
    listed = ",".join(nodes)
    if len(listed) < MAX_ARGUMENT:
        options += ["-N", listed]
    try:
        output = ask_slurm(settings, "sacct", options, bytes)
    except SlurmFailed as error:
        if DISABLED in str(error):
            return None
        raise
    jobs = parse_accounting(output.decode("utf-8", "replace"), since=clock() - timedelta(days=1))
    return newest_jobs(jobs, nodes)


def parse_queue(text: str, token: str) -> Iterator[tuple[Job, tuple[str, ...]]]:
    """Each job that holds nodes, with their names. Raises SlurmFailed for a row that cannot be read."""
    nodes_of = lru_cache(maxsize=256)(partial(_nodes, "squeue"))
    for row in token_rows(text, token, "squeue"):
        fields = row.split("|", 5)
        if len(fields) < 6:
            raise unreadable("squeue", row)
        job_id, user, state, elapsed, nodelist, name = fields
        if nodelist and state not in HOLDS_NOTHING:
            yield Job(job_id, user, state, name, elapsed), nodes_of(nodelist)


# 7|root|FAILED|3:0|2026-11-23T20:54:52|2026-11-23T20:54:52|n[0-1]
def parse_accounting(text: str, *, since: datetime) -> Iterator[tuple[Job, datetime | None, tuple[str, ...]]]:
    """Each job that had nodes and did not end before `since`, with its start and their names.

    Raises SlurmFailed for a line that cannot be read. `sacct -c` reads a jobcomp file, takes no notice of
    time and node options, and writes users as `root(0)` (seen in Slurm 22.05).
    """
    nodes_of = lru_cache(maxsize=256)(partial(_nodes, "sacct"))  # thousands of jobs share a few node lists
    for line in filter(None, text.split("\n")):
        fields = line.split("|")
        if len(fields) != 7:
            raise unreadable("sacct", line)
        job_id, user, state, exit_code, start, end, nodelist = fields
        job = Job(job_id, user.partition("(")[0], state, exit_code=exit_code, ended_at=parse_time(end))
        if nodelist not in NO_NODES and (job.ended_at or since) >= since:
            yield job, parse_time(start), nodes_of(nodelist)


def newest_jobs(jobs: Iterable[tuple[Job, datetime | None, tuple[str, ...]]], nodes: Sequence[str]) -> dict[str, Job]:
    """The newest job of each of these nodes: an ended one before one that still runs, then the later one."""
    wanted = frozenset(nodes)
    best: dict[str, tuple[tuple[bool, datetime], Job]] = {}
    for job, started_at, names in jobs:
        age = (job.ended_at is not None, job.ended_at or started_at or NEVER)
        for node in wanted.intersection(names):
            if node not in best or age >= best[node][0]:
                best[node] = (age, job)
    return {node: job for node, (_, job) in best.items()}


def _nodes(tool: str, nodelist: str) -> tuple[str, ...]:
    try:
        return tuple(expand(nodelist))
    except BadNodeset as error:
        raise unreadable(tool, nodelist) from error
