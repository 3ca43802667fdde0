"""What was counted chooses the way, says how sure that is and why; and what it may never do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.advice.choice import Costs
from botd.advice.confidence import Counts, Outcome, counted
from botd.advice.experience import UNTRIED, Experience, experience_of, read_experience
from botd.advice.guards import PRESSED
from botd.advice.guesses import BY_DIAGNOSIS, guess
from botd.advice.hardware import hardware_of
from botd.advice.recommend import recommend
from botd.advice.rules import RULES, WAIT
from botd.advice.titles import diagnosis_of
from botd.advice.waiting import Spell
from botd.advice.weighing import Scales
from botd.documents import RecommendationDocument, decode, encode
from botd.inventory import build
from botd.model import Group, SlurmNode
from tests.advice.cases import AT, CASES, NODE, Morning

TODAY = date(2026, 11, 26)
SILENT = next(morning for morning in CASES if morning.rule == "silent" and morning.action == "power-cycle")
counts = st.integers(0, 40)
rows = st.builds(
    Counts,
    st.sampled_from([rule.name for rule in RULES]),
    st.sampled_from(PRESSED),
    st.sampled_from(["savio2", "savio3"]),
    st.dates(date(2026, 1, 1), TODAY),
    st.sampled_from(["own", "observed", "imported"]),
    counts,
    counts,
    st.integers(0, 2),
)
spells = st.builds(Spell, st.sampled_from([rule.name for rule in RULES]), st.floats(0, 100), st.booleans())
experiences = st.builds(lambda r, s: experience_of(r, s, TODAY), st.lists(rows, max_size=12), st.lists(spells))


def tried(good: int, bad: int, *, diagnosis: str = "silent", hardware: str = "savio2", harms: int = 0) -> list[Counts]:
    """Outcomes that count whole: each on a day of its own, and none of these is over."""
    days = ((TODAY + timedelta(days=n), n < good) for n in range(good + bad))
    found = [Counts(diagnosis, "power-cycle", hardware, day, "own", is_good, not is_good) for day, is_good in days]
    return [found[0]._replace(harms=harms), *found[1:]] if found else []


def healed(alone: int, of: int, hours: float = 1.0) -> list[Spell]:
    """So many silent nodes, of which some came back after so long, and the others were touched late."""
    return [Spell("silent", hours if place < alone else 80.0, place < alone) for place in range(of)]


def advised(
    counts: Iterable[Counts] = (),
    spells: Iterable[Spell] = (),
    morning: Morning = SILENT,
    *,
    after: timedelta = timedelta(hours=5),
    costs: Costs = Costs(),  # noqa: B008
) -> RecommendationDocument:
    scales = Scales(experience_of(counts, spells, TODAY), costs).at(AT + after)
    found = recommend(replace(morning.case(), hardware="savio2"), scales)
    assert found is not None
    return found


# ---- what is said ----


def test_what_came_of_it_here_is_said_with_its_bound_its_count_and_where_it_was_counted() -> None:
    found = advised(tried(41, 6))
    said = "41 of 47 nodes like this (silent, savio2) came back and stayed well for a day: at least 77 %. No job."
    assert (found["action"], found["words"]) == ("power-cycle", said)
    assert found["confidence"] == {"p": 0.863, "at_least": 0.77, "good": 41, "of": 47, "scope": "savio2"}


def test_with_too_few_of_this_hardware_it_is_said_to_be_counted_on_all() -> None:
    found = advised([*tried(2, 0), *tried(20, 10, hardware="savio3")])
    assert "(silent, all hardware)" in found["words"]
    assert found["confidence"] is not None
    assert found["confidence"]["scope"] == "all hardware"


def test_one_or_two_are_too_few_to_say() -> None:
    assert "Tried here twice, 1 of it good: too few to say; we would guess" in advised(tried(1, 1))["words"]
    assert "Tried here once" in advised(tried(1, 0))["words"]


def test_jobs_that_were_lost_are_said_and_cost_it_the_choice() -> None:
    found = advised(tried(30, 0, harms=20))
    assert found["action"] == "person"
    assert "30 of 34" not in found["words"]
    assert "at least 95 %. On all hardware 1 of 40 lost a job." in advised(tried(40, 0, harms=1))["words"]
    elsewhere = advised([*tried(5, 0), *tried(35, 0, hardware="savio3", harms=1)])["words"]
    assert elsewhere.startswith("5 of 5 nodes like this (silent, savio2)")
    assert "On all hardware 1 of 40 lost a job." in elsewhere
    assert "at least 95 %. 1 of 40 lost a job." in advised(tried(40, 0, hardware="savio3", harms=1))["words"]


def test_what_mends_too_seldom_is_not_recommended_and_says_so() -> None:
    found = advised(tried(2, 40))
    assert (found["action"], found["next"]) == ("person", "look for yourself: power cycle mends too seldom here")
    assert [way["action"] for way in found["ranked"]] == ["person", "power-cycle"]
    assert "below 50 % it is not recommended" in found["ranked"][1]["words"]


def test_a_few_bad_outcomes_at_first_do_not_end_it_for_good() -> None:
    assert [advised(tried(0, bad))["action"] for bad in (3, 5)] == ["power-cycle", "person"]
    assert advised(tried(3, 6))["action"] == "power-cycle"


@given(counts, counts)
def test_what_mends_often_enough_by_its_chance_is_never_given_up(good: int, bad: int) -> None:
    found = advised(tried(good, bad))
    given_up = [way for way in found["ranked"] if way["action"] == "power-cycle" and way["cost_h"] is None]
    assert all(way["confidence"] and way["confidence"]["p"] < Costs().least_chance for way in given_up)


def test_waiting_is_recommended_where_most_come_back_alone_and_until_when() -> None:
    found = advised(tried(10, 5), healed(9, 10), after=timedelta(hours=1))
    assert (found["action"], found["next"]) == ("wait", "wait until 26 Nov 05:10 UTC, then look again")
    assert found["words"] == "Of 10 that were still so after 30 min, 9 came back alone before 2 h."
    assert found["ranked"][1]["action"] == "power-cycle"
    assert "power-cycle" not in found["ranked"][0]["words"]


def test_after_that_time_waiting_is_over() -> None:
    assert advised(tried(10, 5), healed(9, 10), after=timedelta(hours=3))["action"] == "power-cycle"
    assert advised(tried(10, 5), healed(9, 10), after=timedelta(days=4))["action"] == "power-cycle"


def test_every_way_says_why_it_is_not_the_first() -> None:
    for way in advised(tried(10, 5), healed(2, 10))["ranked"][1:]:
        assert " h of the node, power-cycle " in way["words"]


# ---- what may never be ----


@pytest.mark.parametrize("morning", CASES, ids=str)
@given(experience=experiences, hours=st.floats(0, 100))
def test_no_experience_makes_botd_propose_what_a_guard_forbids_or_a_rule_does_not_know(
    morning: Morning, experience: Experience, hours: float
) -> None:
    found = recommend(morning.case(), Scales(experience).at(AT + timedelta(hours=hours)))
    plain = recommend(morning.case())
    assert found is not None
    assert plain is not None
    allowed = {way["action"] for way in plain["ranked"]}
    assert {way["action"] for way in found["ranked"]} <= allowed | {WAIT}
    assert found["evidence"] == plain["evidence"]
    assert found["refused_by"] == plain["refused_by"]
    if plain["family"] == "colleague":
        assert [way["action"] for way in found["ranked"]] == ["person"]


@given(experiences, st.floats(0, 100))
def test_the_same_is_answered_the_same_also_from_its_copy(experience: Experience, hours: float) -> None:
    copy = read_experience(decode(encode(experience.document())))
    assert (copy, copy.edition) == (experience, experience.edition)
    now = AT + timedelta(hours=hours)
    first, second = (recommend(SILENT.case(), Scales(each).at(now)) for each in (experience, copy))
    assert first == second


@given(counts, counts, st.integers(1, 40))
def test_more_good_outcomes_never_lower_what_is_shown(good: int, bad: int, more: int) -> None:
    before, after = advised(tried(good, bad))["confidence"], advised(tried(good + more, bad))["confidence"]
    if before and before["at_least"] is not None:
        assert after is not None
        assert after["at_least"] is not None
        assert after["at_least"] >= before["at_least"]


@given(st.lists(rows, max_size=12))
def test_what_is_shown_is_of_one_scope(found: list[Counts]) -> None:
    shown = advised(found)["confidence"]
    if shown and shown["at_least"] is not None:
        these = [row for row in found if (row.diagnosis, row.action) == ("silent", "power-cycle")]
        these = [row for row in these if shown["scope"] in (row.hardware, "all hardware")]
        if advised(found)["action"] == "power-cycle":
            assert (shown["good"], shown["of"]) == (
                sum(row.good for row in these),
                sum(row.good + row.bad for row in these),
            )


def test_within_a_quarter_of_an_hour_everybody_is_answered_alike() -> None:
    experience = experience_of((), healed(3, 10), TODAY)
    begun = datetime(2026, 11, 26, 10, 15, tzinfo=UTC)
    looks = {Scales(experience).at(begun + timedelta(seconds=s)).now for s in (0, 1, 450, 899)}
    assert looks == {begun}
    assert Scales(experience).at(begun + timedelta(seconds=900)).now == begun + timedelta(minutes=15)


def test_where_nothing_is_told_by_age_no_time_makes_any_difference() -> None:
    assert Scales(UNTRIED).at(AT).now is None


# ---- the tables ----


def test_every_rung_of_every_ladder_has_a_guess_of_its_own_that_lets_it_be_recommended() -> None:
    assert set(BY_DIAGNOSIS) == {(rule.name, each) for rule in RULES for each in rule.ladder if each != WAIT}
    assert all(guess(*each) >= Costs().least_chance for each in BY_DIAGNOSIS)
    assert 0 < guess("a rule of an earlier botd", "power-cycle") < 1


def test_a_title_leads_back_to_its_rule() -> None:
    for morning in CASES:
        found = recommend(morning.case())
        assert found is not None
        assert diagnosis_of(found["title"]) == morning.rule
    assert diagnosis_of("what an earlier botd said") == ""


def test_hardware_is_a_group_that_the_site_names_else_the_partitions() -> None:
    node = SlurmNode(NODE, "idle", "IDLE", partitions=("savio2_debug", "savio2"))
    inventory = build([node], {"haswell": Group("haswell", "/etc/pdsh/group/haswell", (NODE,))}, AT)
    assert hardware_of(inventory, NODE) == "savio2,savio2_debug"
    assert hardware_of(inventory, NODE, ("broadwell", "haswell")) == "haswell"
    assert hardware_of(inventory, "elsewhere") == ""


def test_outcomes_of_every_source_count() -> None:
    made = [
        Outcome("silent", "power-cycle", "savio2", AT, True, source=each) for each in ("own", "observed", "imported")
    ]
    shown = advised(counted(made))["confidence"]
    assert shown is not None
    assert shown["of"] == 3
