"""GET and POST /node/<name>/do/<action>: what is known of the node, what would be sent, and the form that presses."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import Response, request

from botd.access.policy import MayDocument, in_words
from botd.access.requests import new_nonce
from botd.acting.actions import BY_NAME, Weight
from botd.acting.guards import GUARDS, When, guards_of
from botd.acting.words import DONE, Told
from botd.board.outlook import NodeOutlookDocument
from botd.display.findings import verdict
from botd.documents import NodeDocument
from botd.errors import BotdError, NotFound, SameNonce, StoreDamaged, UnknownNode
from botd.nodeset import check_name
from botd.pages.actions import code_of
from botd.pages.base import render
from botd.pages.people import personal, redirected
from botd.web.actions import is_off
from botd.web.below import asked_url
from botd.web.forms import form_field
from botd.web.here import board, config
from botd.web.params import JsonQuery, PressForm, form, query
from botd.web.press import Wish, press
from botd.web.questions import patience, status_question
from botd.web.rights import outlooks, policy_of
from botd.web.who import Who, asker

LOOKS_AT = MappingProxyType({guard.name: guard.looks_at for guard in GUARDS})
"""What each guard looks at."""


def press_page(name: str, action: str) -> Response:
    """What is known of the node, what the action would send, what stands in its way, and the form."""
    query(JsonQuery)
    return _page(check_name(name), action)


def press_sent(name: str, action: str) -> Response:
    """Presses, and leads to the action; to this page again, with why, where the agent refuses."""
    node, given = check_name(name), form(PressForm)
    wish = Wish(action, {node: given.get("evidence", "")}, given.get("reason", ""), given.get("nonce", ""))
    try:
        done = press(wish, code_of(given.get("code", "")))
    except NotFound:
        raise
    except BotdError as error:
        return _page(node, action, error, given)
    return redirected("action_page", action=done["actions"][0]["id"])


def _page(name: str, action: str, error: BotdError | None = None, given: Mapping[str, Any] | None = None) -> Response:
    told, node, found = told_action(action), _node(name), asker()
    seen, typed = outlooks(found, [name])[name], given or {}
    nonce = "" if isinstance(error, SameNonce) else typed.get("nonce", "")
    page = render(
        "press.html",
        node=node,
        action=BY_NAME[action],
        told=told,
        sends=told.sends.format(node=name, login=found.login if found else "you"),
        dry=config().actions.mode == "dry-run",
        off=is_off(),
        asker=found,
        may=_may(found, name, action),
        seen=seen,
        bad=_bad(node),
        verdict=verdict(node["readings"], board().checks),
        stands=seen["stands"][action],
        caps=seen["caps"][action],
        looks=[guard.looks_at for guard in guards_of(BY_NAME[action], When.REREAD)],
        needs_code=BY_NAME[action].weight is Weight.HARD,
        command=f"bofhbot do {action} {shlex.quote(name)} --reason {shlex.quote(typed.get('reason') or '…')}",
        nonce=nonce or new_nonce(),
        reason=typed.get("reason", "")[:500],
        form=form_field(),
        error=error,
        back=asked_url(request),
        now=board().now(),
    )
    page.status_code = error.status if error else 200
    return personal(page)


def told_action(action: str) -> Told:
    """An action in words. Raises NotFound for what botd does not do."""
    if action not in DONE:
        raise NotFound(f'botd does no "{action[:40]}" yet; it does {", ".join(DONE)}')
    return DONE[action]


def _node(name: str) -> NodeDocument:
    """The node as it is known. Raises UnknownNode."""
    question = status_question({**patience({}), "nodes": name, "list_wait": 0.0})
    if question.nodes != (name,):
        raise UnknownNode(f'"{name[:60]}" is not the whole name of one node')
    return board().bodies.node_documents(board().answer(question, sweep_allowed=False))[0]


def _bad(node: NodeDocument) -> list[tuple[Any, Any]]:
    """The readings that are not well, with their checks."""
    checks = board().checks
    return [(checks[name], each) for name, each in node["readings"].items() if each["state"] not in ("ok", "skipped")]


def _may(found: Who | None, node: str, action: str) -> dict[str, Any]:
    """Whether the roles of who asks allow it: by which, in words, or why not."""
    if found is None:
        return {"may": False, "why": "", "roles": []}
    policy = policy_of(found, [node])
    verdict = policy["nodes"][node][action]
    roles = [(role["name"], in_words(role)) for role in policy["roles"] if role["name"] in verdict["roles"]]
    return {"may": verdict["may"], "why": verdict["why"], "roles": roles}


class Offer(NamedTuple):
    """What may be done to a node now; `advised` is what is recommended for it, `why` a few words why that may not be.

    `held` says the same at length. All three are empty where nothing is recommended that botd does.
    """

    may: tuple[str, ...]
    advised: str
    why: str
    held: str


def offers(found: Who | None, advised: Mapping[str, str | None]) -> dict[str, Offer]:
    """For each node, with what is recommended for it, what this person may do to it, as far as that is known here.

    None where what the agent has told was altered: no page may fail over that, and it is put right within seconds.
    """
    if found is None or is_off() or not advised:
        return {}
    try:
        may, seen = policy_of(found, advised)["nodes"], outlooks(found, advised, tuple(DONE))
    except StoreDamaged:
        return {}
    return {node: _offer(may[node], seen[node], action or "") for node, action in advised.items()}


def _offer(may: Mapping[str, MayDocument], seen: NodeOutlookDocument, advised: str) -> Offer:
    is_open = tuple(name for name in DONE if may[name]["may"] and not seen["stands"][name])
    if advised not in DONE:
        return Offer(is_open, "", "", "")
    if not may[advised]["may"]:
        return Offer(is_open, advised, "not by your roles", may[advised]["why"])
    stands = next(iter(seen["stands"][advised]), None)
    why = f"held back by {LOOKS_AT[stands['guard']]}" if stands else ""
    return Offer(is_open, advised, why, stands["words"] if stands else "")
