"""A desk that takes up actions, as far as a web process sees what the agent does: nothing is judged, nothing sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from botd.access import letters
from botd.access.letters import Letter
from botd.access.requests import digest, parse_request
from botd.acting.actions import WEIGHTS
from botd.acting.told import ActionDocument, SwitchesDocument
from botd.agent.people.desk import Desk
from botd.documents import iso
from botd.errors import BotdError, NotAllowed, ProofRefused
from tests.conftest import Site
from tests.office import Office

ACTING = ("act", "approve", "veto", "halt", "seen", "harm", "stop", "go-on", "close-breaker")

LINE = "[2026-11-23T20:16:54.211] error: Unable to register: Unable to contact slurm controller"

NOTHING: SwitchesDocument = {
    "mode": "on",
    "stop": "",
    "breaker": "",
    "storm": "",
    "clock": "",
    "ledger": "",
    "roles": "",
}


class Hand(Desk):
    """The desk with the letters of actions. `refusal` is what it refuses the next one with."""

    letters: list[Letter]
    refusal: BotdError | None = None
    actions: list[ActionDocument]

    def _handle(self, letter: Letter) -> dict[str, Any]:
        if letter.kind == "tail":
            return self._tail(letter)
        if letter.kind not in ACTING:
            return super()._handle(letter)
        self.letters.append(letter)
        if self.refusal:
            raise self.refusal
        return self._act(letter) if letter.kind == "act" else {}

    def _tail(self, letter: Letter) -> dict[str, Any]:
        """A log of two lines."""
        self.letters.append(letter)
        if self.refusal:
            raise self.refusal
        number = self._store.tails.begin(letter.says["node"], letter.says["log"], self._clock())
        self._store.tails.add(number, [LINE, "<b>bold</b>"], 3)
        self._store.tails.end(number, "the connection was lost")
        return {"tail": number}

    def _act(self, letter: Letter) -> dict[str, Any]:
        request = parse_request(letter.says["text"])
        there = [each for each in self.actions if each["nonce"].partition("/")[0] == request.nonce]
        if not there:
            login = self._login(letter)
            batch = request.nonce if len(request.nodes) > 1 else ""
            there = [self._take(request, node, login, batch) for node in request.nodes]
            return self._answer_with(there, batch, is_new=True)
        return self._answer_with(there, there[0]["batch"], is_new=False)

    def _login(self, letter: Letter) -> str:
        proof = letter.says["proof"]
        if "ssh" in proof:
            return str(proof["ssh"]["login"])
        holder = self._people.find(letter.token)
        if holder is None or holder.scope != "ask":
            raise NotAllowed("that token asks nothing")
        if proof.get("otp", "") not in ("", "123123"):
            raise ProofRefused("the code is wrong")
        return holder.login

    def _take(self, request: Any, node: str, login: str, batch: str) -> ActionDocument:
        made = action(len(self.actions) + 1, node, self._clock(), action=request.action, login=login)
        nonce = f"{request.nonce}/{node}" if batch else request.nonce
        made |= {"batch": batch, "reason": request.reason, "evidence": request.nodes[node], "nonce": nonce}
        made["moves"][0]["words"] = request.reason
        assert digest(request)
        self.actions.append(made)
        tell(self._store, made)
        return made

    def _answer_with(self, found: list[ActionDocument], batch: str, *, is_new: bool) -> dict[str, Any]:
        shown = [{"id": each["id"], "node": each["node"], "state": each["state"]} for each in found]
        return {"new": is_new, "batch": batch, "actions": shown}


def action(number: int, node: str, at: Any, **more: Any) -> ActionDocument:
    """An action as the agent tells it, asked for at this moment."""
    name, login = more.pop("action", "drain"), more.pop("login", "anna")
    first = {"source": None, "target": "requested", "by": login, "code": "", "words": "hangs again", "at": iso(at)}
    told: Any = {
        "id": number,
        "nonce": f"nonce-of-action-{number}",
        "batch": "",
        "action": name,
        "weight": str(WEIGHTS[name]),
        "node": node,
        "login": login,
        "reason": "hangs again",
        "evidence": "7f3a90c14be2",
        "proof": "otp",
        "dry": False,
        "state": "requested",
        "code": "",
        "words": "",
        "asked_at": iso(at),
        "changed_at": iso(at),
        "sent_at": None,
        "certain": None,
        "seen_by": "",
        "moves": [first],
    }
    return {**told, **more}


def moved(told: ActionDocument, state: str, *, words: str = "", code: str = "", by: str = "agent") -> ActionDocument:
    """The action after one more move, a moment later."""
    at = told["changed_at"][:-4] + f"{len(told['moves']):03d}Z"
    move: Any = {"source": told["state"], "target": state, "by": by, "code": code, "words": words, "at": at}
    return {**told, "state": state, "code": code, "words": words, "changed_at": at, "moves": [*told["moves"], move]}


def tell(store: Any, *told: ActionDocument) -> None:
    """Tells of actions, as the agent does."""
    store.copies.put("action", {f"{each['id']:012d}": each for each in told})


def tell_switches(store: Any, **more: str) -> None:
    """Tells what everything waits for."""
    store.copies.put("switches", {"now": {**NOTHING, **more}})


@dataclass
class Actor:
    """An office that takes up actions."""

    office: Office
    hand: Hand

    @property
    def site(self) -> Site:
        return self.office.site


def make_actor(site: Site, monkeypatch: pytest.MonkeyPatch, roles: str | None = None) -> Actor:
    """An office with a hand, that is still to be opened."""
    monkeypatch.setattr(letters, "KINDS", tuple(dict.fromkeys((*letters.KINDS, *ACTING))))
    office = Office(site, roles) if roles else Office(site)
    office.desk.__class__ = Hand
    hand: Any = office.desk
    hand.letters, hand.actions = [], []
    tell_switches(site.store)
    return Actor(office, hand)
