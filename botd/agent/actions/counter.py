"""The counter: every letter that has to do with actions is answered here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from botd.access.judge import may_approve, rights_of, suffices
from botd.access.letters import Letter, said
from botd.access.requests import ActionRequest, digest
from botd.acting.actions import BY_NAME
from botd.acting.guards import When
from botd.acting.moves import BY_ENDS, MOVES, By, State
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Kit, Refused, Subject
from botd.agent.actions.press import Presses
from botd.agent.actions.proving import Proving, check_asks
from botd.agent.people.holders import Holder
from botd.agent.people.proofs import Vouched
from botd.audit import Event
from botd.errors import LoginRequired, NotAllowed, ProofRefused, ProofRequired, WrongState
from botd.ledger import Transaction
from botd.ledger.actions import Said, Stored
from botd.text import is_number

REARM, HARM = "re-arm", "harm"

NOT_SENT = frozenset(move.source for move in MOVES if By.ANYBODY in move.by and move.source)
"""The states out of which anybody may stop an action."""

LONGEST_REASON = 500


class Counter:
    """Answers letters. Used from any thread. `turn` is called where an action may have come to its turn, or its end."""

    def __init__(self, kit: Kit, judge: Judge, presses: Presses, proving: Proving, turn: Callable[[], None]) -> None:
        self._kit = kit
        self._judge = judge
        self._presses = presses
        self._proving = proving
        self._turn = turn
        self._handlers: Mapping[str, Callable[[Letter, Holder | None], dict[str, Any]]] = MappingProxyType(
            {
                "act": presses.act,
                "approve": self._approve,
                "veto": self._veto,
                "halt": self._halt,
                "seen": self._see,
                "harm": self._harm,
                "stop": self._stop,
                "go-on": self._go_on,
                "close-breaker": self._close_breaker,
            }
        )

    def answer(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """What a letter is answered with. Raises BotdError, and ValueError for a letter that no botd writes."""
        try:
            return self._handlers[letter.kind](letter, holder)
        finally:
            self._turn()

    # ---- the second person ----

    def _approve(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        vouched, stored = self._proving.vouched(letter, holder), self._stored(letter)
        if digest(vouched.request) != digest(_asked_by(stored, self._kit.config.site.name)):
            raise ProofRefused("what was signed is not what was asked for: look at the action again")
        subject = Subject.of(stored, BY_NAME[stored.action])
        look = self._kit.looker.look(subject.action, [stored.node])[stored.node]
        with self._kit.ledger.write() as db:
            stored = self._in(db, stored.id, State.AWAITING)
            verdict = self._judge.allow(db, subject, look)
            person, roles = self._judge.person(vouched.login), self._kit.roles().roles
            if verdict.role is None or not may_approve(roles, verdict.role, stored.login, person):
                raise NotAllowed(f"{vouched.login} may not agree to what {stored.login} asks under {verdict.words}")
            if not suffices(verdict.role, stored.action, vouched.kinds):
                raise ProofRefused(f"it asks for a proof by {' or '.join(verdict.role.proofs(stored.action))}")
            if refusal := self._judge.refusal(db, subject, look, When.PRESS):
                raise Refused.by(refusal)
            self._use_nonce(db, vouched)
            step = BY_ENDS[State.AWAITING, State.APPROVED]
            self._kit.ledger.actions.move(db, stored, step, vouched.login, self._kit.clock())
        return {}

    def _veto(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """Whoever may agree may be against it; so may who asked."""
        login, stored = _login(holder), self._stored(letter)
        with self._kit.ledger.write() as db:
            stored = self._in(db, stored.id, State.AWAITING)
            person, roles = self._judge.person(login), self._kit.roles().roles
            may = any(may_approve(roles, each, stored.login, person) for each in roles.roles)
            if login != stored.login and not may:
                raise NotAllowed(f"{login} may not be the second person for any role")
            step = BY_ENDS[State.AWAITING, State.VETOED]
            said_no = Said("stopped", f"{login} was against it")
            self._kit.ledger.actions.move(db, stored, step, login, self._kit.clock(), said_no)
        return {}

    # ---- stopping, and looking at what may have happened ----

    def _halt(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """Stops one action, or with `batch` all that were asked for together with it and were not sent yet."""
        login, stored, is_batch = _login(holder), self._stored(letter), _yes(letter, "batch", usual=False)
        with self._kit.ledger.write() as db:
            actions = self._kit.ledger.actions
            there = actions.batch(db, stored.batch) if is_batch and stored.batch else [actions.get(db, stored.id)]
            waiting = [each for each in there if each.state in NOT_SENT]
            if not waiting:
                are = ", ".join(f"{each.id} is {each.state}" for each in there[:4])
                raise WrongState(f"action {are}: only what was not sent yet can be stopped")
            for each in waiting:
                self._end(db, each, login, f"{login} stopped it")
        return {}

    def _stop(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """Stops everything, and ends all that was not sent yet in the same transaction."""
        login, reason = _login(holder), said(letter, "reason", LONGEST_REASON)
        with self._kit.ledger.write() as db:
            self._kit.ledger.switches.stop(db, login, reason, self._kit.clock())
            for stored in self._kit.ledger.actions.under(db, *NOT_SENT):
                self._end(db, stored, login, f"{login} stopped everything")
        return {}

    def _end(self, db: Transaction, stored: Stored, login: str, words: str) -> None:
        step = BY_ENDS[State(stored.state), State.REFUSED]
        self._kit.ledger.actions.move(db, stored, step, login, self._kit.clock(), Said("stopped", words))

    def _see(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        login, stored, reason = _login(holder), self._stored(letter), said(letter, "reason", LONGEST_REASON)
        self._check_right(login, REARM)
        with self._kit.ledger.write() as db:
            self._kit.ledger.actions.see(db, stored, login, reason, self._kit.clock())
            if stored.code == "other-bmc":
                self._kit.ledger.bmcs.forget(db, stored.node)
        return {}

    def _harm(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """Marks what came of an action, and tells it with the action: it did harm, or it was not it."""
        login, stored, reason = _login(holder), self._stored(letter), said(letter, "reason", LONGEST_REASON)
        is_harm, now = _yes(letter, "harm", usual=True), self._kit.clock()
        self._check_right(login, HARM)
        words = f"{login} says that {'it did harm' if is_harm else 'what came after it was not its doing'}"
        with self._kit.ledger.write() as db:
            self._kit.ledger.outcomes.mark(db, stored.id, login, now, is_harm=is_harm, reason=reason)
            self._kit.ledger.actions.remark(db, stored, f"{words}: {reason}" if reason else words, now)
        return {}

    def _go_on(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        with self._rearmed(letter, holder) as (db, login, reason):
            self._kit.ledger.switches.end_stop(db, login, reason, self._kit.clock())
        return {}

    def _close_breaker(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        with self._rearmed(letter, holder) as (db, login, reason):
            self._kit.ledger.switches.close_breaker(db, login, reason, self._kit.clock())
        return {}

    @contextmanager
    def _rearmed(self, letter: Letter, holder: Holder | None) -> Iterator[tuple[Transaction, str, str]]:
        """The transaction of who has the right and has proved it for exactly this. munge alone is not enough."""
        vouched, reason = self._proving.vouched(letter, holder), said(letter, "reason", LONGEST_REASON)
        if vouched.request.action != REARM or vouched.request.reason != reason:
            raise ProofRefused("what was signed is not what was asked for: ask again")
        if vouched.kinds.isdisjoint({"otp", "ssh"}):
            raise ProofRequired("a credential of munge is not enough for this: type a code, or sign it by ssh")
        self._check_right(vouched.login, REARM)
        if not reason.strip():
            raise ValueError("say why it may go on")
        with self._kit.ledger.write() as db:
            self._use_nonce(db, vouched)
            yield db, vouched.login, reason

    def _check_right(self, login: str, right: str) -> None:
        """Raises NotAllowed unless they have this right by a roles file that is whole."""
        state = self._kit.roles()
        if state.fault:
            raise Refused("roles-unreadable", f"the right `{right}` counts for nothing now: {state.fault}")
        if right not in rights_of(state.roles, self._judge.person(login)):
            raise NotAllowed(f"that takes the right `{right}`, which no role of yours has")

    # ---- what they share ----

    def _stored(self, letter: Letter) -> Stored:
        number = letter.says.get("id")
        if not is_number(number) or not isinstance(number, int):
            raise ValueError("id must be the number of an action")
        with self._kit.ledger.read() as db:
            return self._kit.ledger.actions.get(db, number)

    def _in(self, db: Transaction, number: int, state: State) -> Stored:
        stored = self._kit.ledger.actions.get(db, number)
        if stored.state != state:
            raise WrongState(f"action {number} is {stored.state}, and not {state}")
        return stored

    def _use_nonce(self, db: Transaction, vouched: Vouched) -> None:
        nonce, now = vouched.request.nonce, self._kit.clock()
        is_new = not self._kit.ledger.actions.of_nonce(db, nonce)
        if not is_new or not self._kit.ledger.nonces.use(db, nonce, vouched.login, now):
            raise ProofRefused("this proof was used already: make a new one")
        kinds = ",".join(sorted(vouched.kinds))
        self._kit.ledger.chain.add(db, Event("proof-used", vouched.login, kinds), now)


def _login(holder: Holder | None) -> str:
    if holder is None:
        raise LoginRequired("that session or token is over; log in again")
    check_asks(holder)
    return holder.login


def _yes(letter: Letter, name: str, *, usual: bool) -> bool:
    """Whether a letter says yes to this; what is usual where it says nothing. Raises ValueError."""
    found = letter.says.get(name, usual)
    if not isinstance(found, bool):
        raise ValueError(f"{name} must be true or false")
    return found


def _asked_by(stored: Stored, site: str) -> ActionRequest:
    """What somebody asked for, as a second person signs it: this one node, with the same evidence and reason."""
    at = stored.asked_at
    return ActionRequest(site, stored.action, {stored.node: stored.evidence}, stored.reason, stored.nonce, at, at)
