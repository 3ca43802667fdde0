"""A press: somebody asks for an action on nodes. It is proved, judged on a fresh look, and becomes one action for each
node, or is refused and changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botd.access.judge import Verdict
from botd.access.letters import Letter, said
from botd.access.requests import MAX_TEXT, ActionRequest, Member, RequestError, digest, parse_request
from botd.acting.actions import BY_NAME, Action, Weight
from botd.acting.guards import Look, Refusal, When
from botd.acting.halts import Mode, why_off
from botd.acting.moves import BY_ENDS, State
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Kit, Refused, Subject
from botd.agent.actions.proving import Proving
from botd.agent.actions.ways import why_cannot
from botd.agent.judging import row_of
from botd.agent.people.holders import Holder
from botd.agent.people.proofs import Vouched
from botd.audit import Event
from botd.errors import BotdError, SameNonce
from botd.ledger import Transaction
from botd.ledger.actions import NOTHING, Asked, Said, Stored


class Presses:
    """Takes presses. Used from any thread; presses under one nonce wait for each other."""

    def __init__(self, kit: Kit, judge: Judge, proving: Proving, taken: Callable[[int, Look], None]) -> None:
        """`taken` is called with each new action and the look of its press."""
        self._kit = kit
        self._judge = judge
        self._proving = proving
        self._taken = taken
        self._nonces = set[str]()
        self._changed = threading.Condition()

    def act(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """The actions that a letter asks for, new or there already. Raises BotdError, ValueError."""
        if why := why_off(self._kit.config.actions.mode, is_dry=True):
            raise Refused("actions-off", f"[actions] mode: {why}; set it to dry-run or on")
        with self._alone(_nonce_of(letter)):
            vouched = self._proving.vouched(letter, holder)
            if there := self._there(vouched):
                return _answer(there, is_new=False)
            try:
                return _answer(self._press(vouched), is_new=True)
            except BotdError as error:
                self._record_refusal(vouched, error)
                raise

    @contextmanager
    def _alone(self, nonce: str) -> Iterator[None]:
        """Waits until nobody else is at this nonce: a second press of it finds what became of the first."""
        with self._changed:
            self._changed.wait_for(lambda: nonce not in self._nonces)
            self._nonces.add(nonce)
        try:
            yield
        finally:
            with self._changed:
                self._nonces.discard(nonce)
                self._changed.notify_all()

    def _there(self, vouched: Vouched) -> list[Stored]:
        """The actions of a nonce that was used before. Raises SameNonce where they are others."""
        request = vouched.request
        with self._kit.ledger.read() as db:
            found = self._kit.ledger.actions.of_nonce(db, request.nonce)
        if any((each.login, each.digest) != (vouched.login, digest(request)) for each in found):
            raise SameNonce(f'the nonce "{request.nonce}" is that of another request; send this one with a new nonce')
        return found

    def _press(self, vouched: Vouched) -> list[Stored]:
        action = self._action(vouched.request.action)
        is_dry = self._kit.config.actions.mode == Mode.DRY_RUN
        now, members = self._kit.clock(), list(vouched.request.members())
        subjects = {
            each.node: Subject(action, each.node, vouched.login, each.evidence, vouched.kinds, is_dry, now)
            for each in members
        }
        looks = self._kit.looker.look(action, list(subjects))
        with self._kit.ledger.read() as db:
            verdicts = {node: self._judge.allow(db, each, looks[node]) for node, each in subjects.items()}
            refused = {node: self._judge.refusal(db, each, looks[node], When.PRESS) for node, each in subjects.items()}
            self._check_places(db, action, vouched.request)
        standing = [refusal for refusal in refused.values() if refusal]
        if any(refusal.code == "evidence-changed" for refusal in standing):
            self._kit.on_change()  # who looks again must not see what is refused again
        if len(standing) == len(members):
            raise Refused.by(standing[0])
        return self._ask(vouched, members, subjects, verdicts, refused, looks)

    def _action(self, name: str) -> Action:
        action = BY_NAME.get(name)
        if action is None:
            raise Refused("not-allowed", f'there is no action "{name}"')
        if why := why_cannot(self._kit.hands, action):
            raise Refused("not-allowed", f"this botd cannot do {name}: {why}")
        return action

    def _check_places(self, db: Transaction, action: Action, request: ActionRequest) -> None:
        """Raises Refused for more hard actions than there are places: none of them waits for its turn."""
        most = self._kit.roles().roles.caps.at_once
        held = sum(each.weight == Weight.HARD for each in self._kit.ledger.actions.locked(db))
        if action.weight is Weight.HARD and len(request.nodes) > max(0, most - held):
            words = f"{len(request.nodes)} {action.name} at once: {held} of at most {most} hard actions are under way"
            raise Refused("cap", f"{words}; ask for fewer nodes, or wait")

    def _ask(
        self,
        vouched: Vouched,
        members: Sequence[Member],
        subjects: Mapping[str, Subject],
        verdicts: Mapping[str, Verdict],
        refused: Mapping[str, Refusal | None],
        looks: Mapping[str, Look],
    ) -> list[Stored]:
        """Writes the actions, all in one transaction, and moves each to where it waits."""
        now, ledger = self._kit.clock(), self._kit.ledger
        told = {member.node: self._kit.known.advice(member.node) for member in members}
        with ledger.write() as db:
            if there := ledger.actions.of_nonce(db, vouched.request.nonce):
                return there
            made = []
            for member in members:
                asked = _asked(vouched, member, subjects[member.node])
                stored, _ = ledger.actions.ask(db, BY_ENDS[None, State.REQUESTED], asked, now)
                if row := row_of(stored, *told[member.node]):
                    ledger.outcomes.add(db, [row])  # to be judged a day later, by what was told now
                target, said = _waits(verdicts[member.node], refused[member.node], stored)
                if target:
                    step = BY_ENDS[State.REQUESTED, target]
                    stored = ledger.actions.move(db, stored, step, "agent", now, said)
                made.append(stored)
        for stored in made:
            if stored.state != State.REFUSED:
                self._taken(stored.id, looks[stored.node])
        return made

    def _record_refusal(self, vouched: Vouched, error: BotdError) -> None:
        request, nodes = vouched.request, sorted(vouched.request.nodes)
        about = nodes[0] + (f" and {len(nodes) - 1} more" if nodes[1:] else "") if nodes else ""
        event = Event("press-refused", vouched.login, about, str(error), {"action": request.action, "code": error.code})
        with self._kit.ledger.write() as db:
            self._kit.ledger.chain.add(db, event, self._kit.clock())


def _waits(verdict: Verdict, refusal: Refusal | None, stored: Stored) -> tuple[State | None, Said]:
    """Where a new action goes at once; None where it stays as it is, to be taken up."""
    if refusal:
        return State.REFUSED, Said(refusal.code, refusal.words)
    if verdict.role and verdict.role.approve_by:
        return State.AWAITING, Said(words=f"a second person has to agree ({verdict.role.approve_by})")
    is_queued = bool(stored.batch) and stored.weight != Weight.HARD
    return (State.QUEUED if is_queued else None), NOTHING


def _asked(vouched: Vouched, member: Member, subject: Subject) -> Asked:
    request = vouched.request
    return Asked(
        nonce=member.nonce,
        digest=digest(request),
        login=vouched.login,
        action=subject.action.name,
        weight=subject.action.weight,
        node=member.node,
        reason=request.reason,
        evidence=member.evidence,
        proof=",".join(sorted(vouched.kinds)),
        is_dry=subject.is_dry,
        batch=request.nonce if request.is_batch else "",
    )


def _answer(stored: Sequence[Stored], *, is_new: bool) -> dict[str, Any]:
    actions = [{"id": each.id, "node": each.node, "state": each.state} for each in stored]
    return {"new": is_new, "batch": stored[0].batch, "actions": actions}


def _nonce_of(letter: Letter) -> str:
    """By what presses wait for each other: the text that is asked, as far as it can be told before it is proved."""
    text = said(letter, "text", MAX_TEXT)
    try:
        return parse_request(text).nonce
    except RequestError:
        return text
