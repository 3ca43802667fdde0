"""Nodes with the same answers as one: what parts them, and what stands for them."""

from __future__ import annotations

from typing import Any

import pytest

from botd.checks import site_checks
from botd.config import parse_config
from botd.display.cells import cell
from botd.display.fold import fold_nodes
from botd.documents import node_document, reading_document
from botd.model import Reading, SlurmNode, State

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
DISK = {"size": 2**30, "free": 2**29, "used_percent": 48.2, "mounted": True, "read_only": False, "hung": False}
JOB = {
    "job_id": "44001",
    "user": "bob",
    "state": "COMPLETED",
    "exit_code": "0:0",
    "ended_at": "2026-11-23T20:16:37.123Z",
}


def node(
    name: str,
    *,
    state: State = State.OK,
    slurm_state: str = "drained",
    reason: str = "no IB",
    groups: tuple[str, ...] = ("x",),
    detail: str = "",
    by: str = "root",
    **values: Any,
) -> dict[str, Any]:
    readings = {
        check: reading_document(Reading(state, value, CHECKS[check].unit, detail=detail))
        for check, value in values.items()
    }
    slurm = SlurmNode(name, slurm_state, "IDLE", reason=reason, reason_by=by)
    return node_document(name, groups, slurm, readings, [CHECKS[check] for check in values])


def nodesets(*nodes: dict[str, Any]) -> list[str]:
    return [folded["nodeset"] for folded in fold_nodes(nodes, CHECKS)]


@pytest.mark.parametrize(
    ("check", "one", "other"),
    [
        ("ping", 0.11, 0.3),
        ("uptime", 5, 90061.0),
        ("df_tmp", DISK, {**DISK, "free": 1, "used_percent": 99.9}),
        ("memory", {"size": 2**36, "free": 1}, {"size": 2**37, "free": 2}),
        ("last_job", JOB, {**JOB, "job_id": "44002", "user": "eve"}),
    ],
)
def test_numbers_sizes_and_jobs_do_not_part_nodes(check: str, one: object, other: object) -> None:
    assert nodesets(node("n1.x", **{check: one}), node("n2.x", **{check: other})) == ["n[1-2].x"]


@pytest.mark.parametrize(
    ("check", "one", "other"),
    [
        ("ssh", "up", "refused"),
        ("ipmi_reachable", True, False),
        ("users", ["bob"], ["eve"]),
        ("ping", 0.1, None),
        ("ipmi_reachable", True, 1),
        ("df_tmp", DISK, {**DISK, "mounted": False}),
        ("slurmd", {"running": True, "version": "22.05.8"}, {"running": True, "version": "23.02.7"}),
        ("last_job", JOB, {**JOB, "state": "FAILED"}),
    ],
)
def test_words_truth_values_and_lists_part_nodes(check: str, one: object, other: object) -> None:
    assert nodesets(node("n1.x", **{check: one}), node("n2.x", **{check: other})) == ["n1.x", "n2.x"]


@pytest.mark.parametrize("other", [{"state": State.WARN}, {"reason": "no power"}, {"slurm_state": "down*"}])
def test_states_and_reasons_part_nodes(other: dict[str, Any]) -> None:
    assert nodesets(node("n1.x", ping=1), node("n2.x", ping=1, **other)) == ["n1.x", "n2.x"]


def test_a_node_that_slurm_does_not_know_stands_apart() -> None:
    assert nodesets(node("n1.x", ping=1), {**node("n2.x", ping=1), "slurm": None}) == ["n1.x", "n2.x"]


def test_folds_stand_in_the_order_of_their_first_nodes() -> None:
    assert nodesets(node("n1", ssh="up"), node("n2", ssh="hung"), node("n10", ssh="up")) == ["n[1,10]", "n2"]


@pytest.mark.parametrize(
    ("check", "values", "shown"),
    [
        ("ping", [0.3, 0.11, 0.2], "0.11-0.30 ms"),
        ("ping", [0.2, 0.2], "0.20 ms"),
        ("load", [0.1, 1.5], "0.10-1.50"),
        ("uptime", [5, 90061.0], "5 s-1 d 1 h"),
        ("uptime", [5, 50], "5-50 s"),
        ("df_tmp", [DISK, {**DISK, "used_percent": 61.0}], "48-61% of 1.0 GiB"),
        ("df_tmp", [DISK, {**DISK, "size": 2**31}], "48% of 1.0-2.0 GiB"),
        ("memory", [{"size": 2**36}, {"size": 2**40}], "64.0 GiB-1.0 TiB"),
        ("last_job", [JOB, {**JOB, "job_id": "44002"}], "COMPLETED 0:0"),
        ("ssh", ["up", "up"], "up"),
    ],
)
def test_a_cell_shows_a_range(check: str, values: list[Any], shown: str) -> None:
    (folded,) = fold_nodes((node(f"n{i}", **{check: value}) for i, value in enumerate(values)), CHECKS)
    assert cell(folded["readings"][check], CHECKS[check]) == shown


