"""The states of an action, and every move there is between them: `MOVES`, a literal table.

Each move is one transaction with its line of the audit. What is sent is written ahead: `sending` is on the disk before
the one packet leaves, and no move leads from there to anything that sends, whatever is lost or restarted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from botd.acting.actions import Weight


class State(StrEnum):
    """Where an action stands."""

    REQUESTED = "requested"
    QUEUED = "queued"  # a member of a batch that waits for its turn
    AWAITING = "awaiting"  # a second person
    APPROVED = "approved"
    RESERVED = "reserved"
    ANNOUNCED = "announced"
    REREAD = "re-read"
    SENDING = "sending"
    SENT = "sent"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may have happened
    WOULD_HAVE = "would-have"  # the end of a dry run
    REFUSED = "refused"
    EXPIRED = "expired"
    VETOED = "vetoed"


class By(StrEnum):
    """Who makes a move."""

    PERSON = "person"  # who presses, with a proof
    SECOND = "second"  # another person, with the right or role to approve
    ANYBODY = "anybody"  # who may log in: they may stop
    AGENT = "agent"
    RESTART = "restart"  # the agent, of what an earlier one left


class Writes(StrEnum):
    """What a move writes beside the state, itself, and its line of the audit."""

    ROW = "row"  # of the action, with its nonce
    BUDGET = "budget"  # what is spent, whatever happens from here on
    LOCK = "lock"  # of the node
    SENT_AT = "sent_at"
    CERTAIN = "certain"  # whether the answer says that it was done
    CODE = "code"  # of what refuses, with its words
    UNLOCK = "unlock"


ASKED = (Writes.ROW,)
RESERVE = (Writes.BUDGET, Writes.LOCK)
NO = (Writes.CODE,)
GIVEN_UP = (Writes.CODE, Writes.UNLOCK)

EVERY = tuple(Weight)
HARD = (Weight.HARD,)
SOFTER = (Weight.HARMLESS, Weight.SOFT)
SOFT = (Weight.SOFT,)


@dataclass(frozen=True, slots=True)
class Move:
    """From one state to another: who may make it, what it writes, for which weights, and of which runs.

    `is_dry` is True for dry runs only, False for real ones only, None for both. `source` is None for a new action.
    """

    source: State | None
    target: State
    by: tuple[By, ...]
    writes: tuple[Writes, ...] = ()
    weights: tuple[Weight, ...] = EVERY
    is_dry: bool | None = None


_AGENT, _BOTH, _LATER = (By.AGENT,), (By.AGENT, By.RESTART), (By.RESTART,)
_STOP = (By.AGENT, By.ANYBODY)
_S = State

MOVES: tuple[Move, ...] = (
    Move(None, _S.REQUESTED, (By.PERSON,), ASKED),
    # Nothing is spent and nothing is locked.
    Move(_S.REQUESTED, _S.REFUSED, _STOP, NO),
    Move(_S.REQUESTED, _S.EXPIRED, _BOTH, NO),
    Move(_S.REQUESTED, _S.QUEUED, _AGENT, weights=SOFTER),
    Move(_S.REQUESTED, _S.AWAITING, _AGENT),
    Move(_S.REQUESTED, _S.RESERVED, _AGENT, RESERVE),
    Move(_S.QUEUED, _S.REFUSED, _STOP, NO, SOFTER),
    Move(_S.QUEUED, _S.EXPIRED, _BOTH, NO, SOFTER),
    Move(_S.QUEUED, _S.RESERVED, _AGENT, RESERVE, SOFTER),
    Move(_S.AWAITING, _S.APPROVED, (By.SECOND,)),
    Move(_S.AWAITING, _S.VETOED, (By.SECOND, By.PERSON), NO),
    Move(_S.AWAITING, _S.REFUSED, _STOP, NO),
    Move(_S.AWAITING, _S.EXPIRED, _BOTH, NO),
    Move(_S.APPROVED, _S.REFUSED, _STOP, NO),
    Move(_S.APPROVED, _S.EXPIRED, _BOTH, NO),
    Move(_S.APPROVED, _S.RESERVED, _AGENT, RESERVE),
    # The node is locked. The budget is spent, whatever happens.
    Move(_S.RESERVED, _S.ANNOUNCED, _AGENT, (), HARD),
    Move(_S.RESERVED, _S.REREAD, _AGENT, (), SOFTER),
    Move(_S.RESERVED, _S.REFUSED, _STOP, GIVEN_UP),
    Move(_S.RESERVED, _S.FAILED, _BOTH, GIVEN_UP),
    Move(_S.ANNOUNCED, _S.REREAD, _AGENT, (), HARD),
    Move(_S.ANNOUNCED, _S.REFUSED, _STOP, GIVEN_UP, HARD),
    Move(_S.ANNOUNCED, _S.FAILED, _BOTH, GIVEN_UP, HARD),
    Move(_S.REREAD, _S.REFUSED, _STOP, GIVEN_UP),
    Move(_S.REREAD, _S.FAILED, _BOTH, GIVEN_UP),
    Move(_S.REREAD, _S.WOULD_HAVE, _AGENT, (Writes.UNLOCK,), is_dry=True),
    Move(_S.REREAD, _S.SENDING, _AGENT, (Writes.SENT_AT,), is_dry=False),
    # From here on nothing is sent.
    Move(_S.SENDING, _S.SENT, _AGENT, (Writes.CERTAIN,), is_dry=False),
    Move(_S.SENDING, _S.FAILED, _AGENT, GIVEN_UP, is_dry=False),
    Move(_S.SENDING, _S.VERIFYING, _LATER, is_dry=False),
    Move(_S.SENT, _S.VERIFYING, _BOTH, is_dry=False),
    Move(_S.SENT, _S.FAILED, _AGENT, GIVEN_UP, is_dry=False),
    Move(_S.VERIFYING, _S.SUCCEEDED, _AGENT, (Writes.UNLOCK,), is_dry=False),
    Move(_S.VERIFYING, _S.FAILED, _AGENT, GIVEN_UP, is_dry=False),
    Move(_S.VERIFYING, _S.UNKNOWN, _AGENT, GIVEN_UP, is_dry=False),
)

BY_ENDS = MappingProxyType({(move.source, move.target): move for move in MOVES})

TERMINAL = frozenset(State) - {move.source for move in MOVES}
"""The states that nothing leads out of."""

LOCKING = frozenset({_S.RESERVED, _S.ANNOUNCED, _S.REREAD, _S.SENDING, _S.SENT, _S.VERIFYING})
"""The states in which an action has the lock of its node."""


def find_move(source: State | None, target: State, by: By, weight: Weight, *, is_dry: bool) -> Move | None:
    """The move of the table that this one may make of such an action, None where there is none."""
    move = BY_ENDS.get((source, target))
    if move is None or by not in move.by or weight not in move.weights or move.is_dry not in (None, is_dry):
        return None
    return move


# ---- how long ----

ASK_S = 60.0
"""How old an ask may be that nobody has taken up: nothing old is done late."""

WAIT_S = {_S.REQUESTED: ASK_S, _S.QUEUED: 600.0, _S.AWAITING: 1800.0, _S.APPROVED: 600.0}
"""How long an action may stay in a state in which nothing is reserved."""


# ---- what a restart makes of it ----


class Restart(StrEnum):
    """What an agent that starts does with an action that an earlier one left."""

    TAKE_UP = "take up"  # if it is young enough and its proof still good; else the move of the row
    WAIT = "wait"  # as before; once its time is over the move of the row
    GIVE_UP = "give up"
    READ_BACK = "read back"


@dataclass(frozen=True, slots=True)
class Left:
    """A row of the table: what is done, where the action goes, how old it may be to be taken up, and the words."""

    restart: Restart
    target: State
    within_s: float | None
    words: str


LEFT = MappingProxyType(
    {
        _S.REQUESTED: Left(Restart.TAKE_UP, _S.EXPIRED, ASK_S, "the agent was away; ask again"),
        # Members of a batch do not go on after an outage that nobody has looked at.
        _S.QUEUED: Left(Restart.TAKE_UP, _S.EXPIRED, ASK_S, "the agent was away while it waited its turn; ask again"),
        _S.AWAITING: Left(Restart.WAIT, _S.EXPIRED, WAIT_S[_S.AWAITING], "nobody approved it in time; ask again"),
        _S.APPROVED: Left(Restart.TAKE_UP, _S.EXPIRED, ASK_S, "the agent was away after it was approved; ask again"),
        _S.RESERVED: Left(Restart.GIVE_UP, _S.FAILED, None, "the agent ended; nothing was sent"),
        _S.ANNOUNCED: Left(Restart.GIVE_UP, _S.FAILED, None, "the agent ended; nothing was sent; our drain stays"),
        _S.REREAD: Left(Restart.GIVE_UP, _S.FAILED, None, "the agent ended; nothing was sent; our drain stays"),
        _S.SENDING: Left(
            Restart.READ_BACK, _S.VERIFYING, None, "the agent ended while it was sent; it may have happened"
        ),
        _S.SENT: Left(Restart.READ_BACK, _S.VERIFYING, None, "the agent ended after it was sent"),
        _S.VERIFYING: Left(Restart.READ_BACK, _S.VERIFYING, None, "the agent ended while it was read back"),
    }
)
"""By state. An action that is already `verifying` makes no move: it is read back from where it stands."""


def after_restart(state: State, age_s: float, *, is_proof_good: bool) -> Left | None:
    """What becomes of an action left in this state for so long; None where it is taken up, or goes on to wait.

    An age below 0 is that of a clock that was set back: it is not known how old such an action is, so it is too old.
    """
    left = LEFT[state]
    is_young = left.within_s is not None and 0 <= age_s < left.within_s
    goes_on = is_young and (is_proof_good or left.restart is Restart.WAIT)
    return None if goes_on else left


def end_of(seen: bool | None, *, is_certain: bool) -> State:
    """How an action ends by what was read back at its deadline.

    `seen` is None where nothing could be read. What was not answered for and is not seen may still have happened.
    """
    if seen:
        return State.SUCCEEDED
    return State.FAILED if seen is False and is_certain else State.UNKNOWN


def reachable(sources: Iterable[State | None]) -> frozenset[State]:
    """Every state that moves lead to from these."""
    wanted = frozenset(sources)
    found = frozenset(move.target for move in MOVES if move.source in wanted)
    return found if found <= wanted else reachable(found | wanted)
