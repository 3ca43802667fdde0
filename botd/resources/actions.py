"""Actions: asked for, listed, followed, and what may be said to one that is under way."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

from flask import Response, request, url_for

from botd.acting.told import ActionDocument
from botd.board.actions import is_over, read_action
from botd.display.formats import MIME
from botd.errors import BadRequest
from botd.resources.base import BotdResource
from botd.resources.login import personal
from botd.store import Store
from botd.web.actions import (
    ActionEventDocument,
    ActionsDocument,
    actions_reply,
    asked_actions,
    moves_of,
    one_action,
    unnamed,
)
from botd.web.here import store
from botd.web.params import (
    ActionBody,
    ActionsQuery,
    EventsQuery,
    HaltBody,
    HarmBody,
    JsonQuery,
    NoBody,
    ProofBody,
    ReasonBody,
    RebootBody,
    RebootQuery,
    body,
    chosen_format,
    query,
)
from botd.web.press import PressDocument, Wish, approve, press, reboot_of, say
from botd.web.streams import FORMS as STREAMED
from botd.web.streams import POLL_S, stream
from botd.web.who import who

NONCE = "Idempotency-Key"

FOLLOWED_S = 3600.0
"""How long one stream follows an action: all its waits and its deadline are shorter."""


class ActionsResource(BotdResource):
    """GET and POST /api/v2/actions: what was done to nodes, and something more."""

    QUERY = ActionsQuery
    FORMS = tuple(MIME)
    SENT_WITH = JsonQuery
    BODY = ActionBody
    ANSWER = ActionsDocument
    TAKEN = PressDocument

    def get(self) -> Response:
        """Actions, newest first; who asked for them and why is told to who is logged in."""
        args = query(ActionsQuery)
        return actions_reply(asked_actions(args), chosen_format(args))

    def post(self) -> Response:
        """Asks for an action, on one node or on several, with a proof; the agent judges."""
        query(JsonQuery)
        given = body(ActionBody)
        wish = Wish(given["action"], _evidence(given), given.get("reason", ""), _nonce(given))
        return _taken(press(wish, given.get("proof"), given.get("text", "")))


class RebootResource(BotdResource):
    """POST /api/v2/reboot?h=NODE: the node boots."""

    QUERY = RebootQuery
    BODY = RebootBody
    ANSWER = PressDocument
    TAKEN = PressDocument

    def post(self) -> Response:
        """Asks for power-cycle where the power is on and power-on where it is off, as for an action; else nothing."""
        node, given = query(RebootQuery)["h"], body(RebootBody)
        nonce = _nonce(given)
        wish = Wish(reboot_of(node, nonce), {node: given["evidence"]}, given.get("reason", ""), nonce)
        return _taken(press(wish, given.get("proof"), given.get("text", "")))


class ActionResource(BotdResource):
    """GET /api/v2/actions/<id>: one action."""

    QUERY = JsonQuery
    ANSWER = ActionDocument

    def get(self, action: int) -> Response:
        """An action with every move of it."""
        query(JsonQuery)
        return personal(one_action(action))


class ActionEventsResource(BotdResource):
    """GET /api/v2/actions/<id>/events: an action as it goes on."""

    QUERY = EventsQuery
    FORMS = STREAMED
    ANSWER = ActionEventDocument

    def get(self, action: int) -> Response:
        """A `move` event for each move, those before too, and `end` with the last one."""
        form = query(EventsQuery).get("format", "sse")
        read_action(store(), action)
        here, named = store(), who() is not None
        return stream(lambda: _events(here, action, named=named), form, url_for("action", action=action))


class ApproveResource(BotdResource):
    """POST /api/v2/actions/<id>/approve: the second person."""

    QUERY = JsonQuery
    BODY = ProofBody
    ANSWER = str
    SAYS_NOTHING = True

    def post(self, action: int) -> Response:
        """Agrees to what another one has asked for, with a proof over the same."""
        query(JsonQuery)
        given = body(ProofBody)
        approve(action, given.get("proof"), given.get("text", ""))
        return Response(status=204)


class _SayResource(BotdResource):
    """What is said to an action that takes no proof."""

    QUERY = JsonQuery
    BODY: Any = NoBody
    ANSWER = str
    SAYS_NOTHING = True
    KIND = ""

    def _say(self, action: int) -> Response:
        query(JsonQuery)
        given = body(self.BODY) if request.content_length else {}
        say(self.KIND, {**given, "id": action})
        return Response(status=204)


class VetoResource(_SayResource):
    """POST /api/v2/actions/<id>/veto: it is not to be done."""

    KIND = "veto"

    def post(self, action: int) -> Response:
        """Says no to an action that waits for a second person."""
        return self._say(action)


class HaltResource(_SayResource):
    """POST /api/v2/actions/<id>/stop: it is not to be sent."""

    BODY = HaltBody
    KIND = "halt"

    def post(self, action: int) -> Response:
        """Ends an action that was not sent yet, or with `batch` all of its batch; for everybody who may log in."""
        return self._say(action)


class SeenResource(_SayResource):
    """POST /api/v2/actions/<id>/seen: somebody has looked."""

    BODY = ReasonBody
    KIND = "seen"

    def post(self, action: int) -> Response:
        """Says that somebody has looked what became of an action of which that is not known."""
        return self._say(action)


class HarmResource(_SayResource):
    """POST /api/v2/actions/<id>/harm: it did harm, or it was not it."""

    BODY = HarmBody
    KIND = "harm"

    def post(self, action: int) -> Response:
        """Says that an action did harm, or with `harm` false that what came after it was not its doing."""
        return self._say(action)


def _evidence(given: Mapping[str, Any]) -> Mapping[str, str]:
    """Each node with the evidence that was looked at. Raises BadRequest for anything else."""
    node, nodes, evidence = (given.get(name) for name in ("node", "nodes", "evidence"))
    if (node is None) is (nodes is None):
        raise BadRequest('say "node" for one node, or "nodes" for several')
    if node is not None:
        nodes, evidence = None, {node: evidence}
    elif evidence is None:
        evidence, nodes = nodes, None
    if not isinstance(evidence, dict) or not all(isinstance(each, str) for each in evidence.values()):
        raise BadRequest('"evidence" is missing: what was looked at, as GET /api/v2/policy gives it for each node')
    if nodes is not None and not (isinstance(nodes, list) and set(map(str, nodes)) == set(evidence)):
        raise BadRequest('"evidence" must be an object that has the same nodes as "nodes", and no other')
    return evidence


def _nonce(given: Mapping[str, Any]) -> str:
    """The nonce of a request. Raises BadRequest where it is said twice, and differently."""
    said = [each for each in (given.get("nonce"), request.headers.get(NONCE)) if each]
    if len(set(said)) > 1:
        raise BadRequest(f'"nonce" and {NONCE} are the same thing: give one of them')
    return said[0] if said else ""


def _taken(done: PressDocument) -> Response:
    response = personal(done, 202 if done["new"] and not done["would_have"] else 200)
    response.headers["Location"] = _place(done)
    return response


def _place(done: PressDocument) -> str:
    if done["batch"]:
        return url_for("actions", batch=done["batch"])
    return url_for("action", action=done["actions"][0]["id"])


def _events(here: Store, number: int, *, named: bool) -> Generator[ActionEventDocument]:
    until, told = time.monotonic() + FOLLOWED_S, 0
    while time.monotonic() < until:
        action = read_action(here, number)
        yield from moves_of(action if named else unnamed(action), told)
        told = len(action["moves"])
        if is_over(action):
            return
        time.sleep(POLL_S)