def test_a_fold_says_what_is_true_of_all_its_nodes() -> None:
    (folded,) = fold_nodes(
        [node("n1", groups=("a", "b"), detail="x", ping=1), node("n2", groups=("b", "c"), detail="y", by="jd", ping=2)],
        CHECKS,
    )
    assert (folded["count"], folded["groups"]) == (2, ["b"])
    assert (folded["slurm"]["reason"], folded["slurm"]["reason_by"]) == ("no IB", "root | jd")
    assert folded["readings"]["ping"]["detail"] == ""


def test_a_fold_is_as_old_as_its_oldest_reading() -> None:
    pair = [node("n1", ping=1), node("n2", ping=2)]
    pair[0]["readings"]["ping"]["at"] = "2026-11-23T20:16:37.123Z"
    pair[1]["readings"]["ping"]["at"] = "2026-11-23T20:16:30.000Z"
    (folded,) = fold_nodes(pair, CHECKS)
    assert folded["readings"]["ping"]["at"] == "2026-11-23T20:16:30.000Z"
    pair[1]["readings"]["ping"]["at"] = None
    assert fold_nodes(pair, CHECKS)[0]["readings"]["ping"]["at"] is None


def test_the_nodes_themselves_stay_as_they_are() -> None:
    pair = [node("n1", ping=1), node("n2", ping=2)]
    fold_nodes(pair, CHECKS)
    assert pair == [node("n1", ping=1), node("n2", ping=2)]


def ill(name: str, title: str = "ssh refused", action: str | None = "person", **more: Any) -> dict[str, Any]:
    since = more.pop("since", None)
    advice = {"title": title, "action": action, "explanation": f"{name} is ill", "next": "see to it"}
    advice |= {
        "diagnosis": "x",
        "family": "ssh",
        "evidence": name,
        "refused_by": [],
        "confidence": None,
        "ranked": [],
        "words": "",
    }
    return {**node(name, **more), "recommendation": advice, "since": since}


def test_nodes_with_one_diagnosis_and_one_action_are_one_whatever_else_differs() -> None:
    (folded,) = fold_nodes(
        [
            ill(
                "n1",
                slurm_state="drained",
                reason="a",
                ssh="refused",
                state=State.FAIL,
                since="2026-11-23T08:00:00.000Z",
            ),
            ill(
                "n2", slurm_state="down*", reason="b", ssh="timeout", state=State.FAIL, since="2026-11-22T08:00:00.000Z"
            ),
            ill("n3", slurm_state="drained", reason="a", ssh="up"),
        ],
        CHECKS,
    )
    assert (folded["nodeset"], folded["since"]) == ("n[1-3]", "2026-11-22T08:00:00.000Z")
    assert (folded["slurm"]["state"], folded["slurm"]["reason"]) == ("drained | down*", "a | b")
    assert cell(folded["readings"]["ssh"], CHECKS["ssh"]) == "!! refused | timeout"
    assert folded["readings"]["ssh"]["detail"] == "2 of 3 nodes"
    advice = folded["recommendation"]
    assert (advice["title"], advice["next"], advice["explanation"]) == ("ssh refused", "see to it", "")


def test_another_diagnosis_or_action_parts_nodes_and_so_does_none() -> None:
    nodes = [ill("n1"), ill("n2", "hung"), ill("n3", action=None), node("n4"), ill("n5")]
    assert nodesets(*nodes) == ["n[1,5]", "n2", "n3", "n4"]


@pytest.mark.parametrize(
    ("check", "values", "shown"),
    [
        ("users", [["bob"], ["eve", "bob"]], "!! bob, eve"),
        ("df_tmp", [DISK, {**DISK, "mounted": False}], "!! differs"),
        ("df_tmp", [DISK, None], "!! 48% of 1.0 GiB"),
        ("slurmd", [{"running": False, "version": "1"}, {"running": False, "version": "2"}], "!! stopped"),
        ("load", [1.5, "odd"], "!! differs"),
        ("ping", [None, None], "!! no answer"),
    ],
)
def test_what_differs_within_a_diagnosis_is_said_or_left_out_and_never_said_of_all(
    check: str, values: list[Any], shown: str
) -> None:
    nodes = [ill(f"n{i}", state=State.FAIL, **{check: value}) for i, value in enumerate(values)]
    (folded,) = fold_nodes(nodes, CHECKS)
    assert cell(folded["readings"][check], CHECKS[check]) == shown
