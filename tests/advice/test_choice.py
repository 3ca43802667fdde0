"""What heals alone, and which way costs least."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.advice.choice import Costs, Prospect, rank
from botd.advice.rules import PERSON, POWER_CYCLE, RESTART_SLURMD, WAIT
from botd.advice.waiting import AGES_H, Spell, Step, Wait, life_table, wait

COSTS = Costs()
chances = st.floats(0, 1)
STEP = Step(0.5, 2.0, 5, 10)


def spells(*hours: float, healed: bool = True) -> list[Spell]:
    return [Spell("silent", each, healed) for each in hours]


# ---- the life table ----


def test_a_step_counts_who_healed_in_it_of_who_came_into_it() -> None:
    table = life_table(spells(0.2, 0.4, 1.0, 30.0), "silent")
    assert [(step.healed, step.of) for step in table] == [(2, 4), (1, 2), (0, 1), (0, 1), (1, 1)]


def test_who_was_touched_counts_half_in_that_step_and_in_none_after_it() -> None:
    table = life_table(spells(0.2, 0.2, 0.2) + spells(1.0, 1.0, healed=False), "silent")
    assert [(step.healed, step.of) for step in table][:3] == [(3, 5), (0, 1), (0, 0)]


def test_who_was_touched_at_the_moment_a_step_begins_did_not_come_into_it() -> None:
    assert life_table(spells(0.5, healed=False), "silent")[1].of == 0


def test_another_diagnosis_is_not_counted() -> None:
    assert life_table(spells(0.2, 0.2, 0.2), "ssh")[0].of == 0


def test_waiting_is_told_for_the_rest_of_the_step() -> None:
    table = life_table(spells(0.6, 0.7, 0.8, 10.0), "silent")
    assert wait(table, 0.5) == Wait(1.5, 0.75, table[1])
    assert wait(table, 1.25) == Wait(0.75, 0.5, table[1]), "who came through half of it has half the chance to stay ill"


@pytest.mark.parametrize("age_h", [AGES_H[-1], 500.0])
def test_after_three_days_waiting_is_no_option(age_h: float) -> None:
    assert wait(life_table(spells(*[100.0] * 9), "silent"), age_h) is None


def test_of_a_step_that_too_few_came_into_nothing_is_said() -> None:
    assert wait(life_table(spells(0.6, 0.7), "silent"), 1.0) is None


@given(st.lists(st.tuples(st.floats(0, 200), st.booleans())))
def test_a_chance_is_a_chance(found: list[tuple[float, bool]]) -> None:
    for step in life_table([Spell("silent", hours, healed) for hours, healed in found], "silent"):
        assert step.chance is None or 0 <= step.chance <= 1


# ---- the choice ----


def test_an_action_costs_the_press_its_time_its_harm_and_what_a_failure_leaves_to_a_person() -> None:
    (first, *_) = rank({POWER_CYCLE: Prospect(0.75, 0.8, 0.01)}, None, COSTS)
    assert first == (POWER_CYCLE, pytest.approx(0.15 + 0.3 + 0.24 + 3.0), 0.75)


def test_the_action_that_mends_more_often_is_proposed() -> None:
    found = rank({RESTART_SLURMD: Prospect(0.6, 0.7), POWER_CYCLE: Prospect(0.9, 0.95)}, None, COSTS)
    assert [way.name for way in found] == [POWER_CYCLE, RESTART_SLURMD, PERSON]


def test_what_costs_jobs_is_left_to_a_person() -> None:
    assert rank({POWER_CYCLE: Prospect(0.9, 0.9, 0.5)}, None, COSTS)[0].name == PERSON


def test_what_mends_too_seldom_is_not_proposed() -> None:
    assert [way.name for way in rank({POWER_CYCLE: Prospect(0.4, 0.49)}, None, COSTS)] == [PERSON]


def test_what_may_well_mend_often_enough_is_proposed_though_it_was_seldom_seen_to() -> None:
    assert [way.name for way in rank({POWER_CYCLE: Prospect(0.4, 0.51)}, None, COSTS)] == [POWER_CYCLE, PERSON]


def test_waiting_wins_where_most_heal_soon_and_loses_where_few_do() -> None:
    often, seldom = Wait(0.5, 0.9, STEP), Wait(16.0, 0.1, STEP)
    assert rank({POWER_CYCLE: Prospect(0.8, 0.9)}, often, COSTS)[0].name == WAIT
    assert rank({POWER_CYCLE: Prospect(0.8, 0.9)}, seldom, COSTS)[0].name == POWER_CYCLE


def test_of_two_that_cost_the_same_the_softer_is_first() -> None:
    found = rank({RESTART_SLURMD: Prospect(0.8, 0.9), POWER_CYCLE: Prospect(0.8, 0.9)}, None, COSTS)
    assert found[0].name == RESTART_SLURMD


@given(st.dictionaries(st.sampled_from([RESTART_SLURMD, POWER_CYCLE]), st.builds(Prospect, chances, chances, chances)))
def test_nothing_is_proposed_that_was_not_given_and_a_person_always_is(given_: dict[str, Prospect]) -> None:
    names = [way.name for way in rank(given_, None, COSTS)]
    assert PERSON in names
    assert set(names) <= {*given_, PERSON}
