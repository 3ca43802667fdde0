"""Which hard actions were announced, and how they ended, by the ledger: that is what notices are of."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from botd.acting.actions import BY_NAME, Weight
from botd.acting.moves import TERMINAL, State
from botd.agent.notices import Notices
from botd.errors import LedgerUnavailable
from botd.ledger import Ledger
from botd.ledger.actions import Made, Stored
from botd.model import Clock

LOOKED_AT = 200
"""The newest actions: more do not move between two looks."""


class Announcer:
    """Tells of each move once, also of those by which what an earlier agent left is settled. Belongs to one thread."""

    def __init__(self, ledger: Ledger, notices: Notices, clock: Clock) -> None:
        self._ledger = ledger
        self._notices = notices
        self._began_at = clock()
        self._head = -1  # the row of the audit up to which all is told
        self._told: dict[int, int] = {}  # moves of each action that are

    def step(self) -> None:
        """Tells what is new. What the ledger cannot say now is told when it can; others say that it cannot."""
        if self._notices.are_wanted:
            with suppress(LedgerUnavailable):
                self._look()

    def _look(self) -> None:
        with self._ledger.read() as db:
            last = self._ledger.chain.last(db)
            head = last.number if last else 0
            if head == self._head:
                return
            hard = [each for each in self._ledger.actions.newest(db, LOOKED_AT) if _is_news(each)]
            found = [(each, self._ledger.actions.moves(db, each.id)) for each in hard]
        for action, moves in reversed(found):  # the oldest first
            self._tell(action, moves)
        self._told = {action.id: len(moves) for action, moves in found}
        self._head = head

    def _tell(self, action: Stored, moves: Sequence[Made]) -> None:
        old = self._told.get(action.id, sum(made.at < self._began_at for made in moves))
        for made in (each for each in moves[old:] if each.source != each.target):  # a remark is no move
            then = action._replace(state=made.target, code=made.code, words=made.words)
            if made.target == State.ANNOUNCED:
                self._notices.announced(then, BY_NAME[action.action].grace_s)
            elif made.target in TERMINAL and any(each.target == State.ANNOUNCED for each in moves):
                self._notices.ended(then)


def _is_news(action: Stored) -> bool:
    return action.weight == Weight.HARD and not action.is_dry and action.action in BY_NAME
