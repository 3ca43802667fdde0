"""The stand-in for squeue, Slurm 22.05."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from botd.demo.machine import DemoJob
from botd.demo.state import ClusterState
from botd.demo.tools.base import VERSION, Arguments, Printed, Usage, clock_text, failed, iso, printed
from botd.demo.tools.columns import Column, print_rows, read_format

USUAL = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"


@dataclass(frozen=True)
class Row:
    """One job, and the time at which squeue looks."""

    job: DemoJob
    now: float


def _node_list(row: Row) -> str:
    return ",".join(row.job.nodes)


COLUMNS: dict[str, Column[Row]] = {
    "i": Column("JOBID", lambda row: str(row.job.job_id)),
    "A": Column("JOBID", lambda row: str(row.job.job_id)),
    "F": Column("ARRAY_JOB_ID", lambda row: str(row.job.job_id)),
    "P": Column("PARTITION", lambda row: row.job.partition),
    "j": Column("NAME", lambda row: row.job.name),
    "u": Column("USER", lambda row: row.job.user),
    "a": Column("ACCOUNT", lambda row: f"fc_{row.job.user}"),
    "t": Column("ST", lambda _: "R"),
    "T": Column("STATE", lambda row: row.job.state),
    "M": Column("TIME", lambda row: clock_text(row.now - row.job.started_at)),
    "l": Column("TIME_LIMIT", lambda _: "3-00:00:00"),
    "D": Column("NODES", lambda row: str(len(row.job.nodes))),
    "C": Column("CPUS", lambda row: str(row.job.cores * len(row.job.nodes))),
    "S": Column("START_TIME", lambda row: iso(row.job.started_at)),
    "N": Column("NODELIST", _node_list),
    "R": Column("NODELIST(REASON)", _node_list),
    "r": Column("REASON", lambda _: "None"),
}


def squeue(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `squeue` with these arguments prints."""
    try:
        asked = _parser().parse_args(words)
        cells = read_format(asked.format or USUAL, COLUMNS)
    except Usage as error:
        return failed("squeue", str(error))
    if asked.version:
        return printed(f"{VERSION}\n")
    jobs = sorted(state.running, key=lambda job: (job.partition, job.job_id))
    rows = [Row(job, state.now()) for job in jobs if _wanted(job, asked)]
    return Printed(print_rows(cells, rows, heading=not asked.noheader))


def _parser() -> Arguments:
    parser = Arguments("squeue")
    for flag, name in (("-h", "--noheader"), ("-a", "--all"), ("-r", "--array")):
        parser.add_argument(flag, name, action="store_true")
    for flag, name in (("-o", "--format"), ("-w", "--nodelist"), ("-u", "--user")):
        parser.add_argument(flag, name, default="")
    for flag, name in (("-t", "--states"), ("-j", "--jobs")):
        parser.add_argument(flag, name, default="")
    return parser


def _wanted(job: DemoJob, asked: Namespace) -> bool:
    """Whether the filters leave the job; an empty filter leaves all."""
    filters = (
        (asked.nodelist, set(job.nodes)),
        (asked.user, {job.user}),
        (asked.jobs, {str(job.job_id)}),
        (asked.states.upper(), {job.state, "R", "ALL"}),
    )
    return all(not text or values.intersection(text.split(",")) for text, values in filters)
