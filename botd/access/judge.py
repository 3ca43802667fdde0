"""Whether a person may do something to a node: each role is tried as a whole, and the answer says which one allows it.

What is protected, and what cannot be told to be protected or not, is looked at last: no role passes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from botd.access.conditions import BY_NAME, Situation
from botd.access.places import Doubt, Places
from botd.access.roles import Role, Roles
from botd.access.windows import why_shut
from botd.acting.actions import WEIGHTS, Weight


@dataclass(frozen=True)
class Person:
    """Who asks. `roles` are those that the agent's own record gives, beside those of the file."""

    name: str
    unix_groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Spent:
    """What was done under a role by this person: how much is gone of `per_hour`, `per_day` and `at_once`."""

    hour: int = 0
    day: int = 0
    now: int = 0


@dataclass(frozen=True)
class Press:
    """What is asked for, of what is known at that moment. `proof` vouches for it, None where that comes later."""

    action: str
    node: str
    at: datetime
    situation: Situation = field(default_factory=Situation)
    proof: frozenset[str] | None = None
    spent: Mapping[str, Spent] = field(default_factory=dict)


class Answer(StrEnum):
    """The end of a judgement. All but `yes` are codes of errors."""

    YES = "yes"
    NOT_ALLOWED = "not-allowed"
    PROTECTED = "protected"
    IN_DOUBT = "roles-unreadable"


@dataclass(frozen=True)
class Verdict:
    """The answer, the role that allows, and the first condition that failed in each of the others, by role."""

    answer: Answer
    words: str
    role: Role | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_yes(self) -> bool:
        """Whether it may be done."""
        return self.answer is Answer.YES


def judge(roles: Roles, person: Person, press: Press, places: Places) -> Verdict:
    """Whether this person may do this to this node now."""
    failed: dict[str, str] = {}
    window = why_shut(roles.windows, press.at)
    asked = replace(press, situation=replace(press.situation, window=window))
    for role in roles_of(roles, person):
        if why := _why_not(role, asked, places):
            failed[role.name] = why
        else:
            return _unless_protected(roles, press, places, Verdict(Answer.YES, f"as {role.name}", role, failed))
    told = "; ".join(f"{name}: {why}" for name, why in failed.items()) or "no role of the roles file names you"
    return Verdict(Answer.NOT_ALLOWED, f"{person.name} may not {press.action} {press.node}: {told}", None, failed)


def roles_of(roles: Roles, person: Person) -> tuple[Role, ...]:
    """The roles that a person has, in the order of the file."""
    return tuple(role for role in roles.roles if _has(person, role))


def rights_of(roles: Roles, person: Person) -> frozenset[str]:
    """What a person may do that is no action: see `RIGHTS`."""
    return frozenset(right for role in roles_of(roles, person) for right in role.may)


def may_approve(roles: Roles, role: Role, requester: str, person: Person) -> bool:
    """Whether a person may be the second one for what the requester asked under a role: has its right or role."""
    named = {*rights_of(roles, person), *(each.name for each in roles_of(roles, person))}
    return bool(role.approve_by) and role.approve_by in named and person.name != requester


def why_in_doubt(roles: Roles, places: Places) -> str:
    """Why nobody may act at all: a group in [protected] is not there, empty or not believed. Empty where none is."""
    try:
        places.protects(roles.protected, "")
    except Doubt as doubt:
        return f"[protected] in the roles file: {doubt}, so that nothing is done to any node; mend the group"
    return ""


def suffices(role: Role, action: str, proof: Collection[str]) -> bool:
    """Whether a proof is one that a role takes for an action.

    munge alone is none for a hard one: its key lies on every compute node, whose root can be anybody with it.
    """
    taken = set(role.proofs(action))
    if WEIGHTS.get(action, Weight.HARD) is Weight.HARD and "munge" in proof and "ssh" not in proof:
        return "otp" in proof and not taken.isdisjoint(proof)
    return not taken.isdisjoint(proof)


def _has(person: Person, role: Role) -> bool:
    return person.name in role.users or not person.unix_groups.isdisjoint(role.unix_groups) or role.name in person.roles


def _why_not(role: Role, press: Press, places: Places) -> str:
    """The first condition of a role that fails; empty where none does."""
    return next((why for why in _objections(role, press, places) if why), "")


def _objections(role: Role, press: Press, places: Places) -> Iterable[str]:
    yield why_never(role, press.action, press.node, places)
    for name in role.when:
        why = BY_NAME[name].fails(press.situation, press.action)
        yield f"{name}: {why}" if why else ""
    if press.proof is not None and not suffices(role, press.action, press.proof):
        yield f"it asks for a proof by {' or '.join(role.proofs(press.action))}"
    yield _why_spent(role, press.spent.get(role.name, Spent()))


def why_never(role: Role, action: str, node: str, places: Places) -> str:
    """Why a role does not allow an action on a node, whatever the moment; empty where it may."""
    if not role.grants_action(action):
        return f"it allows {', '.join(role.actions) or 'no action'}"
    if not places.inventory.is_known(node):
        return "there is no such node"
    if not places.grants(role.nodes, node):
        return f"it is for {role.nodes}"
    try:
        return f"it is not for {role.not_nodes}" if places.excludes(role.not_nodes, node) else ""
    except Doubt as doubt:
        return f"its not_nodes cannot be told: {doubt}"


def _why_spent(role: Role, spent: Spent) -> str:
    limits = (
        (role.per_hour, spent.hour, "in an hour"),
        (role.per_day, spent.day, "in a day"),
        (role.at_once, spent.now, "at once"),
    )
    gone = ((most, per) for most, used, per in limits if most is not None and used >= most)
    return next((f"{most} {per}, which are used up" for most, per in gone), "")


def _unless_protected(roles: Roles, press: Press, places: Places, verdict: Verdict) -> Verdict:
    if why := why_in_doubt(roles, places):
        return replace(verdict, answer=Answer.IN_DOUBT, words=why, role=None)
    if places.protects(roles.protected, press.node):
        words = f"{press.node} is protected by the roles file ({roles.protected}): nobody acts on it through botd"
        return replace(verdict, answer=Answer.PROTECTED, words=words, role=None)
    return verdict
