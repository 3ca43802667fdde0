"""What the person who asks may do, by the agent's copy of the roles file: shown, and never decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from botd.access.judge import Person
from botd.access.letters import HolderDocument, RolesDocument, read_told
from botd.access.places import Places
from botd.access.policy import PolicyDocument, policy
from botd.access.roles import Roles, parse_roles
from botd.acting.actions import WEIGHTS
from botd.board.actions import read_spends, read_unsettled
from botd.board.outlook import NodeOutlookDocument, Prospect, outlook
from botd.errors import ConfigError, NotAllowed
from botd.web.actions import as_seen, told_switches
from botd.web.here import board, config, networks, store
from botd.web.who import Who, known

NOBODY = Person("")
"""Who is not logged in. No role names them."""


def policy_of(who: Who | None, nodes: Iterable[str] = ()) -> PolicyDocument:
    """What they may do in general, and to these nodes. Raises StoreUnavailable."""
    told = _told()
    places = Places(board().view().inventory, told["faults"])
    return policy(_roles(told["text"]), who.person if who else NOBODY, nodes, places, told["fault"])


def outlooks(
    found: Who | None, nodes: Iterable[str], names: Collection[str] = tuple(WEIGHTS)
) -> dict[str, NodeOutlookDocument]:
    """What would come of actions on these nodes, by who is logged in or by nobody. It names people to who is logged in.

    Raises StoreUnavailable.
    """
    prospect = prospect_of(found)
    return {node: outlook(prospect, node, names) for node in nodes}


def prospect_of(found: Who | None) -> Prospect:
    """All that an outlook for who is logged in, or for nobody, is made of. Raises StoreUnavailable."""
    here = store()
    return Prospect(
        view=board().view(),
        networks=networks(),
        roles=_roles(_told()["text"]),
        person=found.person if found else NOBODY,
        mode=config().actions.mode,
        switches=told_switches(),
        unsettled=list(map(as_seen, read_unsettled(here))),
        spent=read_spends(here),
        now=board().now(),
    )


def known_with(right: str) -> Who:
    """Who sent this request and has a right. Raises LoginRequired, NotAllowed, StoreUnavailable."""
    found = known()
    if right not in policy_of(found)["rights"]:
        raise NotAllowed(f'this takes the right "{right}", which no role gives {found.login}: see /me')
    return found


def holders_of(who: Who) -> list[HolderDocument]:
    """The sessions and tokens of who asks, the oldest first. Raises StoreUnavailable."""
    every = [read_told(HolderDocument, told) for told in store().copies.all("session").values()]
    return sorted((each for each in every if each["login"] == who.login), key=lambda each: (each["kind"], each["id"]))


def _told() -> RolesDocument:
    """The roles file as the agent has told it."""
    told = store().copies.get("roles", "file")
    if told is None:
        return {"text": "", "digest": "", "fault": "the agent has told of no roles yet", "faults": {}}
    return read_told(RolesDocument, told)


@lru_cache(maxsize=4)
def _roles(text: str) -> Roles:
    """The roles in a copy. One that cannot be read is forged or of another botd, and gives none."""
    try:
        return parse_roles(text)
    except ConfigError:
        return Roles()
