"""A year of the simulated cluster: what befalls its nodes, drawn from `bench.trust_causes` before anybody looks.

How each incident goes on is drawn with it: when it is over by itself, and what every action would do. So all policies
meet the same year, and it can be told afterwards what would have been right.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.trust_causes import (
    CAUSES,
    HARDWARE,
    JOB_ENDS_H,
    LEMON_MENDS,
    LEMON_RATE,
    LEMONS,
    RACK,
    STORMS,
    Cause,
    Heals,
    Storm,
)

YEAR_H = 365 * 24.0

ACTIONS = ("resume", "restart-slurmd", "power-on", "power-cycle")

REPAIRED_MENDS = 0.95
"""The chance of every action once what a storm's nodes share is repaired."""

STRAGGLES_H = 0.2
"""Within which time the nodes of a storm fall ill, and are back."""


@dataclass(frozen=True)
class Node:
    """A node, its kind of hardware, and its rack."""

    name: str
    hardware: str
    rack: str
    is_lemon: bool


@dataclass(frozen=True)
class Incident:
    """What befalls a node, in hours of the year, and all that would come of it. A policy sees node, begin and look.

    `healed_at` is when it is back by itself, if nothing is done. `repaired_at` is when what a storm's nodes share is
    mended. `dice` are what is drawn for each action: below the chance it mends, below that of harm it harms.
    """

    node: Node
    begins_at: float
    look: str
    cause: Cause
    healed_at: float
    repaired_at: float
    job_until: float
    dice: Mapping[str, tuple[float, float]]
    traces: tuple[str, ...]

    def mends(self, action: str, at: float) -> float:
        """The chance that the node is well for a day after this action."""
        if at >= self.repaired_at:
            return REPAIRED_MENDS
        return self.cause.mends.get(action, 0.0) * (LEMON_MENDS if self.node.is_lemon else 1.0)

    def harms(self, action: str, at: float) -> float:
        """The chance that it costs a job. Whatever ends a job that Slurm has there does."""
        if action != "resume" and self.has_job(at):
            return 1.0
        return 0.0 if at >= self.repaired_at else self.cause.harms.get(action, 0.0)

    def is_mended_by(self, action: str, at: float) -> bool:
        """Whether it is."""
        return self.dice[action][0] < self.mends(action, at)

    def is_harmed_by(self, action: str, at: float) -> bool:
        """Whether it is."""
        return self.dice[action][1] < self.harms(action, at)

    def has_job(self, at: float) -> bool:
        """Whether Slurm has a job there."""
        return at < self.job_until


class Year:
    """The nodes, and their incidents by begin. The same seed is the same year.

    A short one ends after so many days, or has every so-and-so-manieth node alone, for about so many.
    """

    def __init__(self, seed: int, *, days: float = 365, nodes: int = 0) -> None:
        self._dice = random.Random(f"nodes {seed}")
        self._seed = seed
        self._ends_at = 24 * days
        made = tuple(self._nodes())
        self.nodes = made[:: max(1, len(made) // nodes)] if nodes else made

    @cached_property
    def incidents(self) -> Sequence[Incident]:
        """All of them, by begin."""
        found = [*self._single(), *self._of_storms()]
        return sorted(found, key=lambda each: (each.begins_at, each.node.name))

    def _nodes(self) -> Iterator[Node]:
        kinds = [kind for kind, count in HARDWARE.items() for _ in range(count)]
        for number, kind in enumerate(kinds):
            yield Node(f"n{number:04}.{kind}", kind, f"rack-{number // RACK:02}", self._dice.random() < LEMONS)

    def _single(self) -> Iterator[Incident]:
        for cause in CAUSES:
            dice = random.Random(f"{cause.name} {self._seed}")
            for node in self.nodes:
                rate = cause.rate * cause.on.get(node.hardware, 1.0) * (LEMON_RATE if node.is_lemon else 1.0)
                at = dice.expovariate(rate / YEAR_H)
                while at < self._ends_at:
                    healed_at = at + _heals(cause.heals, dice)
                    yield _incident(node, at, cause, healed_at, math.inf, dice)
                    at += dice.expovariate(rate / YEAR_H)

    def _of_storms(self) -> Iterator[Incident]:
        for storm in STORMS:
            dice = random.Random(f"{storm.cause.name} {self._seed}")
            at = dice.expovariate(storm.rate / YEAR_H)
            while at < self._ends_at:
                yield from self._storm(storm, at, dice)
                at += dice.expovariate(storm.rate / YEAR_H)

    def _storm(self, storm: Storm, at: float, dice: random.Random) -> Iterator[Incident]:
        heals = storm.cause.heals
        repaired_at = at + dice.lognormvariate(math.log(heals.median_h), heals.spread)
        for node in self._struck(storm, dice):
            begins_at = at + dice.uniform(0, STRAGGLES_H)
            is_back = dice.random() < heals.part
            healed_at = max(begins_at, repaired_at) + dice.uniform(0, STRAGGLES_H) if is_back else math.inf
            yield _incident(node, begins_at, storm.cause, healed_at, repaired_at, dice)

    def _struck(self, storm: Storm, dice: random.Random) -> Sequence[Node]:
        racks: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            racks[node.rack].append(node)
        among = racks[dice.choice(sorted(racks))] if storm.is_a_racks else self.nodes
        return dice.sample(among, min(len(among), dice.randint(storm.least, storm.most)))


def _incident(
    node: Node, at: float, cause: Cause, healed_at: float, repaired_at: float, dice: random.Random
) -> Incident:
    (look,) = dice.choices(list(cause.looks), list(cause.looks.values()))
    job_until = at + dice.expovariate(1 / JOB_ENDS_H) if dice.random() < cause.job else at
    drawn = {action: (dice.random(), dice.random()) for action in ACTIONS}
    traces = tuple(trace for trace, chance in cause.traces.items() if dice.random() < chance)
    return Incident(node, at, look, cause, healed_at, repaired_at, job_until, drawn, traces)


def _heals(heals: Heals, dice: random.Random) -> float:
    """In how many hours it is over by itself; never is infinite."""
    if dice.random() >= heals.part:
        return math.inf
    return dice.lognormvariate(math.log(heals.median_h), heals.spread)


def heals_within(heals: Heals, age_h: float, hours: float) -> float:
    """The chance that an incident which is so old and not over is over by itself within these hours."""
    before, by_then = (heals.part * _below(heals, each) for each in (age_h, age_h + hours))
    return (by_then - before) / (1 - before) if before < 1 else 1.0


def _below(heals: Heals, hours: float) -> float:
    """The part of those that heal which has healed by then."""
    if hours <= 0:
        return 0.0
    return (1 + math.erf(math.log(hours / heals.median_h) / heals.spread / math.sqrt(2))) / 2
