"""The stand-in for squeue, Slurm 22.05."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from botd.demo.machine import DemoJob
from botd.demo.state import ClusterState
from botd.demo.tools.base import VERSION, Printed, clock_text, failed, iso, node_list, printed, unseen
from botd.demo.tools.columns import Column, print_rows, read_format
from botd.demo.tools.options import Asked, Option, Usage, read_options

OPTIONS: tuple[Option, ...] = (
    Option("V", "version"),
    Option("h", "noheader"),
    Option("a", "all"),
    Option("", "local"),
    Option("r", "array"),
    Option("o", "format", takes=True),
    Option("w", "nodelist", takes=True),
    Option("u", "user", takes=True),
    Option("t", "states", takes=True),
    Option("j", "jobs", takes=True),
)

USUAL = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"

LETTERS = "aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"
"""All that the real one has (squeue(1))."""

STATES = {
    "PENDING": "PD",
    "RUNNING": "R",
    "SUSPENDED": "S",
    "COMPLETED": "CD",
    "CANCELLED": "CA",
    "FAILED": "F",
    "TIMEOUT": "TO",
    "NODE_FAIL": "NF",
    "PREEMPTED": "PR",
    "BOOT_FAIL": "BF",
    "DEADLINE": "DL",
    "OUT_OF_MEMORY": "OOM",
    "COMPLETING": "CG",
    "CONFIGURING": "CF",
    "RESIZING": "RS",
    "RESV_DEL_HOLD": "RD",
    "REQUEUED": "RQ",
    "REQUEUE_FED": "RF",
    "REQUEUE_HOLD": "RH",
    "REVOKED": "RV",
    "SIGNALING": "SI",
    "SPECIAL_EXIT": "SE",
    "STAGE_OUT": "SO",
    "STOPPED": "ST",
}
"""Every state of a job, and how `%t` writes it."""

REASONS = {"FAILED": "NonZeroExitCode", "TIMEOUT": "TimeLimit", "NODE_FAIL": "NodeDown"}
"""Why a job is as it is, where squeue says more than `None`."""

KEPT_S = 300.0
"""How long slurmctld remembers an ended job (MinJobAge of slurm.conf(5))."""


@dataclass(frozen=True)
class Row:
    """One job, and the time at which squeue looks."""

    job: DemoJob
    now: float

    @property
    def state(self) -> str:
        """The state without who cancelled it, which only sacct tells."""
        return self.job.state.split()[0]

    @property
    def reason(self) -> str:
        """Why it is as it is."""
        return REASONS.get(self.state, "None")


COLUMNS: dict[str, Column[Row]] = {
    "i": Column("JOBID", lambda row: str(row.job.job_id)),
    "A": Column("JOBID", lambda row: str(row.job.job_id)),
    "F": Column("ARRAY_JOB_ID", lambda row: str(row.job.job_id)),
    "P": Column("PARTITION", lambda row: row.job.partition),
    "j": Column("NAME", lambda row: row.job.name),
    "u": Column("USER", lambda row: row.job.user),
    "a": Column("ACCOUNT", lambda row: f"fc_{row.job.user}"),
    "t": Column("ST", lambda row: STATES[row.state]),
    "T": Column("STATE", lambda row: row.state),
    "M": Column("TIME", lambda row: clock_text((row.job.ended_at or row.now) - row.job.started_at)),
    "l": Column("TIME_LIMIT", lambda _: "3-00:00:00"),
    "D": Column("NODES", lambda row: str(len(row.job.nodes))),
    "C": Column("CPUS", lambda row: str(row.job.cores * len(row.job.nodes))),
    "S": Column("START_TIME", lambda row: iso(row.job.started_at)),
    "N": Column("NODELIST", lambda row: node_list(row.job.nodes)),
    "R": Column(
        "NODELIST(REASON)", lambda row: f"({row.reason})" if row.state in REASONS else node_list(row.job.nodes)
    ),
    "r": Column("REASON", lambda row: row.reason),
}


def squeue(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `squeue` with these arguments prints."""
    try:
        asked = read_options("squeue", OPTIONS, words, hint='Try "squeue --help" for more information')
        cells, strange = read_format(asked.text("format") or USUAL, COLUMNS, LETTERS)
        jobs = _chosen(state, asked)
    except Usage as error:
        return failed(str(error))
    if asked.has("version"):
        return printed(f"{VERSION}\n")
    rows = [Row(job, state.now()) for job in sorted(jobs, key=lambda job: (job.partition, job.state, job.job_id))]
    complaints = "".join(f"Invalid job format specification: {letter}\n" for letter in strange)
    complaints += "".join(_unknown_users(state, asked))
    return Printed(print_rows(cells, rows, heading=not asked.has("noheader")), complaints.encode())


def _unknown_users(state: ClusterState, asked: Asked) -> Iterable[str]:
    """squeue goes on without a user that the machine does not know; the demo's are those who have jobs."""
    known = {job.user for job in _all_jobs(state)}
    return (f"squeue: error: Invalid user: {user}\n\n" for user in asked.words("user") if user not in known)


def _all_jobs(state: ClusterState) -> list[DemoJob]:
    return [*state.running, *state.ended]


def _chosen(state: ClusterState, asked: Asked) -> list[DemoJob]:
    """The jobs that slurmctld has and the filters leave. Raises Usage for a node, state or job that is none."""
    _check(state, asked)
    hidden = unseen(state, asked)
    told = (job for job in _all_jobs(state) if job.partition not in hidden)
    remembered = [job for job in told if (job.ended_at or state.now()) >= state.now() - KEPT_S]
    ids = asked.words("jobs")
    if len(ids) == 1 and ids[0] not in {str(job.job_id) for job in remembered}:
        raise Usage("slurm_load_jobs error: Invalid job id specified")
    states = {STATES.get(word, word) for word in asked.text("states").upper().split(",") if word} or {"R"}
    filters = (
        (set(asked.words("nodelist")), lambda job: set(job.nodes)),
        (set(asked.words("user")), lambda job: {job.user}),
        (set(ids), lambda job: {str(job.job_id)}),
        (states - {"ALL"}, lambda job: {STATES[job.state.split()[0]]}),
    )
    return [job for job in remembered if all(not wanted or wanted & of(job) for wanted, of in filters)]


def _check(state: ClusterState, asked: Asked) -> None:
    for name in asked.words("nodelist"):
        if name not in state.nodes:
            raise Usage(f"squeue: error: Invalid node name {name}")
    for word in asked.words("states"):
        if word.upper() not in {"ALL", *STATES, *STATES.values()}:
            valid = f"Valid job states include: {','.join(STATES)}"
            raise Usage(f"squeue: error: Invalid job state specified: {word}\nsqueue: error: {valid}\n")
    for job in asked.words("jobs"):
        if not job.isdigit():
            raise Usage(f"squeue: error: Invalid job id: {job}")
