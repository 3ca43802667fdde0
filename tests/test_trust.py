"""The simulated year: the same for everybody, no cause in what a policy sees, and figures that hold together."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from bench.trust import POLICIES, Line, bins_of, goals, goals_text, line_of, measure, rst, text
from bench.trust_causes import CAUSES, LOOKS, STORMS, Cause
from bench.trust_policies import Counted, Oracle
from bench.trust_run import BEGIN, Choice, Press, Run, Seen, right_ways
from bench.trust_year import Incident, Year
from botd.advice.rules import PERSON, WAIT

DAYS, NODES = 25, 60


@cache
def lines() -> tuple[Line, ...]:
    """A short run."""
    return tuple(measure(1, 1, always=False, days=DAYS, nodes=NODES))


def test_the_same_seed_is_the_same_year_and_another_one_is_not() -> None:
    assert Year(1, days=DAYS).incidents == Year(1, days=DAYS).incidents != Year(2, days=DAYS).incidents


def test_what_is_measured_again_is_the_same() -> None:
    again = line_of("oracle", [Run(Year(1, days=DAYS, nodes=NODES), Oracle()).go()])
    assert again == lines()[-1]


def test_chances_are_chances_and_every_look_is_there() -> None:
    causes = [*CAUSES, *(storm.cause for storm in STORMS)]
    assert all(sum(cause.looks.values()) == pytest.approx(1) for cause in causes)
    assert {look for cause in causes for look in cause.looks} <= LOOKS.keys()
    given = [*(cause.mends for cause in causes), *(cause.harms for cause in causes), *(c.traces for c in causes)]
    assert all(0 <= chance <= 1 for each in given for chance in each.values())


def test_every_look_is_known_to_a_rule() -> None:
    run = Run(Year(1, days=1, nodes=5), Counted())
    found = {run.seen(incident(look=look), 1.0).rule.name for look in LOOKS}
    assert len(found) >= 15
    assert "nothing-known" not in found


def test_nobody_presses_on_a_node_that_a_person_keeps_or_that_has_a_job() -> None:
    class Watched(Counted):
        def decide(self, seen: Seen) -> Choice:
            choice = super().decide(seen)
            if seen.case.is_kept_by_a_person or seen.case.jobs:
                assert choice.way in (WAIT, PERSON)
            return choice

    assert Run(Year(1, days=DAYS, nodes=NODES), Watched()).go().presses


def test_what_is_counted_changes_nothing_for_who_has_the_same_evidence() -> None:
    """No cause reaches a policy: with the truth taken out of what it sees, it decides the same."""

    class Blind(Counted):
        def decide(self, seen: Seen) -> Choice:
            return super().decide(Seen(**{**vars(seen), "truth": None}))

    year = Year(1, days=DAYS, nodes=NODES)
    assert Run(year, Blind()).go() == Run(year, Counted()).go()


def test_who_knows_the_cause_is_right_more_often_and_does_less_harm_than_any_other() -> None:
    by = {line.policy: line for line in lines()}
    assert list(by) == list(POLICIES)
    assert by["oracle"].right > by["fixed rules, guards"].right
    assert by["oracle"].harmful <= by["fixed rules, guards"].harmful <= by["fixed rules"].harmful


def test_only_who_says_a_chance_has_a_brier_score() -> None:
    assert [line.policy for line in lines() if line.brier is not None] == ["counted, with wait"]


def incident(**changes: Any) -> Incident:
    node = Year(1, days=1).nodes[0]
    cause = Cause("one", 1, {"silent": 1.0}, {"power-cycle": 0.9, "resume": 0.1}, {"resume": 0.5})
    dice = dict.fromkeys(("resume", "restart-slurmd", "power-on", "power-cycle"), (0.5, 0.4))
    never = float("inf")
    given = {"healed_at": never, "repaired_at": never, "job_until": 0.0, **changes}
    return Incident(node, 0.0, given.pop("look", "silent"), cause, dice=dice, traces=(), **given)


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, {"power-cycle"}),
        ({"healed_at": 5.5}, {WAIT}),
        ({"healed_at": 7.5}, {"power-cycle", WAIT}),
        ({"healed_at": 30.0}, {"power-cycle"}),
        ({"job_until": 9.0}, {WAIT}),
        ({"job_until": 40.0}, {PERSON}),
    ],
    ids=["mends", "back within the hour", "back before the next look", "back too late", "a job ends", "a job goes on"],
)
def test_what_turns_out_to_be_right(changes: dict[str, float], right: set[str]) -> None:
    assert right_ways(incident(**changes), ["power-cycle", "resume"], 5.0, 8.0) == right


def test_what_mends_nothing_leaves_it_to_a_person_unless_it_is_over_before_he_comes() -> None:
    assert right_ways(incident(), ["resume"], 5.0, 8.0) == {PERSON}
    assert right_ways(incident(healed_at=14.0), ["resume"], 5.0, 8.0) == {WAIT}


def press(at_least: float, of: int, truth: float, scope: str = "savio2") -> Press:
    choice = Choice("power-cycle", chance=0.7, guess=0.7, at_least=at_least, of=of, scope=scope)
    return Press("silent", "savio2", choice, True, False, False, truth)


def test_a_bin_holds_the_bound_that_was_shown_last_and_the_truth_of_all_its_presses() -> None:
    assert bins_of([press(0.3, 12, 0.5), press(0.6, 13, 0.7)]) == [(0.6, pytest.approx(0.6))]
    assert bins_of([press(0.3, 9, 0.5)]) == []


def test_the_goals_are_told_with_what_came_of_them() -> None:
    found = goals(lines())
    assert len(found) == 5
    assert goals_text(lines()).count("\n") == 5
    assert all(policy in text(lines()) and policy in rst(lines()) for policy in POLICIES)


def test_the_year_begins_on_the_first_of_january() -> None:
    assert BEGIN.isoformat() == "2026-01-01T00:00:00+00:00"
