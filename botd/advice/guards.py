"""What forbids an action whatever the diagnosis: `GUARDS`, a literal table. The acting half has more of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botd.advice.case import Case
from botd.advice.rules import POWER_CYCLE, POWER_ON, REPEATS, RESTART_SLURMD, RESUME
from botd.advice.words import quoted

HARD = (POWER_ON, POWER_CYCLE)
PRESSED = (RESUME, RESTART_SLURMD, *HARD)


@dataclass(frozen=True)
class Guard:
    """Whether it stands in the way of the actions that it cuts, and what a person is told then."""

    name: str
    cuts: tuple[str, ...]
    stands: Callable[[Case], bool]
    words: Callable[[Case], str]


def _jobs(case: Case) -> str:
    jobs = case.jobs or []
    return f"{'job' if len(jobs) == 1 else 'jobs'} {', '.join(jobs[:4])}" if jobs else "a job"


GUARDS: tuple[Guard, ...] = (
    Guard(
        "human-reason",
        PRESSED,
        lambda case: case.is_kept_by_a_person,
        lambda case: f"a person keeps it out{': ' + quoted(case.slurm.reason) if case.slurm else ''}",
    ),
    Guard(
        "draining",
        PRESSED,
        lambda case: case.is_draining,
        lambda case: f"{_jobs(case)} still runs on it",
    ),
    Guard(
        "live-job",
        (RESTART_SLURMD, *HARD),
        lambda case: bool(case.jobs),
        lambda case: f"Slurm has {_jobs(case)} on it",
    ),
    Guard(
        "jobs-unknown",
        (RESTART_SLURMD, *HARD),
        lambda case: case.jobs is None,
        lambda case: "it is not known which jobs it has",
    ),
    Guard(
        "wrong-state",
        PRESSED,
        lambda case: not case.is_out,
        lambda case: "it is in service: drain it first" if case.slurm else "Slurm does not know it",
    ),
    Guard(
        "power-unknown",
        HARD,
        lambda case: case.value("ipmi_state") not in ("on", "off"),
        lambda case: "its power is not known",
    ),
    Guard(
        "repeat",
        PRESSED,
        lambda case: case.past.incidents >= REPEATS,
        lambda case: f"{case.past.incidents} incidents in 30 days: find out why before it goes back",
    ),
)
"""In the order in which they are told."""
