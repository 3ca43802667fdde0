"""One action from its turn to its end: reserved, announced, read again, written ahead, sent once, read back.

Each move is a transaction of its own. Where another has moved the action meanwhile, by a stop or a veto, the work on it
ends: MovedOn is no fault here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from botd.acting.actions import BY_NAME, Action, Weight
from botd.acting.caps import LONGEST
from botd.acting.guards import Look, Refusal, When
from botd.acting.moves import BY_ENDS, State, end_of
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Kit, Refused, Subject
from botd.agent.actions.own_drain import OwnDrain, OwnDrains
from botd.agent.actions.ways import Hands, NotDone, Seen, Sent
from botd.errors import BotdError, LedgerUnavailable, MovedOn, StoreUnavailable
from botd.ledger import Transaction
from botd.ledger.actions import NOTHING, Said, Stored

READ_BACK_S = 1.0
READ_BACK_SHARE, READ_BACK_MOST_S = 0.1, 15.0
"""How often it is looked whether the effect is there: at first each second, later by a share of the time since."""

GRACE_TICK_S = 0.2

LOOKS = 3
"""How often a node is read again for one action, where sending had to wait until what was read was too old."""


def _pause_s(since_s: float) -> float:
    return max(READ_BACK_S, min(READ_BACK_MOST_S, READ_BACK_SHARE * since_s))


class Worker:
    """Does actions. Used from any thread, each action by one at a time. `told` is called after each move."""

    def __init__(self, kit: Kit, judge: Judge, hands: Hands, told: Callable[[], None] = lambda: None) -> None:
        self._kit = kit
        self._judge = judge
        self._hands = hands
        self._drains = OwnDrains(kit.slurm, kit.looker)
        self._told = told
        self._closing = threading.Event()

    def close(self) -> None:
        """Ends what is read back; the next agent goes on with it."""
        self._closing.set()

    def do(self, stored: Stored, first: Look | None) -> None:
        """An action that has come to its turn. `first` is the look of the press, None where it is not there."""
        action = BY_NAME[stored.action]
        with suppress(MovedOn):
            if first is None or first.fresh(self._kit.clock()) != first:
                first = self._look(action, stored)
            reserved = self._reserve(stored, Subject.of(stored, action), first)
            if reserved and action.weight is Weight.HARD:
                self._announce(reserved, action, first)
            elif reserved:
                self._send(reserved, action, first)

    def read_back(self, stored: Stored, first: Look | None = None) -> None:
        """An action that was sent, as far as anybody knows: until its effect is seen, or its time is over."""
        action = BY_NAME[stored.action]
        with suppress(MovedOn):
            if stored.state != State.VERIFYING:
                stored = self._move(stored, State.VERIFYING)
            seen = self._hands[action.way].seen(stored)
            while not seen.is_there and self._has_time(stored, action):
                if self._closing.wait(_pause_s(self._since_s(stored))):
                    return
                seen = self._hands[action.way].seen(stored)
            self._end(stored, action, seen)

    # ---- before it is sent ----

    def _look(self, action: Action, stored: Stored) -> Look:
        return self._kit.looker.look(action, [stored.node])[stored.node]

    def _reserve(self, stored: Stored, subject: Subject, look: Look) -> Stored | None:
        """The action with its node locked and its budget spent; None where it was refused."""
        self._kit.known.evidence(stored.node, look)  # worked out before the ledger is held, and not while it is
        with self._kit.ledger.write() as db:
            self._judge.open_breaker(db)
            said = self._why_not_reserved(db, stored, subject, look)
            if said:
                step = BY_ENDS[State(stored.state), State.REFUSED]
                self._kit.ledger.actions.move(db, stored, step, "agent", self._kit.clock(), said)
            found = self._kit.ledger.actions.get(db, stored.id)
        self._told()
        return None if said else found

    def _why_not_reserved(self, db: Transaction, stored: Stored, subject: Subject, look: Look) -> Said | None:
        """Reserves it; why not, where that may not be."""
        now = self._kit.clock()
        try:
            verdict = self._judge.allow(db, subject, look)
            if verdict.role and verdict.role.approve_by and stored.state != State.APPROVED:
                raise Refused("not-allowed", "a second person has to agree by now; ask again")
            if refusal := self._judge.refusal(db, subject, look, When.PRESS):
                raise Refused.by(refusal)
            budget = self._judge.budget(db, verdict, subject)
            return self._kit.ledger.actions.reserve(
                db,
                stored,
                BY_ENDS[State(stored.state), State.RESERVED],
                "agent",
                now,
                budget=budget,
                since=now - LONGEST,
                why_not=partial(self._judge.why_not, db, subject, look, budget),
            )
        except (LedgerUnavailable, StoreUnavailable, MovedOn):
            raise
        except BotdError as error:
            return Said(error.code, str(error))

    # ---- hard actions: drained first, and for a while anybody may stop it ----

    def _announce(self, stored: Stored, action: Action, first: Look) -> None:
        drain = OwnDrain("") if stored.is_dry else self._drains.plan(stored)
        if isinstance(drain, NotDone):
            self._fail(stored, drain)
            return
        words = "nothing is drained in a dry run" if stored.is_dry else drain.words
        stored = self._move(stored, State.ANNOUNCED, Said(words=words))
        drained = self._drains.put(stored, drain)
        try:
            if isinstance(drained, NotDone):
                self._fail(stored, drained)
            elif stored.is_dry or self._has_grace(stored, action):
                self._send(stored, action, first)
        finally:
            self._settle(stored, drain if isinstance(drained, NotDone) else drained)

    def _has_grace(self, stored: Stored, action: Action) -> bool:
        """Waits; whether nobody has stopped it in that time. Measured by a clock that nobody sets."""
        until = self._kit.monotonic() + action.grace_s
        while (is_left := self._get(stored.id).state == State.ANNOUNCED) and self._kit.monotonic() < until:
            if self._closing.wait(GRACE_TICK_S):
                return False
        return is_left

    def _settle(self, stored: Stored, drain: OwnDrain) -> None:
        stored = self._get(stored.id)
        if words := self._drains.settle(stored, drain):
            with self._kit.ledger.write() as db:
                self._kit.ledger.actions.remark(db, stored, words, self._kit.clock())
            self._told()

    # ---- sending ----

    def _send(self, stored: Stored, action: Action, first: Look) -> None:
        hand = self._hands[action.way]
        for _ in range(LOOKS):
            prepared = None if stored.is_dry else hand.prepare(stored)
            if isinstance(prepared, NotDone):
                self._fail(stored, prepared)
                return
            found = self._reread(stored, action, first)
            if found is None:
                return
            stored, look = found
            answer = hand.send(stored, prepared, partial(self._write_ahead, stored.id, action, look))
            stored = self._get(stored.id)
            if stored.state != State.REREAD or not isinstance(answer, NotDone) or look.fresh(self._kit.clock()) == look:
                self._take(stored, answer)
                return
        self._fail(stored, NotDone("not-sent", "it had to wait, until what was read of the node was too old"))

    def _reread(self, stored: Stored, action: Action, first: Look) -> tuple[Stored, Look] | None:
        """The action after its node was read again; None where that refuses it, or where it is a dry run."""
        subject, look = Subject.of(stored, action), self._look(action, stored)
        with self._kit.ledger.write() as db:
            if refusal := self._judge.refusal(db, subject, look, When.REREAD, first):
                self._refuse(db, stored, refusal)
            elif stored.state != State.REREAD:
                stored = self._step(db, stored, State.REREAD)
            if not refusal and stored.is_dry:
                self._step(db, stored, State.WOULD_HAVE, Said(words=f"{action.sends} would have been sent"))
        self._told()
        return None if refusal or stored.is_dry else (stored, look)

    def _write_ahead(self, number: int, action: Action, look: Look) -> bool:
        """Whether it may leave now: then that stands on the disk. What was read must not be too old by now."""
        if look.fresh(self._kit.clock()) != look:
            return False
        with self._kit.ledger.write() as db:
            stored = self._kit.ledger.actions.get(db, number)
            if stored.state != State.REREAD:  # stopped
                return False
            self._judge.open_breaker(db)
            if refusal := self._judge.halted(db, Subject.of(stored, action)):
                self._refuse(db, stored, refusal)
            else:
                self._step(db, stored, State.SENDING)
        self._told()
        return refusal is None

    def _take(self, stored: Stored, answer: Sent | NotDone) -> None:
        """What came of sending: to be read back, or failed where nothing was done."""
        if isinstance(answer, NotDone):
            self._fail(stored, answer)
            return
        self.read_back(self._move(stored, State.SENT, Said(words=answer.words, is_certain=answer.is_certain)))

    def _fail(self, stored: Stored, why: NotDone) -> None:
        """Ends it as failed. One that was refused meanwhile stays so."""
        if (stored.state, State.FAILED) in BY_ENDS:
            self._move(stored, State.FAILED, Said(why.code, why.words))

    # ---- after it was sent ----

    def _since_s(self, stored: Stored) -> float:
        """How long ago it was sent; below 0 where the clock was set back since."""
        return (self._kit.clock() - (stored.sent_at or stored.changed_at)).total_seconds()

    def _has_time(self, stored: Stored, action: Action) -> bool:
        """Whether its deadline is yet to come. A clock that was set back is no reason to wait longer."""
        return 0 <= self._since_s(stored) < action.deadline_s

    def _end(self, stored: Stored, action: Action, seen: Seen) -> None:
        # By a clock that was set back nothing can be said to be younger, or too late.
        is_there = None if seen.is_there is False and self._since_s(stored) < 0 else seen.is_there
        end = end_of(is_there, is_certain=bool(stored.is_certain) or seen.has_happened)
        failed = "not-well" if seen.has_happened else "not-seen"
        code = {State.FAILED: failed, State.UNKNOWN: "unknown"}.get(end, "")
        words = seen.words or f"not read back within {action.deadline_s:g} s: {action.verified_by}"
        self._move(stored, end, Said(code, "" if end is State.SUCCEEDED else words))

    # ---- moves ----

    def _get(self, number: int) -> Stored:
        with self._kit.ledger.read() as db:
            return self._kit.ledger.actions.get(db, number)

    def _move(self, stored: Stored, target: State, said: Said = NOTHING) -> Stored:
        """One move, with a look at the breaker: an end may be the one that opens it."""
        with self._kit.ledger.write() as db:
            moved = self._step(db, stored, target, said)
            self._judge.open_breaker(db)
        self._told()
        return moved

    def _step(self, db: Transaction, stored: Stored, target: State, said: Said = NOTHING) -> Stored:
        step = BY_ENDS[State(stored.state), target]
        return self._kit.ledger.actions.move(db, stored, step, "agent", self._kit.clock(), said)

    def _refuse(self, db: Transaction, stored: Stored, refusal: Refusal) -> Any:
        return self._step(db, stored, State.REFUSED, Said(refusal.code, refusal.words))
