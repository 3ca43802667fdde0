"""How sure: outcomes of an action counted, a chance that is reckoned from them, and a bound that only they carry.

The chance helps to choose, so it borrows from other hardware and from the rule's stated guess while own counts are few.
The bound is shown to people, so it borrows nothing: mixed with other hardware it held in 19 to 72 % of cases at n = 3
where it should in 95, with own counts alone in 92 (simulated).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

HALF_LIFE_DAYS = 180.0
"""A cluster changes: what came of an action half a year ago counts half."""

GUESS_WEIGHT = 4.0
"""As how many outcomes the guess of a rule counts."""

MOST_BORROWED = 8.0
"""As how many outcomes the guess and all other hardware count at most."""

MOST_OF_A_DAY = 1.0
"""As how many outcomes those of one day count in the chance at most: what strikes a hundred nodes at once has happened
once. Counted as a hundred, it would end a repair that helps in any other week."""

LEAST_SHOWN = 3
"""With fewer outcomes nothing is said in numbers."""

HOPE = 0.8
"""An action is given up only where even this quantile of what its chance may be lies too low: a few bad outcomes at
first may be bad luck, and what is given up is never counted again."""

BOUND = 0.05
"""The share of cases in which the truth lies below the bound that is shown."""

ALL_HARDWARE = ""
"""The scope of a bound that is counted over all hardware."""


class Outcome(NamedTuple):
    """What came of one action: for which diagnosis, on which kind of hardware, when, and whether it was good.

    Outcomes that cannot be judged (it is not known how the action ended, somebody else changed the node, the agent was
    blind) are none, and must not be given as bad ones. `is_harm` says that a job was lost. `source` is who acted: botd
    itself (`own`), somebody whom the history shows (`observed`), or somebody of whom only Slurm's record tells
    (`imported`).
    """

    diagnosis: str
    action: str
    hardware: str
    at: datetime
    is_good: bool
    is_harm: bool = False
    source: str = "own"


class Counts(NamedTuple):
    """The outcomes of one day, of one source, and with all else in common."""

    diagnosis: str
    action: str
    hardware: str
    day: date
    source: str
    good: int
    bad: int
    harms: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """Good and bad outcomes: whole ones as they were counted, or less than whole as they count by their age."""

    good: float = 0.0
    bad: float = 0.0

    @property
    def of(self) -> float:
        """All of them."""
        return self.good + self.bad


@dataclass(frozen=True, slots=True)
class Tally:
    """The outcomes of one action for one diagnosis: those on hardware of this kind, and those on all.

    `own` and `all` are as counted, `own_aged` and `rest_aged` as they count by their age and how many are of one day,
    `rest` without the own ones.
    """

    hardware: str
    own: Count
    all: Count
    own_aged: Count
    rest_aged: Count
    harms: int


class Bound(NamedTuple):
    """What people are told: at least `at_least`, counted from `good` outcomes of `of`, on hardware of kind `scope`."""

    at_least: float
    good: int
    of: int
    scope: str


def counted(outcomes: Iterable[Outcome]) -> tuple[Counts, ...]:
    """The outcomes by day (UTC), sorted."""
    found: dict[tuple[str, str, str, date, str], Counter[str]] = {}
    for each in outcomes:
        key = (each.diagnosis, each.action, each.hardware, each.at.astimezone(UTC).date(), each.source)
        found.setdefault(key, Counter()).update(good=each.is_good, bad=not each.is_good, harms=each.is_harm)
    return tuple(Counts(*key, each["good"], each["bad"], each["harms"]) for key, each in sorted(found.items()))


def tally(rows: Iterable[Counts], diagnosis: str, action: str, hardware: str, today: date) -> Tally:
    """The outcomes of an action for a diagnosis, as they count for a node of this kind of hardware."""
    these = [each for each in rows if (each.diagnosis, each.action) == (diagnosis, action)]
    own = [each for each in these if each.hardware == hardware]
    rest = [each for each in these if each.hardware != hardware]
    return Tally(
        hardware,
        _count(own, None),
        _count(these, None),
        _count(own, today),
        _count(rest, today),
        sum(each.harms for each in these),
    )


def chance(found: Tally, guess: float) -> float:
    """The chance that the action mends it, 0 to 1. `guess` is the rule's, for as long as little was counted."""
    good, bad = _posterior(found, guess)
    return good / (good + bad)


def hope(found: Tally, guess: float) -> float:
    """How high that chance may well be: its HOPE quantile, 0 to 1."""
    return beta_quantile(HOPE, *_posterior(found, guess))


def _posterior(found: Tally, guess: float) -> tuple[float, float]:
    """The Beta distribution of the chance: good and bad outcomes, own and borrowed ones, by their age."""
    borrowed = GUESS_WEIGHT + found.rest_aged.of
    mean = (GUESS_WEIGHT * guess + found.rest_aged.good) / borrowed
    weight = min(MOST_BORROWED, borrowed)
    return weight * mean + found.own_aged.good, weight * (1 - mean) + found.own_aged.bad


def bound(found: Tally) -> Bound | None:
    """The bound that may be shown, None where too few outcomes were counted to say one.

    It is of this kind of hardware where there are enough of it, else of all. It is rounded down to whole percents.
    """
    has_own = found.hardware != ALL_HARDWARE and found.own.of >= LEAST_SHOWN  # nodes of no known kind are no kind
    scope, count = (found.hardware, found.own) if has_own else (ALL_HARDWARE, found.all)
    if count.of < LEAST_SHOWN:
        return None
    # Jeffreys' interval (Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion", 2001).
    low = beta_quantile(BOUND, count.good + 0.5, count.bad + 0.5)
    return Bound(math.floor(100 * low) / 100, round(count.good), round(count.of), scope)


def _count(rows: Iterable[Counts], today: date | None) -> Count:
    weights = [(each, 1.0 if today is None else _weight(today - each.day) * _share(each)) for each in rows]
    return Count(
        sum(each.good * weight for each, weight in weights), sum(each.bad * weight for each, weight in weights)
    )


def _weight(age: timedelta) -> float:
    """What an outcome of this age counts. One of a time to come, of a clock that was set back, counts whole."""
    return float(0.5 ** (max(age.days, 0) / HALF_LIFE_DAYS))


def _share(row: Counts) -> float:
    """What each outcome of a day counts: together they are MOST_OF_A_DAY at most."""
    return min(1.0, MOST_OF_A_DAY / max(1, row.good + row.bad))


# ---- the Beta distribution ----


@lru_cache(maxsize=4096)
def beta_quantile(p: float, a: float, b: float) -> float:
    """The value that a Beta(a, b) variable is below with probability p, 0 < p < 1, to some 1e-12."""
    low, high = 0.0, 1.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        low, high = (middle, high) if beta_below(middle, a, b) < p else (low, middle)
    return (low + high) / 2


def beta_below(x: float, a: float, b: float) -> float:
    """The probability that a Beta(a, b) variable is below x: the regularised incomplete beta function."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on one side, and the two sides mirror each other
        return 1 - beta_below(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 + d1 / (1 + d2 / (1 + ...)) of DLMF 8.17.22, from its tail up."""
    value = 1.0
    for m in range(_TERMS, 0, -1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1))
        value = 1 + odd / (1 + even / value)
    return value


_TERMS = 200
"""It needs some sqrt(max(a, b)) of them: enough for tens of thousands of outcomes."""
