"""What the person who asks may do, by the agent's copy of the roles file: shown, and never decided here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from botd.access.letters import HolderDocument, RolesDocument
from botd.access.places import Places
from botd.access.policy import PolicyDocument, policy
from botd.access.roles import Roles, parse_roles
from botd.errors import ConfigError, NotAllowed
from botd.web.here import board, store
from botd.web.who import Who, known


def policy_of(who: Who, nodes: Iterable[str] = ()) -> PolicyDocument:
    """What they may do in general, and to these nodes. Raises StoreUnavailable."""
    told: RolesDocument | None = store().copies.get("roles", "file")
    roles, faults = (_roles(told["text"]), told["faults"]) if told else (Roles(), {})
    found = policy(roles, who.person, nodes, Places(board().view().inventory, faults))
    fault = told["fault"] if told else "the agent has told of no roles yet"
    return {**found, "doubt": fault or found["doubt"]}


def known_with(right: str) -> Who:
    """Who sent this request and has a right. Raises LoginRequired, NotAllowed, StoreUnavailable."""
    found = known()
    if right not in policy_of(found)["rights"]:
        raise NotAllowed(f'this takes the right "{right}", which no role gives {found.login}: see /me')
    return found


def holders_of(who: Who) -> list[HolderDocument]:
    """The sessions and tokens of who asks, the oldest first. Raises StoreUnavailable."""
    every: list[HolderDocument] = list(store().copies.all("session").values())
    return sorted((each for each in every if each["login"] == who.login), key=lambda each: (each["kind"], each["id"]))


@lru_cache(maxsize=4)
def _roles(text: str) -> Roles:
    """The roles in a copy. One that cannot be read is forged or of another botd, and gives none."""
    try:
        return parse_roles(text)
    except ConfigError:
        return Roles()
