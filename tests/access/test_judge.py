"""Who may do what: a role is tried as a whole, the answer says by which one, and nothing passes what is protected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.access.conditions import BY_NAME, CONDITIONS, Situation
from botd.access.judge import (
    Answer,
    Person,
    Press,
    Spent,
    Verdict,
    judge,
    may_approve,
    rights_of,
    suffices,
    why_in_doubt,
)
from botd.access.places import Places
from botd.access.policy import in_words, policy
from botd.access.roles import PROOFS, RIGHTS, Role, Roles, parse_roles
from botd.access.windows import Window
from botd.acting.actions import ACTIONS, WEIGHTS, Weight
from botd.errors import ConfigError
from tests.access.places import NODES, NOW, PLACES, SAVIO2, SAVIO3
from tests.access.test_roles import SAMPLE

SAMPLE_TEXT = SAMPLE.read_text(encoding="utf-8")
ANNA = Person("anna", frozenset({"anna"}))
KMF = Person("kmf")
WELL = Situation(
    out_of_service=True,
    silent=True,
    power="off",
    human_reason="",
    reason_is_ours=True,
    recommended="power-cycle",
    confident={"power-cycle": True, "resume": False},
    seen_age_s=60.0,
    users=(),
    repeated=False,
    window="",
)
"""Fulfils every condition."""

STUDENT = Role("student", users=("anna",), actions=("drain",), nodes="savio2")
REPAIR = Role(
    "repair",
    users=("anna",),
    actions=("power-cycle",),
    nodes="savio2",
    not_nodes="n0003",
    when=("out-of-service", "no-users"),
    per_hour=2,
)
ADMIN = Role("admin", users=("kmf",), actions=("*",), nodes="all", may=("approve", "people"))


def ask(
    action: str, node: str, *roles: Role, who: Person = ANNA, places: Places = PLACES, protected: str = "", **more: Any
) -> Verdict:
    press = Press(action, node, NOW, **{"situation": WELL, **more})
    return judge(Roles(roles, protected=protected), who, press, places)


def test_the_answer_names_the_role_that_allows() -> None:
    assert ask("drain", SAVIO2[0], REPAIR, STUDENT).role == STUDENT
    assert ask("power-cycle", SAVIO2[0], STUDENT, REPAIR).role == REPAIR
    assert ask("resume", "mgmt", STUDENT, ADMIN, who=KMF).role == ADMIN


@pytest.mark.parametrize(
    ("action", "node", "more", "why"),
    [
        ("resume", SAVIO2[0], {}, "it allows power-cycle"),
        ("power-cycle", SAVIO3[2], {}, "it is for savio2"),
        ("power-cycle", SAVIO2[3], {}, "it is not for n0003"),
        ("power-cycle", "n7777.savio2", {}, "there is no such node"),
        ("power-cycle", SAVIO2[0], {"situation": Situation()}, "out-of-service: it is not known"),
        ("power-cycle", SAVIO2[0], {"situation": replace(WELL, users=("eve",))}, "no-users: eve is on it"),
        ("power-cycle", SAVIO2[0], {"proof": frozenset({"munge"})}, "it asks for a proof by otp or ssh"),
        ("power-cycle", SAVIO2[0], {"spent": {"repair": Spent(hour=2)}}, "2 in an hour, which are used up"),
    ],
)
def test_the_answer_names_the_first_condition_that_failed(
    action: str, node: str, more: dict[str, Any], why: str
) -> None:
    verdict = ask(action, node, REPAIR, **more)
    assert verdict.answer is Answer.NOT_ALLOWED
    assert verdict.failed["repair"].startswith(why)
    assert f"repair: {why}" in verdict.words


def test_who_has_no_role_is_told_so() -> None:
    assert (
        ask("drain", SAVIO2[0], ADMIN).words == "anna may not drain n0000.savio2: no role of the roles file names you"
    )


@pytest.mark.parametrize(
    "person",
    [Person("anna"), Person("bob", frozenset({"hpc-students"})), Person("eve", roles=frozenset({"student"}))],
)
def test_a_role_is_had_by_name_by_group_or_by_the_agents_record(person: Person) -> None:
    role = replace(STUDENT, unix_groups=("hpc-students",))
    assert ask("drain", SAVIO2[0], role, who=person).is_yes
    assert not ask("drain", SAVIO2[0], role, who=Person("other", frozenset({"anna"}))).is_yes


def test_not_nodes_in_doubt_takes_the_whole_role_away() -> None:
    verdict = ask("power-cycle", SAVIO2[0], replace(REPAIR, not_nodes="@nowhere"))
    assert "its not_nodes cannot be told" in verdict.failed["repair"]


@pytest.mark.parametrize("protected", ["mgmt", "m*", "login00,mgmt"])
def test_no_role_passes_what_is_protected(protected: str) -> None:
    assert ask("identify", "mgmt", ADMIN, who=KMF).is_yes
    assert ask("identify", "mgmt", ADMIN, who=KMF, protected=protected).answer is Answer.PROTECTED
    assert ask("identify", SAVIO2[0], ADMIN, who=KMF, protected=protected).is_yes


def test_a_protected_group_in_doubt_stops_everything_everywhere() -> None:
    for places, group in ((PLACES, "@nowhere"), (PLACES, "@empty"), (replace(PLACES, faults={"rack1": "x"}), "@rack1")):
        verdict = ask("identify", SAVIO2[0], ADMIN, who=KMF, places=places, protected=group)
        assert verdict.answer is Answer.IN_DOUBT
        assert "mend the group" in why_in_doubt(Roles(protected=group), places)
    assert why_in_doubt(Roles(protected="@rack1,ghost*,n9999"), PLACES) == ""


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_what_is_not_known_fulfils_no_condition(condition: Any) -> None:
    assert condition.fails(Situation(), "power-cycle")
    assert condition.fails(WELL, "power-cycle") == ""


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("out-of-service", {"out_of_service": False}),
        ("silent", {"silent": False}),
        ("powered-off", {"power": "on"}),
        ("reason-not-human", {"human_reason": "RMA open -jd"}),
        ("reason-is-ours", {"reason_is_ours": False}),
        ("recommended", {"recommended": "wait"}),
        ("confident", {"confident": {"power-cycle": False}}),
        ("confident", {"confident": {"resume": True}}),
        ("seen-within-10min", {"seen_age_s": 601.0}),
        ("seen-within-10min", {"seen_age_s": -1.0}),
        ("no-users", {"users": ("eve",)}),
        ("not-repeated", {"repeated": True}),
        ("in-window", {"window": "only fri"}),
    ],
)
def test_a_condition_that_is_not_fulfilled_says_why(name: str, change: dict[str, Any]) -> None:
    assert BY_NAME[name].fails(replace(WELL, **change), "power-cycle")


def test_why_another_action_is_recommended_is_said_where_it_is_known() -> None:
    now = replace(WELL, recommended="person", cut={"power-cycle": "power-cycle 7 failed"})
    assert BY_NAME["recommended"].fails(now, "power-cycle") == "recommended is person: power-cycle 7 failed"
    assert BY_NAME["recommended"].fails(now, "resume") == "recommended is person"


def test_the_windows_of_the_file_decide_and_nobody_who_asks() -> None:
    role = replace(STUDENT, when=("in-window",))
    press = Press("drain", SAVIO2[0], NOW, replace(WELL, window=""))
    shut = Roles((role,), (Window(("fri",)),))
    assert judge(shut, ANNA, press, PLACES).failed["student"] == "in-window: only fri from 00:00 to 00:00 UTC"
    assert judge(replace(shut, windows=(Window(("thu",)),)), ANNA, press, PLACES).is_yes


@pytest.mark.parametrize(
    ("proof", "action", "used", "is_enough"),
    [
        ((), "drain", {"munge"}, True),
        ((), "power-cycle", {"munge"}, False),
        ((), "power-cycle", {"munge", "otp"}, True),
        ((), "power-cycle", {"ssh"}, True),
        (("munge",), "power-cycle", {"munge"}, False),
        (("munge",), "power-cycle", {"munge", "otp"}, True),
        (("ssh",), "drain", {"otp"}, False),
        (("ssh",), "power-cycle", {"munge", "otp"}, False),
        ((), "drain", set(), False),
    ],
)
def test_a_proof_suffices(proof: tuple[str, ...], action: str, used: set[str], is_enough: bool) -> None:
    assert suffices(replace(ADMIN, proof=proof), action, used) is is_enough


def test_who_asked_is_never_the_second_person() -> None:
    roles = Roles((replace(REPAIR, approve_by="approve"), ADMIN))
    assert may_approve(roles, roles.roles[0], "anna", KMF)
    assert not may_approve(roles, roles.roles[0], "kmf", KMF)
    assert not may_approve(roles, roles.roles[0], "kmf", ANNA)
    assert not may_approve(roles, REPAIR, "anna", KMF)  # nobody is asked for
    assert may_approve(roles, replace(REPAIR, approve_by="repair"), "kmf", ANNA)


def test_rights_are_those_of_all_roles() -> None:
    assert rights_of(Roles((ADMIN, STUDENT)), KMF) == {"approve", "people"}
    assert rights_of(Roles((ADMIN, STUDENT)), ANNA) == frozenset()


def test_the_policy_says_what_may_be_done_to_which_node() -> None:
    roles = Roles((STUDENT, REPAIR), protected="n0001")
    told = policy(roles, ANNA, (SAVIO2[0], SAVIO2[1], SAVIO2[3]), PLACES)
    assert told["nodes"][SAVIO2[0]]["power-cycle"] == {"may": True, "roles": ["repair"], "why": ""}
    assert told["nodes"][SAVIO2[1]]["drain"] == {"may": False, "roles": [], "why": "protected by the roles file"}
    refused = {"may": False, "roles": [], "why": "student: it allows drain; repair: it is not for n0003"}
    assert told["nodes"][SAVIO2[3]]["power-cycle"] == refused
    assert in_words(told["roles"][1]) == (
        "power-cycle on savio2 but not n0003; when Slurm has it down, drained or failing, and nobody has processes or "
        "logins on it; at most 2 in an hour"
    )


# ---- whatever stands in the file ----

WORDS = st.sampled_from
ROLES = st.builds(
    Role,
    name=WORDS(["a", "b", "c", "d"]),
    users=st.lists(WORDS(["anna", "kmf"]), max_size=2).map(tuple),
    unix_groups=st.lists(WORDS(["hpc", "anna"]), max_size=1).map(tuple),
    actions=st.lists(WORDS(["*", *WEIGHTS]), max_size=3).map(tuple),
    nodes=WORDS(["all", "savio2", "@savio3", "n0002", "rack1/savio2", "@nowhere", "fs*"]),
    not_nodes=WORDS(["", "n0000", "@rack1", "@nowhere", "n*"]),
    when=st.lists(WORDS(sorted(BY_NAME)), max_size=2).map(tuple),
    per_hour=st.none() | st.integers(0, 3),
    proof=st.lists(WORDS(PROOFS), max_size=2).map(tuple),
    may=st.lists(WORDS(RIGHTS), max_size=2).map(tuple),
)
FILES = st.builds(Roles, st.lists(ROLES, max_size=4).map(tuple), protected=WORDS(["", "n0001", "fs*", "@rack1"]))
SITUATIONS = st.builds(
    Situation,
    out_of_service=st.none() | st.booleans(),
    silent=st.none() | st.booleans(),
    power=WORDS([None, "on", "off"]),
    human_reason=WORDS([None, "", "RMA"]),
    recommended=WORDS([None, "drain", "power-cycle"]),
    users=WORDS([None, (), ("eve",)]),
)
PRESSES = st.builds(
    Press,
    action=WORDS([action.name for action in ACTIONS]),
    node=WORDS([*NODES, "ghost"]),
    at=st.just(NOW),
    situation=SITUATIONS,
    proof=st.none() | st.frozensets(WORDS(PROOFS)),
    spent=st.dictionaries(WORDS(["a", "b"]), st.builds(Spent, hour=st.integers(0, 4))),
)
PEOPLE = st.builds(Person, WORDS(["anna", "kmf", "eve"]), st.frozensets(WORDS(["hpc"])))


@given(FILES, ROLES, st.integers(0, 4), PEOPLE, PRESSES)
def test_a_role_more_never_takes_a_right_away(
    file: Roles, more: Role, place: int, person: Person, press: Press
) -> None:
    # A role of a name of its own, as a file that is read has it.
    wider = replace(file, roles=(*file.roles[:place], replace(more, name="new"), *file.roles[place:]))
    assert judge(wider, person, press, PLACES).is_yes >= judge(file, person, press, PLACES).is_yes
    assert rights_of(wider, person) >= rights_of(file, person)


@given(FILES, PEOPLE, PRESSES, WORDS(["n000?", "*", "login00", "@rack1", "@nowhere"]))
def test_what_is_protected_wins_over_every_role(file: Roles, person: Person, press: Press, protected: str) -> None:
    strict = judge(replace(file, protected=protected), person, press, PLACES)
    if protected == "@nowhere" or PLACES.protects(protected, press.node):
        assert not strict.is_yes
    assert strict.is_yes <= judge(replace(file, protected=""), person, press, PLACES).is_yes


@given(FILES, PEOPLE, PRESSES)
def test_a_hard_action_never_passes_by_munge_alone(file: Roles, person: Person, press: Press) -> None:
    verdict = judge(file, person, replace(press, proof=frozenset({"munge"})), PLACES)
    assert not (verdict.is_yes and WEIGHTS[press.action] is Weight.HARD)


@given(st.integers(0, len(SAMPLE_TEXT) - 1), st.characters())
def test_a_file_with_a_slip_is_no_way_in_for_a_stranger(at: int, slip: str) -> None:
    try:
        roles = parse_roles(SAMPLE_TEXT[:at] + slip + SAMPLE_TEXT[at + 1 :])
    except ConfigError:
        return
    for action in WEIGHTS:
        assert not judge(roles, Person("stranger"), Press(action, SAVIO2[0], NOW, WELL), PLACES).is_yes
