"""What came of an action: good, bad, or not to be counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from botd.advice.outcomes import Aftermath, Done, Verdict, judge
from botd.advice.rules import POWER_CYCLE, RESTART_SLURMD, RESUME
from botd.model import DIAGNOSIS, SLURM, Change

AT = datetime(2026, 11, 26, 3, 10, tzinfo=UTC)
NEXT_DAY = AT + timedelta(hours=24, minutes=1)
CYCLED, RESUMED = Done(POWER_CYCLE, AT), Done(RESUME, AT)
OUT, IN = "drained", "in service"


def found(title: str, hours: float, old: str = "") -> Change:
    return Change("n1", DIAGNOSIS, old, title, AT + timedelta(hours=hours))


def stands(old: str, new: str, hours: float, why: str = "") -> Change:
    return Change("n1", SLURM, old, new, AT + timedelta(hours=hours), why)


def verdict(done: Done, after: Aftermath, now: datetime = NEXT_DAY) -> Verdict | None:
    judged = judge(done, after, now)
    return judged.verdict if judged else None


@pytest.mark.parametrize("begins", ["ready to go back", "", "more load than cores"])
def test_a_repair_is_good_when_all_stays_well_for_a_day(begins: str) -> None:
    assert verdict(CYCLED, Aftermath(begins, OUT)) is Verdict.GOOD


def test_it_does_not_matter_whether_somebody_has_it_back_in_service_meanwhile() -> None:
    after = Aftermath("ready to go back", OUT, [stands(OUT, IN, 2), found("", 2, "ready to go back")])
    assert verdict(CYCLED, after) is Verdict.GOOD


def test_it_has_an_hour_until_every_check_is_green() -> None:
    assert verdict(CYCLED, Aftermath("silent", OUT, [found("ready to go back", 0.9, "silent")])) is Verdict.GOOD
    assert verdict(CYCLED, Aftermath("silent", OUT, [found("ready to go back", 1.1, "silent")])) is Verdict.BAD
    assert verdict(CYCLED, Aftermath("silent", OUT)) is Verdict.BAD


def test_a_finding_within_the_day_makes_it_bad_and_one_after_it_does_not() -> None:
    assert verdict(CYCLED, Aftermath("", IN, [found("silent", 23)])) is Verdict.BAD
    assert verdict(CYCLED, Aftermath("", IN, [found("silent", 24.01)])) is Verdict.GOOD


@pytest.mark.parametrize("title", ["more load than cores", "lost a job, well now", "a file system fills up"])
def test_what_needs_nobody_is_no_finding(title: str) -> None:
    assert verdict(CYCLED, Aftermath("", IN, [found(title, 5)])) is Verdict.GOOD


def test_what_did_not_work_is_bad_and_what_nobody_knows_of_is_not_counted() -> None:
    assert verdict(Done(RESTART_SLURMD, AT, worked=False), Aftermath("", IN)) is Verdict.BAD
    assert verdict(Done(RESTART_SLURMD, AT, worked=None), Aftermath("", IN)) is Verdict.NOT_COUNTED


def test_it_is_open_until_the_day_is_over_unless_it_is_settled_before() -> None:
    soon = AT + timedelta(hours=5)
    assert verdict(CYCLED, Aftermath("", IN), soon) is Verdict.OPEN
    assert verdict(CYCLED, Aftermath("", IN, [found("silent", 4)]), soon) is Verdict.BAD
    assert verdict(CYCLED, Aftermath("", IN, [found("silent", 6)]), soon) is Verdict.OPEN


def test_what_somebody_else_had_a_hand_in_is_not_counted() -> None:
    assert verdict(CYCLED, Aftermath("", IN, [found("a colleague's", 4)])) is Verdict.NOT_COUNTED
    assert verdict(CYCLED, Aftermath("", IN, others=[AT + timedelta(hours=4)])) is Verdict.NOT_COUNTED
    assert verdict(CYCLED, Aftermath("", IN, [stands(IN, OUT, 4, "bad fan -jd")])) is Verdict.NOT_COUNTED


def test_who_comes_after_it_went_wrong_does_not_make_it_less_wrong() -> None:
    late = [AT + timedelta(hours=5)]
    assert verdict(CYCLED, Aftermath("", IN, [found("silent", 4)], others=late)) is Verdict.BAD


def test_what_nobody_looked_at_is_not_counted() -> None:
    assert verdict(CYCLED, Aftermath("", IN, blind=timedelta(hours=2.5))) is Verdict.NOT_COUNTED
    assert verdict(CYCLED, Aftermath("", IN, blind=timedelta(hours=2.3))) is Verdict.GOOD


@pytest.mark.parametrize("title", ["cannot be told", "not read yet", "what an earlier botd said"])
def test_unknown_is_never_counted_as_good(title: str) -> None:
    assert verdict(CYCLED, Aftermath("", IN, [found(title, 20)])) is Verdict.NOT_COUNTED
    assert verdict(CYCLED, Aftermath(title, OUT)) is Verdict.NOT_COUNTED


@pytest.mark.parametrize(("hours", "wanted"), [(2.3, Verdict.GOOD), (2.5, Verdict.NOT_COUNTED)])
def test_what_could_not_be_told_for_long_is_not_counted_though_the_node_is_well_at_the_end(
    hours: float, wanted: Verdict
) -> None:
    dark = [found("cannot be told", 4), found("", 4 + hours, "cannot be told")]
    assert verdict(CYCLED, Aftermath("", IN, dark)) is wanted
    assert verdict(CYCLED, Aftermath("cannot be told", IN, [found("", hours, "cannot be told")])) is wanted
    assert verdict(CYCLED, Aftermath("", IN, dark, blind=timedelta(hours=2.3))) is Verdict.NOT_COUNTED
    assert verdict(RESUMED, Aftermath("", IN, dark)) is Verdict.GOOD


def test_a_resume_is_good_when_the_node_stays_in_service_whatever_is_found_on_it() -> None:
    assert verdict(RESUMED, Aftermath("", IN, [found("scratch not mounted", 4)])) is Verdict.GOOD
    assert verdict(RESUMED, Aftermath("", OUT, [stands(OUT, IN, 0.01)])) is Verdict.GOOD


def test_a_resume_is_bad_when_slurm_takes_the_node_out_again_and_not_counted_when_a_person_does() -> None:
    again = Aftermath("", IN, [stands(IN, "down*", 4, "Not responding")])
    assert verdict(RESUMED, again) is Verdict.BAD
    assert verdict(RESUMED, Aftermath("", IN, [stands(IN, OUT, 4, "bad fan -jd")])) is Verdict.NOT_COUNTED
    assert verdict(RESUMED, Aftermath("", OUT)) is Verdict.BAD


@pytest.mark.parametrize("action", ["identify", "drain", "power-off"])
def test_what_mends_nothing_has_no_outcome(action: str) -> None:
    assert verdict(Done(action, AT), Aftermath("", IN)) is None
