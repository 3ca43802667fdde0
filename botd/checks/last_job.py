"""How the last job on the node ended."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from botd.answers import SlurmAnswer, Source
from botd.model import Check, Facts, Finding, State

NODE_FAULTS = ("NODE_FAIL", "BOOT_FAIL")
"""Ends that Slurm blames on the node (sacct(1), JOB STATE CODES). All others are the job's own, FAILED too: a node on
which a user's program ends with an error is no worse for it."""


def read_last_job(answer: SlurmAnswer, facts: Facts) -> Finding:
    """An object: `job_id`, `user`, `state`, `exit_code`, `ended_at` of the newest job that had this node, or null."""
    if answer.nothing_kept:
        return Finding(State.SKIPPED, None, answer.nothing_kept)
    if answer.error:
        return Finding(State.UNKNOWN, None, answer.error)
    if not answer.jobs:
        return Finding(State.OK, None, "no job in the last day")
    job = answer.jobs[0]
    value = {
        "job_id": job.job_id,
        "user": job.user,
        "state": job.state,
        "exit_code": job.exit_code,
        "ended_at": job.ended_at,
    }
    return Finding(_state(job.state), value, f"job {job.job_id} of {job.user}: {job.state}, exit code {job.exit_code}")


def show_last_job(value: Mapping[str, Any]) -> str:
    """`44001 COMPLETED 0:0`: of several nodes only what they have in common."""
    return " ".join(value[key] for key in ("job_id", "state", "exit_code") if key in value)


def _state(ended: str) -> State:
    word = ended.split()[0] if ended.split() else ""  # "CANCELLED by 1000"
    return State.FAIL if word in NODE_FAULTS else State.OK


CHECK = Check(
    name="last_job",
    title="Last job",
    help="State and exit code of the newest job of the last day.",
    source=Source.LAST_JOB,
    parse=read_last_job,
    show=show_last_job,
    columns={
        "id": itemgetter("job_id"),
        "user": itemgetter("user"),
        "end": itemgetter("state"),
        "exit_code": itemgetter("exit_code"),
        "ended_at": itemgetter("ended_at"),
    },
    tells=("state",),
)
