"""Whether it heals alone: a life table of incidents by how old they were, and the chance in each step of it.

Every incident feeds it, also the nights that nobody saw. Whoever acts on a node takes its incident out of the table at
that moment (it is censored): what it would have become alone nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

AGES_H = (0.0, 0.5, 2.0, 8.0, 24.0, 72.0)
"""Where the steps begin and end, in hours. Who was ill for longer than the last does not heal by waiting."""

LEAST = 3
"""Incidents that must have come untouched into a step to say anything of it."""


class Spell(NamedTuple):
    """An incident: its diagnosis, how long it lasted untouched in hours, and whether it was over then by itself."""

    diagnosis: str
    hours: float
    healed: bool


class Step(NamedTuple):
    """A step of the table, in hours of age: how many healed alone within it, of those that came into it untouched."""

    begins_h: float
    ends_h: float
    healed: int
    of: float

    @property
    def chance(self) -> float | None:
        """The chance to heal alone within it, None where too few came so far."""
        return self.healed / self.of if self.of >= LEAST else None


class Wait(NamedTuple):
    """To wait until the step is over: how many hours that still is, and the chance that it heals alone in these."""

    left_h: float
    chance: float
    step: Step


def life_table(spells: Iterable[Spell], diagnosis: str) -> tuple[Step, ...]:
    """The table of a diagnosis. Who was touched within a step counts half in it, as life tables count (actuaries')."""
    these = [each for each in spells if each.diagnosis == diagnosis and each.hours >= 0]
    return tuple(_step(these, begins_h, ends_h) for begins_h, ends_h in pairwise(AGES_H))


def wait(table: Sequence[Step], age_h: float) -> Wait | None:
    """What waiting promises a node that is ill for so long; None where it is no option, or nothing is known."""
    step = next((each for each in table if each.begins_h <= age_h < each.ends_h), None)
    if step is None or step.chance is None:
        return None
    left_h = step.ends_h - age_h
    # Who came so far into the step has only the rest of it: as if they healed evenly over its time.
    stays_ill = (1 - step.chance) ** (left_h / (step.ends_h - step.begins_h))
    return Wait(left_h, 1 - stays_ill, step)


def _step(spells: Sequence[Spell], begins_h: float, ends_h: float) -> Step:
    came = [each for each in spells if each.hours >= begins_h and (each.healed or each.hours > begins_h)]
    within = [each for each in came if each.hours < ends_h]
    healed = sum(each.healed for each in within)
    return Step(begins_h, ends_h, healed, len(came) - (len(within) - healed) / 2)
