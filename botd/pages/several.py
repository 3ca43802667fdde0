"""GET and POST /do/<action>: the nodes of a family, a box for each that may have it done, one code and one button."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flask import Response, request

from botd.access.requests import new_nonce
from botd.acting.actions import BY_NAME, WEIGHTS, Weight
from botd.acting.guards import When, guards_of
from botd.acting.words import DONE
from botd.board.outlook import places
from botd.display.round import RoundDocument, RoundNodeDocument
from botd.errors import BadRequest, BotdError, NotFound, SameNonce, StoreDamaged
from botd.nodeset import fold
from botd.pages.actions import code_of
from botd.pages.base import render
from botd.pages.people import personal, redirected
from botd.pages.press import Offer, offers, told_action
from botd.web.actions import is_off
from botd.web.below import asked_url
from botd.web.forms import form_field
from botd.web.here import config
from botd.web.params import SeveralForm, SeveralQuery, form, query
from botd.web.press import Wish, press
from botd.web.rights import outlooks, prospect_of
from botd.web.rounds import asked_round
from botd.web.who import Who, asker

LISTED = 300
"""Nodes that the page lists: what may be done is worked out for each."""


class Together(NamedTuple):
    """What may be done to `number` of `of` nodes of a family at once; `why` a few words why nothing may, else empty."""

    action: str
    number: int
    of: int
    why: str


class Listed(NamedTuple):
    """A node of the list: `evidence` where it has a box, else `why` not in a few words, and `held` at length."""

    node: RoundNodeDocument
    evidence: str
    why: str
    held: str
    is_picked: bool


# ---- in the round ----


def together(
    nodes: Iterable[RoundNodeDocument], offered: Mapping[str, Offer], free: Mapping[str, int]
) -> list[Together]:
    """What may be done to several of these nodes at once, or why it may not; nothing where nobody is to be told.

    `free` says for each action on how many nodes it may be asked for together.
    """
    wanted = [offered[node["node"]] for node in nodes if node["node"] in offered]
    by_action = {name: [each for each in wanted if each.advised == name] for name in DONE}
    return [_together(name, found, free[name]) for name, found in by_action.items() if len(found) > 1]


def _together(action: str, found: Sequence[Offer], free: int) -> Together:
    count = sum(not each.why for each in found)
    if count > 1 and free < 2:
        return Together(action, 0, len(found), "one at a time" if free else "no place is free for it")
    whys = Counter(each.why for each in found if each.why)
    return Together(action, min(count, free), len(found), whys.most_common(1)[0][0] if not count else "")


def free_places(found: Who | None) -> dict[str, int]:
    """For each action that is done, on how many nodes it may be asked for together; none where that cannot be told."""
    if found is None or is_off():
        return dict.fromkeys(DONE, 0)
    try:
        prospect = prospect_of(found)
    except StoreDamaged:
        return dict.fromkeys(DONE, 0)
    return {name: places(prospect, name) for name in DONE}


# ---- the page ----


def several_page(action: str) -> Response:
    """The chosen nodes of the round for which an action is recommended, and the form that presses for all of them."""
    return _page(action, query(SeveralQuery))


def several_sent(action: str) -> Response:
    """Presses, and leads to what comes of it; to this page again, with why, where the agent refuses all of it."""
    args, given = query(SeveralQuery), form(SeveralForm)
    try:
        wish = Wish(action, _picked(given.get("pick", [])), given.get("reason", ""), given.get("nonce", ""))
        done = press(wish, code_of(given.get("code", "")))
    except NotFound:
        raise
    except BotdError as error:
        return _page(action, args, error, given)
    if done["batch"]:
        return redirected("actions_page", batch=done["batch"])
    return redirected("action_page", action=done["actions"][0]["id"])


def _picked(boxes: Sequence[str]) -> dict[str, str]:
    """The nodes whose boxes are ticked, each with its evidence. Raises BadRequest."""
    if not boxes:
        raise BadRequest("no node is ticked: tick those that are meant")
    found = [box.partition(" ") for box in boxes]
    if not all(evidence for _, _, evidence in found):
        raise BadRequest("the form does not say which nodes are meant: load its page again")
    return {node: evidence for node, _, evidence in found}


def _page(
    action: str, args: Mapping[str, Any], error: BotdError | None = None, given: Mapping[str, Any] | None = None
) -> Response:
    told, found, typed = told_action(action), asker(), given or {}
    free = free_places(found)[action]
    picked = frozenset(_picked(typed["pick"])) if typed.get("pick") and not isinstance(error, BadRequest) else None
    families, every = _families(asked_round(args)[1])
    listed = list(_listed(every[:LISTED], action, found, free, picked))
    may = [each.node["node"] for each in listed if each.evidence]
    nonce = "" if isinstance(error, SameNonce) else typed.get("nonce", "")
    page = render(
        "several.html",
        action=BY_NAME[action],
        told=told,
        families=families,
        listed=listed,
        more=len(every) - len(listed),
        may=may,
        free=free,
        is_hard=WEIGHTS[action] is Weight.HARD,
        sends=told.sends.format(node="each node", login=found.login if found else "you"),
        looks=[guard.looks_at for guard in guards_of(BY_NAME[action], When.REREAD)],
        dry=config().actions.mode == "dry-run",
        off=is_off(),
        asker=found,
        command=f"bofhbot do {action} {shlex.quote(fold(may))} --reason {shlex.quote(typed.get('reason') or '…')}",
        nonce=nonce or new_nonce(),
        reason=typed.get("reason", "")[:500],
        form=form_field(),
        error=error,
        back=asked_url(request),
    )
    page.status_code = error.status if error else 200
    return personal(page)


def _families(document: RoundDocument) -> tuple[list[str], list[RoundNodeDocument]]:
    """The titles of the families that are nobody's already, and their nodes."""
    mine = [family for family in document["families"] if not family["aside"]]
    return [family["title"] for family in mine], [node for family in mine for node in family["nodes"]]


def _listed(
    nodes: Sequence[RoundNodeDocument], action: str, found: Who | None, free: int, picked: Collection[str] | None
) -> Iterator[Listed]:
    """Each node with its box, as many ticked as may be done together; those that were ticked where some were."""
    meant = {node["node"]: node["action"] for node in nodes if node["action"] == action}
    offered, seen = offers(found, meant), outlooks(found, meant, (action,)) if found else {}
    left = free
    for node in nodes:
        name = node["node"]
        offer = offered.get(name)
        if name not in meant:
            other = f"{node['action']} is recommended" if node["action"] else "no action is recommended"
            yield Listed(node, "", other, "", is_picked=False)
        elif offer is None or offer.why:
            yield Listed(node, "", offer.why if offer else "", offer.held if offer else "", is_picked=False)
        else:
            is_picked = left > 0 if picked is None else name in picked
            left -= 1
            yield Listed(node, seen[name]["evidence"], "", "", is_picked)
