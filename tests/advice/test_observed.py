"""What the history shows that people did, and how long nodes were ill untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from botd.advice.observed import Deed, Illness, aftermath, lost_a_job, observed
from botd.advice.outcomes import WINDOW, Done, Verdict, judge
from botd.model import BOOT, DIAGNOSIS, REASON, SLURM, STARTED, Change

AT = datetime(2026, 11, 26, 3, 10, tzinfo=UTC)
NOBODY: Mapping[str, Sequence[datetime]] = {}


def change(subject: str, old: str, new: str, hours: float, why: str = "") -> Change:
    return Change("n1", subject, old, new, AT + timedelta(hours=hours), why)


def booted(hours: float, seen: float) -> Change:
    at = AT + timedelta(hours=hours)
    return Change("n1", BOOT, "2026-11-01T00:00:00Z", f"{at:%FT%H:%M:%SZ}", AT + timedelta(hours=seen))


LOST = [change(SLURM, "in service", "down*", 0, "Not responding"), change(DIAGNOSIS, "", "silent", 0)]


def test_a_node_that_boots_while_it_is_out_was_cycled_by_somebody_and_its_illness_ends_there_untold() -> None:
    deeds, illnesses = observed([*LOST, booted(5, 5.1), change(DIAGNOSIS, "silent", "", 5.1)], NOBODY)
    assert deeds == [Deed("n1", "silent", "power-cycle", AT + timedelta(hours=5))]
    assert illnesses == [Illness("n1", "silent", AT, 5.0, healed=False)]


def test_that_slurm_has_it_back_before_botd_reads_it_does_not_matter() -> None:
    back = change(SLURM, "down*", "in service", 5.05)
    assert observed([*LOST, back, booted(5, 5.1)], NOBODY)[0] == [
        Deed("n1", "silent", "power-cycle", AT + timedelta(hours=5))
    ]


def test_a_node_that_was_off_was_powered_on() -> None:
    off = [LOST[0], change(DIAGNOSIS, "", "powered off", 0)]
    assert [deed.action for deed in observed([*off, booted(5, 5.1)], NOBODY)[0]] == ["power-on"]


def test_a_boot_of_a_node_in_service_is_nobodys_deed() -> None:
    assert observed([change(DIAGNOSIS, "", "silent", 0), booted(5, 5.1)], NOBODY)[0] == []
    back = change(SLURM, "down*", "in service", 1)
    assert observed([*LOST, back, change(DIAGNOSIS, "silent", "", 1), booted(5, 5.1)], NOBODY)[0] == []


def test_who_takes_a_drain_back_has_resumed_and_slurm_that_has_a_node_back_has_not() -> None:
    drained = [
        change(SLURM, "in service", "drained", 0, "NHC: check_fs_mount: /tmp not mounted"),
        change(DIAGNOSIS, "", "ready to go back", 0),
        change(SLURM, "drained", "in service", 2),
    ]
    assert observed(drained, NOBODY)[0] == [Deed("n1", "ready", "resume", AT + timedelta(hours=2))]
    assert observed([*LOST, change(SLURM, "down*", "in service", 2)], NOBODY)[0] == []


def test_what_botd_did_is_not_counted_a_second_time() -> None:
    ours = {"n1": [AT + timedelta(hours=4.9)]}
    deeds, illnesses = observed([*LOST, booted(5, 5.1), change(DIAGNOSIS, "silent", "", 5.1)], ours)
    assert deeds == []
    assert illnesses == [Illness("n1", "silent", AT, 4.9, healed=False)]


@pytest.mark.parametrize("then", ["", "ready to go back"])
def test_who_comes_back_untouched_has_healed(then: str) -> None:
    _, illnesses = observed([*LOST, change(DIAGNOSIS, "silent", then, 3)], NOBODY)
    assert illnesses == [Illness("n1", "silent", AT, 3.0, healed=True)]


def started(hours: float, seen: float) -> Change:
    return replace(booted(hours, seen), subject=STARTED)


def slurmd(title: str, *between: Change) -> list[Change]:
    ill = [change(SLURM, "in service", "down*", 0, "Not responding"), change(DIAGNOSIS, "", title, 0)]
    return [*ill, change(SLURM, "down*", "in service", 2), *between, change(DIAGNOSIS, title, "", 2)]


@pytest.mark.parametrize(
    ("title", "name"),
    [("slurmd stopped", "slurmd"), ("slurmd runs, Slurm does not hear it", "slurmd-unheard")],
)
def test_who_starts_the_slurmd_that_a_node_lacks_has_restarted_it_and_it_did_not_heal(title: str, name: str) -> None:
    found = slurmd(title, started(1.9, 2))
    deeds, illnesses = observed(found, NOBODY)
    assert deeds == [Deed("n1", name, "restart-slurmd", AT + timedelta(hours=1.9))]
    assert illnesses == [Illness("n1", name, AT, 1.9, healed=False)]
    judged = judge(
        Done("restart-slurmd", deeds[0].at), aftermath(found, deeds[0].at, (), timedelta(0)), AT + 2 * WINDOW
    )
    assert judged is not None
    assert judged.verdict is Verdict.GOOD
    assert observed(found, {"n1": [AT + timedelta(hours=1.8)]})[0] == [], "it was botd"


def test_a_slurmd_that_is_back_and_was_not_started_came_back_alone_and_of_other_ills_a_start_says_nothing() -> None:
    title = "slurmd runs, Slurm does not hear it"
    assert observed(slurmd(title), NOBODY) == ([], [Illness("n1", "slurmd-unheard", AT, 2.0, healed=True)])
    assert observed(slurmd("silent", started(1.9, 2)), NOBODY) == ([], [Illness("n1", "silent", AT, 2.0, healed=True)])


def test_who_restarts_slurmd_after_something_else_was_done_has_a_hand_in_what_became_of_it() -> None:
    cycled_at = AT + timedelta(hours=1)
    after = aftermath(slurmd("slurmd stopped", started(1.9, 2)), cycled_at, (), timedelta(0))
    assert after.others == [AT + timedelta(hours=1.9)]
    assert aftermath(slurmd("silent", started(1.9, 2)), cycled_at, (), timedelta(0)).others == []


def test_another_illness_is_no_healing_and_neither_is_a_persons_reason() -> None:
    _, illnesses = observed([*LOST, change(DIAGNOSIS, "silent", "slurmd stopped", 3)], NOBODY)
    assert illnesses == [Illness("n1", "silent", AT, 3.0, healed=False)]
    person = change(REASON, "Not responding", "bad fan -jd", 1)
    _, illnesses = observed([*LOST, person, change(DIAGNOSIS, "silent", "", 3)], NOBODY)
    assert illnesses == [Illness("n1", "silent", AT, 1.0, healed=False)]


@pytest.mark.parametrize(
    "title", ["a colleague's", "draining, a job runs", "not read yet", "ready to go back", "old words"]
)
def test_of_what_nobody_is_ill_with_nothing_is_told(title: str) -> None:
    assert observed([change(DIAGNOSIS, "", title, 0), change(DIAGNOSIS, title, "", 3)], NOBODY)[1] == []


def test_an_illness_whose_begin_is_not_on_record_is_none() -> None:
    assert observed([change(DIAGNOSIS, "silent", "", 3)], NOBODY)[1] == []


def test_what_became_of_a_node_begins_with_what_it_was_at_that_moment() -> None:
    day = [*LOST, booted(5, 5.1), change(DIAGNOSIS, "silent", "", 5.1), change(SLURM, "down*", "in service", 5.2)]
    after = aftermath(day, AT + timedelta(hours=5.05), (), timedelta(0))
    assert (after.diagnosis, after.slurm, len(after.changes), after.others) == ("silent", "down*", 2, [])
    judged = judge(Done("power-cycle", AT + timedelta(hours=5.05)), after, AT + timedelta(hours=30))
    assert judged is not None
    assert judged.verdict is Verdict.GOOD
    again = aftermath([*day, booted(9, 9.1)], AT + timedelta(hours=5.05), (), timedelta(0))
    assert again.others == [AT + timedelta(hours=9)]
    assert aftermath([], AT, (), timedelta(0)).slurm == "in service"


def test_a_job_that_is_lost_within_a_day_is_harm() -> None:
    lost = change("last_job", "ok", "fail", 4)
    assert lost_a_job([lost], AT)
    assert not lost_a_job([lost], AT + timedelta(hours=4))
    assert not lost_a_job([lost], AT - timedelta(hours=21))
