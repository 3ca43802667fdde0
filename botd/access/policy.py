"""What a person may do in general, and on given nodes: what `GET /api/v2/policy` and the page `/me` say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from botd.access.conditions import BY_NAME
from botd.access.judge import Person, rights_of, roles_of, why_in_doubt, why_never
from botd.access.places import Places
from botd.access.roles import Role, Roles
from botd.acting.actions import ACTIONS


class WhenDocument(TypedDict):
    """A condition of a role, and what it asks in words."""

    name: str
    asks: str


class RoleDocument(TypedDict):
    """A role as one who has it reads it. `proof` says which proofs each of its actions takes."""

    name: str
    actions: list[str]
    nodes: str
    not_nodes: str
    when: list[WhenDocument]
    per_hour: int | None
    per_day: int | None
    at_once: int | None
    proof: dict[str, list[str]]
    approve_by: str
    may: list[str]


class MayDocument(TypedDict):
    """Whether an action may be done to a node: by which `roles`, on their conditions, or why not."""

    may: bool
    roles: list[str]
    why: str


class PolicyDocument(TypedDict):
    """A person's roles, the rights in them that are no actions, and what may be done to the nodes asked for.

    `doubt` says why nothing may be done to any node, whatever the roles say; empty for nothing.
    """

    user: str
    rights: list[str]
    roles: list[RoleDocument]
    doubt: str
    nodes: dict[str, dict[str, MayDocument]]


def policy(roles: Roles, person: Person, nodes: Iterable[str], places: Places, fault: str = "") -> PolicyDocument:
    """The policy for a person. What conditions, proofs and caps will say at the press is not looked at.

    `fault` says why these roles are not those of the file.
    """
    doubt = fault or why_in_doubt(roles, places)
    return {
        "user": person.name,
        "rights": sorted(rights_of(roles, person)),
        "roles": [role_document(role) for role in roles_of(roles, person)],
        "doubt": doubt,
        "nodes": {node: _on_node(roles, person, node, places, doubt) for node in nodes},
    }


def role_document(role: Role) -> RoleDocument:
    """A role in JSON, with `*` written out."""
    actions = [action.name for action in ACTIONS if role.grants_action(action.name)]
    return {
        "name": role.name,
        "actions": actions,
        "nodes": role.nodes,
        "not_nodes": role.not_nodes,
        "when": [{"name": name, "asks": BY_NAME[name].asks} for name in role.when],
        "per_hour": role.per_hour,
        "per_day": role.per_day,
        "at_once": role.at_once,
        "proof": {action: list(role.proofs(action)) for action in actions},
        "approve_by": role.approve_by,
        "may": list(role.may),
    }


def in_words(role: RoleDocument) -> str:
    """A role as a sentence: `resume, power-cycle on savio2 but not savio2/n0000; when …; at most 5 in an hour`."""
    where = f" on {role['nodes']}" + (f" but not {role['not_nodes']}" if role["not_nodes"] else "")
    parts = [", ".join(role["actions"]) + where] if role["actions"] else []
    if role["when"]:
        parts.append("when " + ", and ".join(when["asks"] for when in role["when"]))
    limits = {"in an hour": role["per_hour"], "in a day": role["per_day"], "at once": role["at_once"]}
    parts += [f"at most {most} {per}" for per, most in limits.items() if most is not None]
    if role["approve_by"]:
        parts.append(f"when a second person agrees ({role['approve_by']})")
    return "; ".join(parts + ([f"beside actions: {', '.join(role['may'])}"] if role["may"] else []))


def _on_node(roles: Roles, person: Person, node: str, places: Places, doubt: str) -> dict[str, MayDocument]:
    closed = doubt or ("protected by the roles file" if places.protects(roles.protected, node) else "")
    return {action.name: _may(roles, person, action.name, node, places, closed) for action in ACTIONS}


def _may(roles: Roles, person: Person, action: str, node: str, places: Places, closed: str) -> MayDocument:
    why = {role.name: why_never(role, action, node, places) for role in roles_of(roles, person)}
    allowing = [] if closed else [name for name, never in why.items() if not never]
    told = closed or "; ".join(f"{name}: {never}" for name, never in why.items()) or "no role names you"
    return {"may": bool(allowing), "roles": allowing, "why": "" if allowing else told}
