"""Which way costs least: press something, wait, or leave it to a person, in hours of a node.

Guards have cut what may not be done before anything is reckoned here: nothing here adds an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from botd.advice.rules import PERSON, WAIT
from botd.advice.waiting import Wait
from botd.settings import AdviceSettings


@dataclass(frozen=True)
class Costs:
    """What things cost, in hours of a node."""

    press: float = 0.15  # somebody's attention
    time: float = 0.3  # the node while the action runs
    harm: float = 24.0  # a job that was lost
    person: float = 12.0  # somebody has to find out, and go there
    least_chance: float = 0.5
    """An action that even at best mends less often than this is not proposed."""

    @classmethod
    def of(cls, settings: AdviceSettings) -> Costs:
        """Those of a site."""
        return cls(settings.press, settings.time, settings.harm, settings.person, settings.least_p)


class Prospect(NamedTuple):
    """An action that no guard cuts: the chance that it mends, how high that may well be, and that it costs a job."""

    chance: float
    hope: float
    harm: float = 0.0


class Way(NamedTuple):
    """A way on, what it costs, and the chance that it mends; None for a person's own hands."""

    name: str
    cost_h: float
    chance: float | None


def rank(prospects: Mapping[str, Prospect], waiting: Wait | None, costs: Costs) -> list[Way]:
    """Every way that may be proposed, the cheapest first; at equal costs the softer action, as they were given."""
    ways = [
        Way(name, _cost(each, costs), each.chance)
        for name, each in prospects.items()
        if each.hope >= costs.least_chance
    ]
    ways.append(Way(PERSON, costs.person, None))
    if waiting:
        then = min(way.cost_h for way in ways)
        # Who heals does so in the middle of what is left, on average.
        cost_h = waiting.left_h * (1 - waiting.chance / 2) + (1 - waiting.chance) * then
        ways.append(Way(WAIT, cost_h, waiting.chance))
    return sorted(ways, key=lambda way: way.cost_h)


def _cost(prospect: Prospect, costs: Costs) -> float:
    return costs.press + costs.time + prospect.harm * costs.harm + (1 - prospect.chance) * costs.person
