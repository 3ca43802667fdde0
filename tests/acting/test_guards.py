"""Guards: each stands where it has to, none adds a permission, and what is not known permits nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.acting.actions import ACTIONS, BY_NAME, Jobs, Weight
from botd.acting.guards import FRESH, GUARDS, Look, Scene, When, guards_of, refusals
from botd.model import SlurmNode

NOW = datetime(2026, 11, 26, 10, 4, tzinfo=UTC)
OURS = "botd: power-cycle 17 by anna"
IDLE = SlurmNode("n1", "idle", "IDLE")
DRAINED = SlurmNode("n1", "drained*", "DOWN", ("DRAIN", "NOT_RESPONDING"), reason="Not responding", reason_by="root")
DRAINING = SlurmNode("n1", "draining", "MIXED", ("DRAIN",), reason="Kill task failed", reason_by="root")

NOTHING = (
    "off",
    "stopped",
    "ledger",
    "roles",
    "clock",
    "locked",
    "unseen",
    "breaker",
    "storm",
    "spent",
    "elsewhere",
    "other_bmc",
)
"""What a scene has in words where it is in the way."""

STATES = {"drain": (IDLE, "on"), "power-on": (DRAINED, "off")}
"""Where each action may be done, all others on a drained node that is on."""

NAMES = [action.name for action in ACTIONS]
TIMES = [When.PRESS, When.REREAD]


def scene(action: str, **changes: Any) -> Scene:
    """A node on which nothing is in the way of this action."""
    slurm, power = STATES.get(action, (DRAINED, "on"))
    look = Look(slurm=slurm, jobs=(), slurm_at=NOW, power=power, power_at=NOW, bmc="", bad=())
    made = Scene(
        action,
        "n1",
        look,
        **dict.fromkeys(NOTHING, ""),
        has_code=True,
        human_reason="",
        evidence="7f3a90c1",
        evidence_now="7f3a90c1",
        first=look,
    )
    of_look = {field.name for field in fields(Look)}
    inner = {name: value for name, value in changes.items() if name in of_look}
    outer = {name: value for name, value in changes.items() if name not in of_look}
    return replace(made, look=replace(look, **inner), **outer)


def codes(now: Scene, when: When = When.PRESS) -> list[str]:
    return [refusal.code for refusal in refusals(now, NOW, when)]


@pytest.mark.parametrize("action", NAMES)
@pytest.mark.parametrize("when", TIMES)
def test_where_nothing_is_in_the_way_it_may_be_done(action: str, when: When) -> None:
    assert refusals(scene(action), NOW, when) == ()


@pytest.mark.parametrize(
    ("action", "changes", "code", "words"),
    [
        ("identify", {"off": "it is off"}, "actions-off", "[actions] mode: it is off; set it to on"),
        ("drain", {"stopped": "kmf, since 10:00"}, "stopped", "a stop: kmf, since 10:00"),
        ("resume", {"ledger": "it is behind"}, "ledger-unavailable", "the ledger: it is behind"),
        ("resume", {"roles": "[[role]] 2"}, "roles-unreadable", "the roles file: [[role]] 2"),
        ("power-cycle", {"clock": "not synchronised"}, "clock", "the clock of the agent's machine: not synchronised"),
        ("identify", {"clock": "not synchronised"}, "clock", "let it synchronise"),
        ("resume", {"breaker": "9 in 60 min"}, "breaker-open", "the breaker: 9 in 60 min"),
        ("power-cycle", {"storm": "31 in 15 min"}, "storm", "nodes newly ill: 31 in 15 min; find what they share"),
        ("drain", {"locked": "anna, since 10:01"}, "busy", "anna, since 10:01; wait for the end of that"),
        ("drain", {"elsewhere": "a worker of mgmt"}, "elsewhere", "a worker of mgmt; only the agent acts"),
        ("power-on", {"unseen": "17 at 09:01"}, "busy", "17 at 09:01; look, and press seen"),
        ("drain", {"evidence_now": "0000"}, "evidence-changed", "look again"),
        ("drain", {"slurm_at": NOW - timedelta(seconds=11)}, "slurm-unreadable", "not read within 10 s"),
        ("power-cycle", {"jobs": ("812",)}, "live-job", "the jobs that Slurm has on it: 812; wait for their end"),
        ("restart-slurmd", {"jobs": tuple("12345")}, "live-job", "1, 2, 3, 4 and more"),
        ("resume", {"jobs": ("812",)}, "live-job", "812"),
        ("power-cycle", {"jobs": None}, "jobs-unknown", "they are not known; Slurm has to say that it has none"),
        (
            "resume",
            {"human_reason": "called Dell -jd"},
            "human-reason",
            "its reason: called Dell -jd; ask who wrote it",
        ),
        ("resume", {"slurm": IDLE}, "wrong-state", "its state in Slurm: it is idle, in service"),
        ("resume", {"bad": ("df_scratch",)}, "wrong-state", "its checks: df_scratch; all have to be green"),
        ("resume", {"power": "off"}, "wrong-state", "its power: it is off; it has to be on"),
        ("drain", {"slurm": DRAINED}, "wrong-state", 'somebody drained it: "Not responding"; a drain is not replaced'),
        ("power-on", {"power": "on"}, "wrong-state", "its power: it is on; it has to be off"),
        ("power-cycle", {"bmc": "it is another one"}, "other-bmc", "its BMC: it is another one"),
        ("identify", {"bmc": "it has no address"}, "other-bmc", "it has no address"),
        ("identify", {"other_bmc": "another one answered"}, "other-bmc", "another one answered; mend its address, or"),
        ("drain", {"spent": "3 of 3"}, "cap", "the caps: 3 of 3"),
    ],
)
def test_what_is_in_the_way_is_said(action: str, changes: dict[str, Any], code: str, words: str) -> None:
    first = refusals(scene(action, **changes), NOW, When.PRESS)[0]
    assert first.code == code
    assert words in first.words
    assert first.words.startswith("n1: ")


# ---- what a guard is for ----


@pytest.mark.parametrize("action", [action.name for action in ACTIONS if action.jobs is not Jobs.ALLOWED])
@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("jobs", [("812",), None])
def test_no_action_that_can_end_a_job_is_done_where_one_may_live(
    action: str, when: When, jobs: tuple[str, ...] | None
) -> None:
    assert codes(scene(action, jobs=jobs), when)
    assert codes(scene(action, jobs=jobs, slurm=None), when)


@pytest.mark.parametrize("when", TIMES)
def test_a_drain_may_be_taken_back_while_jobs_go_on(when: When) -> None:
    now = scene("resume", slurm=DRAINING, jobs=("812",))
    assert codes(replace(now, first=now.look), when) == []
    hidden = replace(DRAINING, state="inval", base="UNKNOWN")
    assert "live-job" in codes(scene("resume", slurm=hidden, jobs=("812",)), when)


def test_what_hides_a_drain_is_none_to_be_drained() -> None:
    hides = SlurmNode("n1", "inval", "UNKNOWN", ("INVALID_REG",))
    assert codes(scene("drain", slurm=hides)) == ["wrong-state"]


@pytest.mark.parametrize("action", ["power-off", "power-cycle"])
def test_it_has_to_be_drained_when_it_is_sent_and_not_yet_when_it_is_pressed(action: str) -> None:
    down = SlurmNode("n1", "down*", "DOWN", ("NOT_RESPONDING",), reason="Not responding")
    now = scene(action, slurm=down)
    assert codes(now, When.PRESS) == []
    assert codes(replace(now, first=now.look), When.REREAD) == ["wrong-state"]
    ours = replace(down, flags=("DRAIN",), reason=OURS)
    drained = scene(action, slurm=ours, own_reason=OURS, first=now.look)
    assert codes(drained, When.REREAD) == []
    assert codes(replace(drained, own_reason=""), When.REREAD) == ["evidence-changed"]
    busy = scene(action, slurm=replace(ours, base="MIXED"), own_reason=OURS, first=now.look)
    assert codes(busy, When.REREAD) == ["wrong-state"]


@pytest.mark.parametrize(
    "change", [{"reason": "called Dell"}, {"reason_by": "kmf"}, {"reason_at": NOW}, {"reason": "", "flags": ()}]
)
def test_what_somebody_did_since_the_press_is_seen(change: dict[str, Any]) -> None:
    assert "evidence-changed" in codes(scene("power-cycle", slurm=replace(DRAINED, **change)), When.REREAD)


def test_power_that_came_back_by_itself_is_seen() -> None:
    assert "evidence-changed" in codes(scene("power-on", power="on"), When.REREAD)


def test_a_node_in_a_reservation_for_maintenance_is_left_alone() -> None:
    reserved = replace(DRAINED, flags=(*DRAINED.flags, "MAINTENANCE"))
    assert "wrong-state" in codes(scene("power-cycle", slurm=reserved))


@pytest.mark.parametrize("age_s", [-0.001, FRESH.total_seconds() + 0.001])
def test_what_is_old_or_from_a_time_to_come_counts_as_not_read(age_s: float) -> None:
    at = NOW - timedelta(seconds=age_s)
    assert {"slurm-unreadable", "jobs-unknown"} <= set(codes(scene("power-cycle", slurm_at=at)))
    assert codes(scene("power-cycle", power_at=at)) == ["wrong-state"]


def test_the_clock_matters_to_codes_and_to_all_that_is_hard() -> None:
    assert codes(scene("drain", clock="not synchronised", has_code=False)) == []
    assert codes(scene("drain", clock="not synchronised", has_code=None)) == ["clock"]
    assert codes(scene("power-on", clock="not synchronised", has_code=False)) == ["clock"]


def test_an_action_that_there_is_none_of_is_refused() -> None:
    found = refusals(replace(scene("drain"), action="ALL\n"), NOW, When.PRESS)
    assert [refusal.code for refusal in found] == ["not-allowed"]
    assert "\n" not in found[0].words


# ---- of all of them ----

ANYWHERE = ("off", "stopped", "ledger", "roles", "clock", "locked", "elsewhere")
BREAKS = (*ANYWHERE, "breaker", "slurm", "slurm_at")
HARD = (*BREAKS, "unseen", "storm", "jobs", "human_reason", "bmc", "other_bmc", "power", "power_at")
LOOKED_AT = {
    "identify": (*ANYWHERE, "bmc", "other_bmc"),
    "drain": BREAKS,
    "resume": (*BREAKS, "jobs", "human_reason", "bad", "power", "power_at"),
    "restart-slurmd": (*BREAKS, "jobs", "human_reason"),
    "power-on": HARD,
    "power-off": HARD,
    "power-cycle": HARD,
}
"""What each action needs to know."""

ONLY = {When.PRESS: ("evidence", "evidence_now"), When.REREAD: ()}


@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("action", NAMES)
def test_what_an_action_needs_to_know_and_is_not_known_permits_nothing(action: str, when: When) -> None:
    needs = {*LOOKED_AT[action], *ONLY[when]}
    if BY_NAME[action].weight is not Weight.HARMLESS:
        needs |= {"spent"} if when is When.PRESS else {"first"}
    every = {field.name for cls in (Scene, Look) for field in fields(cls)}
    every -= {"action", "node", "look", "own_reason", "has_code"}
    assert {name for name in every if refusals(scene(action, **{name: None}), NOW, when)} == needs


def _maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


LOOKS = st.builds(
    Look,
    slurm=_maybe(IDLE, DRAINED, DRAINING),
    jobs=_maybe((), ("812",)),
    slurm_at=_maybe(NOW, NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)),
    power=_maybe("on", "off"),
    power_at=_maybe(NOW, NOW - timedelta(minutes=1)),
    bmc=_maybe("", "it is another one"),
    bad=_maybe((), ("load",)),
)
WORDS = _maybe("", "in the way")
SCENES = st.builds(
    Scene,
    st.sampled_from([*NAMES, "reboot"]),
    st.just("n1"),
    LOOKS,
    **dict.fromkeys([*NOTHING, "human_reason"], WORDS),
    has_code=_maybe(True, False),
    evidence=_maybe("7f3a", "90c1"),
    evidence_now=_maybe("7f3a", "90c1"),
    first=st.none() | LOOKS,
    own_reason=st.sampled_from(["", OURS]),
)


@given(SCENES | st.sampled_from(NAMES).map(scene), st.sampled_from(TIMES), st.sets(st.sampled_from(GUARDS)))
def test_a_guard_more_never_permits_more(now: Scene, when: When, some: set[Any]) -> None:
    with_all = {refusal.guard for refusal in refusals(now, NOW, when)}
    with_some = {refusal.guard for refusal in refusals(now, NOW, when, tuple(some))}
    assert with_some <= with_all


@given(SCENES | st.sampled_from(NAMES).map(scene), st.sampled_from(TIMES), st.data())
def test_knowing_less_never_permits_more(now: Scene, when: When, data: st.DataObject) -> None:
    unknown = data.draw(st.sets(st.sampled_from([f.name for f in fields(Look)])))
    outer = data.draw(st.sets(st.sampled_from([*NOTHING, "human_reason", "evidence", "evidence_now", "first"])))
    less = replace(now, look=replace(now.look, **dict.fromkeys(unknown)), **dict.fromkeys(outer))
    if refusals(now, NOW, when):
        assert refusals(less, NOW, when)


def test_every_guard_that_an_action_names_is_in_the_table_and_every_one_is_had_by_an_action() -> None:
    named = {name for action in ACTIONS for name in action.guards}
    assert named == {guard.name for guard in GUARDS if not guard.weights}
    had = {guard.name for action in ACTIONS for when in TIMES for guard in guards_of(action, when)}
    assert had == {guard.name for guard in GUARDS}


def test_at_the_reread_all_guards_of_the_press_are_looked_at_but_what_the_press_itself_has_settled() -> None:
    for action in ACTIONS:
        press, reread = ({guard.name for guard in guards_of(action, when)} for when in TIMES)
        assert press - reread <= {"evidence", "cap"}
        assert reread - press <= {"same", "drained"}
