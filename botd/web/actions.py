"""Actions as a request asks for them, and as who asks may see them.

That something was done to a node, and how it ended, is read by who reads. Who asked for it and what they wrote is for
who is logged in: a login and a reason are somebody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict

from flask import Response

from botd.acting.moves import TERMINAL, State
from botd.acting.told import ActionDocument, MoveDocument, SwitchesDocument
from botd.board.actions import PAGE, ActionsPage, Wanted, is_over, read_action, read_actions, read_switches
from botd.display.formats import Form
from botd.errors import BadRequest, LoginRequired, did_you_mean
from botd.web.here import board, config, store
from botd.web.params import page_of
from botd.web.questions import chosen_nodes, moment
from botd.web.replies import records_reply
from botd.web.who import who

COLUMNS = ("id", "asked_at", "node", "action", "state", "code", "login", "reason")

UNDER_WAY = "under-way"
"""Stands for every state that something leads out of."""

AGENT = "agent"
"""Who makes a move that no person makes, as the agent tells it."""


class ActionsHead(TypedDict):
    """A page of actions without them. `next` is the cursor of the page after this one."""

    count: int
    next: int | None


class ActionsDocument(ActionsHead):
    """Actions, newest first."""

    actions: list[ActionDocument]


class ActionEventDocument(MoveDocument):
    """A move of an action, `end` the one that nothing follows."""

    id: int
    event: Literal["move", "end"]


def asked_actions(args: Mapping[str, Any]) -> ActionsPage:
    """The actions in the parameters of a request. Raises BadRequest, UnknownNode, and LoginRequired for a person's."""
    if "login" in args and who() is None:
        raise LoginRequired("who asked for an action is told to who is logged in: POST /api/v2/login, or /login")
    page = read_actions(store(), _wanted(args), **{"limit": PAGE, **page_of(args)})
    return ActionsPage([as_seen(action) for action in page.actions], page.next)


def one_action(number: int) -> ActionDocument:
    """An action as who asks may see it. Raises UnknownAction."""
    return as_seen(read_action(store(), number))


def actions_reply(page: ActionsPage, form: Form) -> Response:
    """A page of actions in a form. It may name people: nobody keeps it."""
    head: ActionsHead = {"count": len(page.actions), "next": page.next}
    response = records_reply(form, head, "actions", page.actions, COLUMNS)
    response.headers["Cache-Control"] = "no-store"
    return response


def moves_of(action: ActionDocument, told: int) -> Iterator[ActionEventDocument]:
    """The moves of an action behind the first so many, as events."""
    for place, move in enumerate(action["moves"][told:], told + 1):
        is_last = place == len(action["moves"]) and is_over(action)
        yield {**move, "id": action["id"], "event": "end" if is_last else "move"}


def as_seen(action: ActionDocument) -> ActionDocument:
    """The action as who asks may see it."""
    return action if who() else unnamed(action)


def unnamed(action: ActionDocument) -> ActionDocument:
    """The action without who and in which words: the code of a refusal says what it was."""
    moves = [_unnamed_move(move) for move in action["moves"]]
    return {**action, "login": "", "reason": "", "words": "", "seen_by": "", "moves": moves}


def last_words(action: ActionDocument) -> str:
    """What was said last of an action, beside why it was asked for; empty where nothing was."""
    said = (move["words"] for move in reversed(action["moves"][1:]) if move["words"])
    return action["words"] or next(said, "")


def switches() -> SwitchesDocument:
    """What everything waits for, as who asks may see it. What no agent has told of is not known, and stands as that."""
    return told_switches() or _untold()


def told_switches() -> SwitchesDocument | None:
    """The same as the agent has told it; None where none has."""
    told = read_switches(store())
    if told is None or who():
        return told
    stop, breaker = told["stop"] and "somebody has stopped it", told["breaker"] and "it is open"
    return {**told, "stop": stop, "breaker": breaker}


def is_off() -> bool:
    """Whether this botd does not act."""
    return config().actions.mode == "off"


def _untold() -> SwitchesDocument:
    why = "no agent has told of it yet"
    known = dict.fromkeys(("stop", "breaker", "storm", "clock", "ledger", "roles"), why)
    return {"mode": config().actions.mode, **known}  # type: ignore[typeddict-item]


def _unnamed_move(move: MoveDocument) -> MoveDocument:
    return {**move, "by": AGENT if move["by"] == AGENT else "", "words": ""}


def _wanted(args: Mapping[str, Any]) -> Wanted:
    return Wanted(
        nodes=chosen_nodes({"nodes": args["node"]}) if args.get("node") else None,
        states=_states(args["state"]) if args.get("state") else None,
        since=moment("since", args["since"], board().now()) if args.get("since") else None,
        **{name: args[name] for name in ("login", "action", "batch") if args.get(name)},
    )


def _states(text: str) -> frozenset[str]:
    known = (*State, UNDER_WAY)
    found: set[str] = set()
    for word in filter(None, map(str.strip, text.split(","))):
        if word not in known:
            raise BadRequest(f'parameter "state": unknown "{word[:60]}"{did_you_mean(word, known)}')
        found |= frozenset(State) - TERMINAL if word == UNDER_WAY else {word}
    return frozenset(found)
