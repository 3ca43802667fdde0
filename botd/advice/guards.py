"""What forbids an action whatever the diagnosis: `GUARDS`, a literal table. The acting half has more of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botd.advice.case import Case
from botd.advice.rules import POWER_CYCLE, POWER_ON, REPEATS, RESTART_SLURMD, RESUME
from botd.advice.words import moment, quoted

HARD = (POWER_ON, POWER_CYCLE)
PRESSED = (RESUME, RESTART_SLURMD, *HARD)


@dataclass(frozen=True)
class Guard:
    """Whether it stands in the way of the actions that it cuts, and what a person is told then; both for one action."""

    name: str
    cuts: tuple[str, ...]
    stands: Callable[[Case, str], bool]
    words: Callable[[Case, str], str]


def _jobs(case: Case) -> str:
    jobs = case.jobs or []
    return f"{'job' if len(jobs) == 1 else 'jobs'} {', '.join(jobs[:4])}" if jobs else "a job"


def _failed(case: Case, action: str) -> str:
    found = case.failed(action)
    return f"{action} {found.id} failed at {moment(found.at)}, in this incident" if found else ""


GUARDS: tuple[Guard, ...] = (
    Guard(
        "human-reason",
        PRESSED,
        lambda case, _: case.is_kept_by_a_person,
        lambda case, _: f"a person keeps it out{': ' + quoted(case.slurm.reason) if case.slurm else ''}",
    ),
    Guard(
        "draining",
        PRESSED,
        lambda case, _: case.is_draining,
        lambda case, _: f"{_jobs(case)} still runs on it",
    ),
    Guard(
        "live-job",
        (RESTART_SLURMD, *HARD),
        lambda case, _: bool(case.jobs),
        lambda case, _: f"Slurm has {_jobs(case)} on it",
    ),
    Guard(
        "jobs-unknown",
        (RESTART_SLURMD, *HARD),
        lambda case, _: case.jobs is None,
        lambda case, _: "it is not known which jobs it has",
    ),
    Guard(
        "wrong-state",
        PRESSED,
        lambda case, _: not case.is_out,
        lambda case, _: "it is in service: drain it first" if case.slurm else "Slurm does not know it",
    ),
    Guard(
        "power-unknown",
        HARD,
        lambda case, _: case.value("ipmi_state") not in ("on", "off"),
        lambda case, _: "its power is not known",
    ),
    Guard(
        "repeat",
        PRESSED,
        lambda case, _: case.past.incidents >= REPEATS,
        lambda case, _: f"{case.past.incidents} incidents in 30 days: find out why before it goes back",
    ),
    # A rung of the ladder is stepped on once: what did not mend it this time is not what it lacks.
    Guard(
        "failed-before",
        (RESTART_SLURMD, *HARD),
        lambda case, action: case.failed(action) is not None,
        _failed,
    ),
)
"""In the order in which they are told."""
