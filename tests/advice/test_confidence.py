"""Counts become a chance and a bound: the numbers of the design, scipy's Beta, and what may never be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from botd.advice.confidence import (
    ALL_HARDWARE,
    Counts,
    Outcome,
    Tally,
    beta_below,
    beta_quantile,
    bound,
    chance,
    counted,
    hope,
    tally,
)

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
counts = st.integers(0, 60)


def outcomes(good: int, bad: int, hardware: str = "savio2", *, age: timedelta = timedelta(0)) -> list[Outcome]:
    """So many outcomes of power cycles on nodes that were silent, each on a day of its own, from so long ago on."""
    days = (NOW - age + timedelta(days=n) for n in range(good + bad))
    return [Outcome("silent", "power-cycle", hardware, at, n < good) for n, at in enumerate(days)]


def storm(good: int, bad: int, hardware: str = "savio2") -> list[Outcome]:
    """So many outcomes of one day."""
    return [each._replace(at=NOW) for each in outcomes(good, bad, hardware)]


def seen(*lists: list[Outcome]) -> Tally:
    return tally(counted(chain(*lists)), "silent", "power-cycle", "savio2", NOW.date())


@pytest.mark.parametrize(("good", "of", "percent"), [(41, 47, 77), (8, 10, 54), (190, 210, 86), (3, 3, 55)])
def test_the_bound_is_that_of_the_counts_rounded_down(good: int, of: int, percent: int) -> None:
    assert bound(seen(outcomes(good, of - good))) == (percent / 100, good, of, "savio2")


@given(counts, counts, st.floats(0.1, 0.9))
def test_what_is_hoped_for_is_the_quantile_of_the_distribution_whose_mean_is_the_chance(
    good: int, bad: int, guess: float
) -> None:
    found, a, b = seen(outcomes(good, bad)), 4 * guess + good, 4 * (1 - guess) + bad
    assert chance(found, guess) == pytest.approx(a / (a + b))
    assert hope(found, guess) == pytest.approx(float(beta.ppf(0.8, a, b)), abs=1e-6)


@given(st.floats(0.5, 3000), st.floats(0.5, 3000), st.floats(0.001, 0.999))
def test_the_quantile_is_scipys(a: float, b: float, p: float) -> None:
    assert beta_quantile(p, a, b) == pytest.approx(float(beta.ppf(p, a, b)), rel=1e-6, abs=1e-9)


@given(st.floats(0, 1), st.floats(0.5, 300), st.floats(0.5, 300))
def test_the_distribution_is_scipys(x: float, a: float, b: float) -> None:
    assert beta_below(x, a, b) == pytest.approx(float(beta.cdf(x, a, b)), rel=1e-8, abs=1e-12)


@given(counts, counts, counts)
def test_more_good_outcomes_lower_neither_bound_nor_chance(good: int, bad: int, more: int) -> None:
    before, after = seen(outcomes(good, bad)), seen(outcomes(good + more, bad))
    assert chance(after, 0.6) >= chance(before, 0.6)
    assert hope(after, 0.6) >= hope(before, 0.6) - 1e-9
    low, high = bound(before), bound(after)
    if low and high:
        assert high.at_least >= low.at_least


@given(counts, counts, counts, counts)
def test_a_bound_is_counted_in_one_scope_and_never_mixed(good: int, bad: int, others: int, others_bad: int) -> None:
    found = bound(seen(outcomes(good, bad), outcomes(others, others_bad, "savio3")))
    if good + bad >= 3:
        assert found == bound(seen(outcomes(good, bad)))
    elif found:
        assert (found.scope, found.good, found.of) == (ALL_HARDWARE, good + others, good + bad + others + others_bad)


@given(counts, counts, counts, counts)
def test_nodes_of_no_known_hardware_are_no_kind_of_it(good: int, bad: int, others: int, others_bad: int) -> None:
    rows = counted(chain(outcomes(good, bad, ""), outcomes(others, others_bad)))
    found, of = bound(tally(rows, "silent", "power-cycle", "", NOW.date())), good + bad + others + others_bad
    assert (found and (found.scope, found.good, found.of)) == ((ALL_HARDWARE, good + others, of) if of >= 3 else None)


def test_with_two_outcomes_nothing_is_said_and_the_guess_rules_the_chance() -> None:
    found = seen(outcomes(2, 0))
    assert bound(found) is None
    assert chance(found, 0.75) == pytest.approx((4 * 0.75 + 2) / 6)


def test_the_guess_is_all_there_is_without_outcomes() -> None:
    assert chance(seen(), 0.75) == pytest.approx(0.75)


def test_other_hardware_is_borrowed_from_and_counts_as_eight_at_most() -> None:
    found = seen(outcomes(0, 2), outcomes(96, 4, "savio3"))
    mean = (4 * 0.5 + 96) / 104
    assert chance(found, 0.5) == pytest.approx(8 * mean / (8 + 2))


def test_what_came_of_it_half_a_year_ago_counts_half_for_the_chance_and_whole_for_the_bound() -> None:
    assert chance(seen(outcomes(1, 0, age=timedelta(days=180))), 0.5) == pytest.approx((4 * 0.5 + 0.5) / 4.5)
    assert bound(seen(outcomes(4, 0, age=timedelta(days=180)))) == bound(seen(outcomes(4, 0)))


def test_what_struck_many_at_once_counts_as_one_for_the_chance_and_whole_for_the_bound() -> None:
    assert chance(seen(storm(3, 37)), 0.5) == pytest.approx((4 * 0.5 + 3 / 40) / 5)
    assert chance(seen(storm(0, 40), outcomes(0, 0)), 0.5) == pytest.approx(chance(seen(outcomes(0, 1)), 0.5))
    assert chance(seen(storm(0, 40, "savio3")), 0.5) == pytest.approx(chance(seen(outcomes(0, 1, "savio3")), 0.5))
    assert bound(seen(storm(3, 37))) == bound(seen(outcomes(3, 37)))


def test_an_outcome_of_a_time_to_come_counts_once() -> None:
    assert chance(seen(outcomes(4, 0, age=timedelta(days=-400))), 0.5) == pytest.approx((4 * 0.5 + 4) / 8)


def test_outcomes_of_another_action_or_diagnosis_are_not_counted() -> None:
    others = [Outcome("silent", "power-on", "savio2", NOW, True), Outcome("ssh", "power-cycle", "savio2", NOW, True)]
    assert seen(others) == seen()


def test_lost_jobs_are_counted_apart() -> None:
    assert seen([Outcome("silent", "power-cycle", "savio2", NOW, True, is_harm=True)], outcomes(3, 0)).harms == 1


def test_outcomes_are_counted_by_day_and_source_and_in_one_order() -> None:
    found = [*storm(2, 1), *outcomes(1, 0, age=timedelta(days=1)), outcomes(1, 0)[0]._replace(source="observed")]
    wanted = (
        Counts("silent", "power-cycle", "savio2", NOW.date() - timedelta(days=1), "own", 1, 0),
        Counts("silent", "power-cycle", "savio2", NOW.date(), "observed", 1, 0),
        Counts("silent", "power-cycle", "savio2", NOW.date(), "own", 2, 1),
    )
    assert counted(found) == counted(reversed(found)) == wanted
