"""Every rule by its cases: the diagnosis, the action, and what is said."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from botd.advice.case import Case
from botd.advice.guards import GUARDS
from botd.advice.recommend import evidence_of, recommend
from botd.advice.rules import FAMILIES, RULES
from botd.documents import RecommendationDocument
from botd.history.past import NodePast
from botd.model import SlurmNode, State
from tests.advice.cases import (
    AT,
    CASES,
    CHECKS,
    CYCLED,
    JOB,
    NODE,
    RESTARTED,
    SILENT,
    SLURMD_DEAD,
    Morning,
    readings,
)

FLAPPING = ("load", "ping")


def advised(morning: Morning) -> RecommendationDocument:
    found = recommend(morning.case())
    assert found is not None
    return found


@pytest.mark.parametrize("morning", CASES, ids=str)
def test_a_morning_has_the_diagnosis_that_a_person_would_give(morning: Morning) -> None:
    found = advised(morning)
    assert (found["diagnosis"], found["action"]) == (morning.rule, morning.action)
    assert morning.says in found["explanation"]
    assert "{" not in found["title"] + found["next"]
    assert found["explanation"].isprintable()
    assert morning.guard in ("", *(refusal["guard"] for refusal in found["refused_by"]))


def test_every_rule_and_every_guard_has_a_case() -> None:
    refused = {refusal["guard"] for morning in CASES for refusal in advised(morning)["refused_by"]}
    assert {rule.name for rule in RULES} == {morning.rule for morning in CASES}
    assert {guard.name for guard in GUARDS} - refused == {"human-reason", "draining"}  # no rule's ladder comes so far


def test_what_failed_in_this_incident_is_behind_and_the_next_rung_is_said() -> None:
    slurmd = Morning("slurmd", "down*", "Not responding", SLURMD_DEAD, tried=RESTARTED)
    found = advised(slurmd)
    said = "restart-slurmd 5 failed at 26 Nov 03:40 UTC, in this incident"
    assert (found["action"], found["next"]) == ("power-cycle", f"power cycle ({said})")
    assert [way["action"] for way in found["ranked"]] == ["power-cycle", "person"]
    both = advised(replace(slurmd, tried=RESTARTED + CYCLED))
    cycled = "power-cycle 7 failed at 26 Nov 04:10 UTC, in this incident"
    assert both["next"] == f"settle what its log says, then start slurmd (no power cycle now: {cycled})"
    assert [refusal["words"] for refusal in both["refused_by"]] == [said, cycled]


def test_the_last_time_counts_and_after_the_incident_all_rungs_are_open_again() -> None:
    silent = Morning("silent", "down*", "Not responding", SILENT, tried=CYCLED)
    said = "power-cycle 7 failed at 26 Nov 04:10 UTC, in this incident"
    assert advised(silent)["next"] == f"look at its console, then power cycle (no power cycle now: {said})"
    sent_at = CYCLED[0].at
    for back_at, action in ((sent_at - timedelta(minutes=1), "person"), (sent_at + timedelta(hours=1), "power-cycle")):
        assert advised(replace(silent, past=NodePast(1, back_at=back_at)))["action"] == action


def test_what_failed_in_this_incident_is_other_evidence_and_what_failed_before_it_is_not() -> None:
    silent = Morning("silent", "down*", "Not responding", SILENT)
    again = (CYCLED[0]._replace(id=8),)
    others = [silent, replace(silent, tried=CYCLED), replace(silent, tried=CYCLED + again)]
    assert len({advised(each)["evidence"] for each in others}) == 3
    over = NodePast(1, back_at=CYCLED[0].at + timedelta(hours=1))
    assert advised(replace(silent, tried=CYCLED, past=over))["evidence"] == advised(silent)["evidence"]


def test_a_third_incident_is_other_evidence_and_a_second_is_not() -> None:
    def by(incidents: int) -> str:
        return advised(Morning("silent", "down*", "Not responding", SILENT, past=NodePast(incidents)))["evidence"]

    assert by(1) == by(2) != by(3) == by(4)


def test_the_names_of_rules_are_one_each_and_their_families_known() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {rule.family for rule in RULES} == set(FAMILIES)
    checks = {*CHECKS, "df", "all"}
    assert all(checks.issuperset(rule.reads) for rule in RULES)


def test_a_node_in_service_and_well_has_none() -> None:
    idle = SlurmNode(NODE, "idle", "IDLE")
    assert recommend(Case(NODE, idle, readings({}), CHECKS)) is None
    assert recommend(Case(NODE, None, readings({}), CHECKS)) is None


def test_a_node_that_slurm_has_switched_off_is_not_silent() -> None:
    saving = SlurmNode(NODE, "idle~", "IDLE", ("POWERED_DOWN",))
    silent = {"ping": (State.FAIL, None, ""), "ssh": (State.FAIL, "timeout", "")}
    assert recommend(Case(NODE, saving, readings(silent), CHECKS)) is None


@pytest.mark.parametrize("morning", CASES, ids=str)
def test_nobody_is_told_to_press_anything_on_a_node_with_a_job(morning: Morning) -> None:
    busy = replace(morning, bad={**morning.bad, **JOB})
    assert advised(busy)["action"] in (None, "wait", "person", "resume")


@pytest.mark.parametrize("morning", CASES, ids=str)
def test_a_persons_reason_is_never_overridden(morning: Morning) -> None:
    kept = replace(morning, state="drained", reason=f"{morning.reason} : broken fan -jd", by="jd")
    assert (advised(kept)["family"], advised(kept)["action"]) == ("colleague", "person")


def test_a_draining_node_is_left_alone_though_nothing_is_wrong() -> None:
    found = advised(Morning("", "draining", "Kill task failed", JOB))
    assert (found["family"], found["action"]) == ("draining", "wait")


# ---- evidence ----


@pytest.mark.parametrize("morning", CASES, ids=str)
def test_evidence_holds_over_a_sweep_that_finds_the_same(morning: Morning) -> None:
    case = morning.case()
    later = {
        name: {**found, "at": found["at"] and "2026-11-26T08:00:00.000Z", "took_s": 9.9, "detail": found["detail"]}
        for name, found in case.readings.items()
    }
    for name in FLAPPING:
        if isinstance(later[name]["value"], float):
            later[name]["value"] *= 1.1
    again = recommend(replace(case, readings=later))
    assert again is not None
    assert again["evidence"] == advised(morning)["evidence"]


def test_evidence_changes_with_each_thing_that_was_judged_by() -> None:
    morning = Morning("", "drained", "Kill task failed")
    case, slurm = morning.case(), morning.case().slurm
    assert slurm is not None
    others = [
        case,
        replace(case, slurm=replace(slurm, reason="Epilog error")),
        replace(case, slurm=replace(slurm, reason_by="slurm")),
        replace(case, slurm=replace(slurm, reason_at=AT + timedelta(seconds=1))),
        replace(case, slurm=replace(slurm, base="DOWN")),
        replace(case, slurm=replace(slurm, flags=("DRAIN", "MAINTENANCE"))),
        replace(case, readings=readings({"jobs": (State.OK, ["7"], "")})),
        replace(case, readings=readings({"ipmi_state": (State.OK, "unknown", "")})),
        replace(case, readings=readings({"df_tmp": (State.WARN, None, "")})),
        replace(case, node="n0008.savio2"),
    ]
    evidence = [found["evidence"] for each in others if (found := recommend(each))]
    assert len(set(evidence)) == len(others)


def test_evidence_of_a_node_that_is_well_is_that_it_is_in_service_whatever_runs_there() -> None:
    well = SlurmNode(NODE, "idle", "IDLE")
    busy = replace(well, state="mixed", base="MIXED")
    others = [
        evidence_of("n0008.savio2", well, None),
        evidence_of(NODE, replace(well, reason="to be looked at"), None),
        evidence_of(NODE, replace(well, flags=("DRAIN",)), None),
        evidence_of(NODE, None, None),
    ]
    assert evidence_of(NODE, well, None) == evidence_of(NODE, busy, None)
    assert len({evidence_of(NODE, well, None), *others}) == 5


def test_evidence_of_a_node_that_is_ill_is_that_of_its_diagnosis() -> None:
    morning = CASES[0]
    assert evidence_of(NODE, morning.case().slurm, advised(morning)) == advised(morning)["evidence"]


def test_what_is_left_is_ranked_with_a_person_last() -> None:
    found = advised(next(morning for morning in CASES if morning.rule == "slurmd"))
    assert [way["action"] for way in found["ranked"]] == ["restart-slurmd", "power-cycle", "person"]
    assert found["refused_by"] == []


def test_before_anybody_tried_it_a_guess_is_said_to_be_one() -> None:
    found = advised(next(morning for morning in CASES if morning.rule == "silent"))
    assert found["confidence"] == {"p": 0.75, "at_least": None, "good": 0, "of": 0, "scope": "all hardware"}
    assert found["words"].startswith("Nobody has tried this here yet; we would guess 75 %.")


def test_no_rule_hides_another_whole() -> None:
    """Each rule is reached by one of its own cases, whatever stands before it in the table."""
    for morning, rule in itertools.product(CASES, RULES):
        if morning.rule == rule.name:
            assert rule.when(morning.case())


def test_a_next_step_fits_a_line_of_the_round() -> None:
    assert all(len(rule.next.replace("{path}", "/global/scratch")) <= 73 for rule in RULES)
