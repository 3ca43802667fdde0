"""Which jobs run on the node."""

from __future__ import annotations

from botd.answers import SlurmAnswer, Source
from botd.model import Check, Facts, Finding, State
from botd.nodeset import natural_key


def read_jobs(answer: SlurmAnswer, facts: Facts) -> Finding:
    """The ids of the jobs that hold this node, sorted; null when Slurm did not say."""
    if answer.error:
        return Finding(State.UNKNOWN, None, answer.error)
    if facts.slurm is None:
        return Finding(State.UNKNOWN, None, "Slurm does not know this node")
    jobs = sorted(answer.jobs, key=lambda job: natural_key(job.job_id))
    words = ", ".join(f"{job.job_id} {job.user} {job.state.lower()} {job.elapsed}".strip() for job in jobs)
    return Finding(State.OK, [job.job_id for job in jobs], words or "no jobs")


CHECK = Check(
    name="jobs",
    title="Jobs",
    help="The ids of the jobs that hold the node.",
    source=Source.JOBS,
    parse=read_jobs,
)
