"""A time on record, gone through again: with what was known then, beside what people did, and what followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from botd.advice.confidence import Counts
from botd.advice.replay import Replay, Site, replay, told
from botd.advice.weighing import Scales
from botd.documents import iso
from botd.model import BOOT, DIAGNOSIS, REASON, SLURM, Change
from botd.settings import AdviceSettings
from tests.advice.cases import CHECKS

AT = datetime(2026, 3, 1, tzinfo=UTC)
IN, SILENT, READY = "in service", "silent", "ready to go back"


def change(subject: str, old: str, new: str, at_h: float, node: str = "n1") -> Change:
    is_bad = bool(new) and not new.startswith(IN)
    return Change(node, subject, old, new, AT + timedelta(hours=at_h), "", is_bad)


def ill(at_h: float, state: str = "down*", reason: str = "Not responding", title: str = SILENT) -> list[Change]:
    return [
        change(SLURM, IN, state, at_h),
        change(REASON, "", reason, at_h),
        change(DIAGNOSIS, "", title, at_h + 0.1),
    ]


def well(at_h: float, state: str = "down*", reason: str = "Not responding", title: str = SILENT) -> list[Change]:
    return [
        change(SLURM, state, IN, at_h),
        change(REASON, reason, "", at_h),
        change(DIAGNOSIS, title, "", at_h + 0.1),
    ]


def on(node: str, changes: list[Change]) -> list[Change]:
    """The same on another node."""
    return [replace(each, node=node) for each in changes]


def booted(at_h: float) -> Change:
    return change(BOOT, iso(AT - timedelta(days=9)), iso(AT + timedelta(hours=at_h)), at_h + 0.05)


def gone_through(changes: Sequence[Change], counts: Sequence[Counts] = (), **costs: float) -> Replay:
    site = Site(CHECKS, Scales.of(AdviceSettings(**costs)), lambda node: "savio2")
    return replay(changes, counts, site, AT - timedelta(days=1), AT + timedelta(days=60))


CYCLED = [*ill(0), booted(5), *well(5.2)]
RESUMED = [
    *ill(0, "drained", "Kill task failed", READY),
    *well(3, "drained", "Kill task failed", READY),
]


def test_what_people_did_is_set_beside_what_would_have_been_said_right_before() -> None:
    for changes, action in ((CYCLED, "power-cycle"), (RESUMED, "resume")):
        (pressed,) = gone_through(changes).pressed
        assert (pressed.deed.action, pressed.said.way, pressed.is_good) == (action, action, True)


def test_the_figures_are_told() -> None:
    lines = list(told(gone_through(CYCLED)))
    assert lines[0] == "1 diagnoses, 1 of them with something to press"
    assert lines[2].startswith("agreement: 1 of 1")
    assert lines[-1].startswith("Brier score of 1 presses that match: 0.062")


def test_what_people_did_otherwise_is_told_as_such() -> None:
    found = gone_through(CYCLED, least_p=0.95)
    assert [each.way for each in found.said] == ["person"]
    assert "  people: power-cycle, botd: person: 1" in told(found)


def test_what_would_have_been_recommended_is_told() -> None:
    found = gone_through([*CYCLED, *on("n2", ill(0)), *on("n3", ill(0, "drained", "Kill task failed", READY))])
    assert "recommended: power-cycle 2, resume 1" in told(found)


def test_what_botd_did_itself_is_no_persons_doing() -> None:
    site = Site(CHECKS, Scales(), lambda node: "savio2", {"n1": [AT + timedelta(hours=5)]})
    assert replay(CYCLED, [], site, AT - timedelta(days=1), AT + timedelta(days=60)).pressed == []


def test_a_press_on_a_node_that_was_back_alone_within_an_hour_is_told() -> None:
    assert "proposed on a node that was back alone within an hour: 1" in told(gone_through([*ill(0), *well(0.7)]))
    assert "proposed on a node that was back alone within an hour: 0" in told(gone_through([*ill(0), *well(7)]))


def test_a_persons_reason_and_a_third_incident_stop_it() -> None:
    thrice = [*ill(0), *well(2), *ill(10), *well(12), *ill(20)]
    found = gone_through(thrice)
    assert [each.way for each in found.said] == ["power-cycle", "power-cycle", "person"]
    assert "stopped by a guard: 1 (repeat 1)" in told(found)
    persons = gone_through(ill(0, "drained", "bad DIMM -jd", "slurmd stopped"))
    assert "stopped by a guard: 1 (human-reason 1)" in told(persons)


def test_only_what_was_counted_before_the_day_weighs() -> None:
    days = [date(2026, 1, day) for day in range(1, 31)]
    bad = [Counts("silent", "power-cycle", "savio2", day, "own", 0, 1) for day in days]
    late = [each._replace(day=each.day.replace(month=3)) for each in bad]
    assert gone_through(ill(0), bad).said[0].way == "person"
    assert gone_through(ill(0), late).said[0].way == "power-cycle"


def test_nodes_that_healed_alone_make_it_wait_from_the_next_day_on_and_not_before() -> None:
    healed = [each for number in range(8) for each in on(f"m{number}", [*ill(2), *well(2.3)])]
    found = gone_through([*ill(0), *healed, *on("n2", ill(30))])
    ways = {(each.node, each.at): each.way for each in found.said}
    assert ways["n1", AT + timedelta(hours=0.1)] == "power-cycle"
    assert ways["n2", AT + timedelta(hours=30.1)] == "wait"


@pytest.mark.parametrize("count", range(1, 12))
def test_what_came_later_changes_nothing_that_was_said_before(count: int) -> None:
    changes = [*ill(0), *well(0.7), *ill(30), booted(33), *well(33.2), *ill(60)]
    whole, cut = gone_through(changes), gone_through(changes[:count])
    assert list(cut.said) == list(whole.said)[: len(cut.said)]


def test_nothing_on_record_is_said_so() -> None:
    lines = list(told(gone_through([])))
    assert lines[0].startswith("0 diagnoses")
    assert lines[-1] == "Brier score: no press that matches has an outcome"
