"""What is read out of slurmdbd's record, and what is not, because it does not tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from botd.advice.imported import outages, resumed, silences
from botd.advice.reasons import SLURM_REASONS
from botd.advice.recommend import recommend
from botd.inventory.events import NodeEvent
from tests.advice.cases import Morning

AT = datetime(2026, 3, 1, tzinfo=UTC)
NOW = AT + timedelta(days=30)
SILENT, SLURMS, PERSONS, NHC = "Not responding", "Kill task failed", "bad DIMM -jd", "NHC: check_ps_daemon: crond"


def event(state: str, reason: str, begin_h: float, end_h: float | None, node: str = "n1") -> NodeEvent:
    ends_at = None if end_h is None else AT + timedelta(hours=end_h)
    return NodeEvent(node, state, AT + timedelta(hours=begin_h), ends_at, "root", reason)


def verdicts(*events: NodeEvent) -> list[str]:
    return [str(each.verdict) for each in resumed(outages(events), NOW)]


def healed(*events: NodeEvent) -> list[tuple[float, bool]]:
    return [(each.hours, each.healed) for each in silences(outages(events))]


def test_events_that_go_on_with_each_other_are_one_incident() -> None:
    found = outages([
        event("DRAIN", PERSONS, 1, 3), event("DOWN*", SILENT, 0, 1), event("DOWN*", SILENT, 9, 10),
        event("DOWN", SILENT, 3, 4, "n2"),
    ])  # fmt: skip
    assert [(each.node, len(each.events), each.begins_at) for each in found] == [
        ("n1", 2, AT),
        ("n1", 1, AT + timedelta(hours=9)),
        ("n2", 1, AT + timedelta(hours=3)),
    ]


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ([], "good"),
        ([event("DOWN*", SILENT, 40, 41)], "good"),
        ([event("DOWN*", SILENT, 20, 21)], "bad"),
        ([event("DRAIN", PERSONS, 20, None)], "not counted"),
    ],
    ids=["stayed", "ill much later", "ill within a day", "a person took it"],
)
def test_a_drained_node_that_is_back_was_resumed(after: list[NodeEvent], verdict: str) -> None:
    assert verdicts(event("DRAIN", SLURMS, 0, 2), *after)[0] == verdict


@pytest.mark.parametrize("reason", [each.text for each in SLURM_REASONS if "…" not in each.text])
def test_what_was_resumed_counts_for_the_diagnosis_that_a_well_node_with_that_reason_has(reason: str) -> None:
    found = recommend(Morning("", "drained", reason).case())
    assert found is not None
    if found["family"] == "ready":
        assert [each.diagnosis for each in resumed(outages([event("DRAIN", reason, 0, 2)]), NOW)] in (
            [found["diagnosis"]],
            [],  # a reboot that somebody asked for ends by itself
        )


@pytest.mark.parametrize(
    "one",
    [
        event("DOWN*", SILENT, 0, 2),
        event("DRAIN", NHC, 0, 2),
        event("DRAIN", PERSONS, 0, 2),
        event("DRAIN", "reboot issued", 0, 2),
        event("DRAIN", SLURMS, 0, None),
        event("DRAIN", "", 0, 2),
        event("DRAIN", SLURMS, 0, 24 * 29.5),
    ],
    ids=["returned by itself", "NHC's own", "a person's", "a reboot", "still out", "no reason", "day not over"],
)
def test_of_what_else_ended_it_is_not_told_who_did_that(one: NodeEvent) -> None:
    assert verdicts(one) == []


def test_who_is_back_within_half_an_hour_came_back_alone() -> None:
    assert healed(event("DOWN*", SILENT, 0, 0.25)) == [(0.25, True)]


def test_how_a_longer_silence_ended_is_not_told() -> None:
    assert healed(event("DOWN*", SILENT, 0, 7)) == healed(event("DOWN*", SILENT, 0, None)) == [(0.5, False)]


def test_a_silence_that_somebody_drained_is_over_for_the_count_then() -> None:
    assert healed(event("DOWN*", SILENT, 0, 0.2), event("DRAIN", PERSONS, 0.2, 0.4)) == [(0.2, False)]


def test_what_is_down_for_another_reason_was_not_silent() -> None:
    assert healed(event("DOWN", "Node unexpectedly rebooted", 0, 0.1), event("DRAIN", SILENT, 5, 6)) == []
