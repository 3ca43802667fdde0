"""Actions in the ledger: each move is one transaction with its line of the audit, or did not happen.

Which moves there are is not said here: the agent hands on a row of its table. What is held fast here, whatever it hands
on: a nonce is one action, a move begins where the action stands, a node has one lock, and only an end gives it back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from botd.audit import Event
from botd.errors import MovedOn, NodeBusy, SameNonce
from botd.ledger.chain import Chain
from botd.ledger.schema import LEDGER, actions, budgets, locks, moves
from botd.sql.database import to_time


class Step(Protocol):
    """A row of the table of moves, as far as the ledger looks at it.

    `writes` are words of `row`, `budget`, `lock`, `unlock`, `sent_at`, `certain` and `code`.
    """

    @property
    def source(self) -> str | None:
        """Where the action stands before; None for a new one."""

    @property
    def target(self) -> str:
        """Where it stands after."""

    @property
    def writes(self) -> Collection[str]:
        """What is written besides."""

    @property
    def weights(self) -> Collection[str]:
        """Which actions it is of."""

    @property
    def is_dry(self) -> bool | None:
        """Whether it is of dry runs only; None for both kinds."""


@dataclass(frozen=True)
class Asked:
    """What somebody asks for, with a proof that was accepted. `digest` is what two presses of it have in common."""

    nonce: str
    digest: str
    login: str
    action: str
    weight: str
    node: str
    reason: str
    evidence: str
    proof: str
    is_dry: bool
    batch: str = ""


class Stored(NamedTuple):
    """An action as the ledger has it. `is_certain` is None where nothing was sent, or nobody asked yet."""

    id: int
    nonce: str
    digest: str
    batch: str
    login: str
    action: str
    weight: str
    node: str
    reason: str
    evidence: str
    proof: str
    is_dry: bool
    state: str
    code: str
    words: str
    asked_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    is_certain: bool | None
    seen_by: str


class Said(NamedTuple):
    """What a move says: a code and words where something is in the way, and whether an answer made it certain."""

    code: str = ""
    words: str = ""
    is_certain: bool | None = None


MAX_ID = 2**63 - 1
"""What SQLite takes for an integer; a number beyond it cannot even be asked for."""

NOTHING = Said()


class Budget(NamedTuple):
    """What is spent by an action: under which role, in which incident of the node, and whether it counts."""

    role: str = ""
    incident: str = ""
    is_free: bool = False


class Spent(NamedTuple):
    """An action that was reserved, with its id."""

    node: str
    action: str
    weight: str
    login: str
    role: str
    incident: str
    is_free: bool
    was_sent: bool
    at: datetime
    id: int = 0


class Made(NamedTuple):
    """A move that was made."""

    source: str | None
    target: str
    by: str
    code: str
    words: str
    at: datetime


WhyNot = Callable[[Sequence[Spent], Sequence[Stored]], Said | None]
"""What more is spent, held against what was, and against the actions that have a lock; None lets it through."""


_MAY_HAVE_HAPPENED = sa.and_(actions.c.state == "unknown", actions.c.seen_by == "")
_OTHER_BMC = sa.and_(actions.c.state == "failed", actions.c.code == "other-bmc", actions.c.seen_by == "")


class Actions:
    """The actions. Each is read and written within a transaction of the caller's."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    # ---- what changes them ----

    def ask(self, db: sa.Connection, step: Step, asked: Asked, now: datetime) -> tuple[Stored, bool]:
        """The action of this nonce, and whether it is a new one. Raises SameNonce for one with another body."""
        if there := self._one(db, actions.c.nonce == asked.nonce):
            if (there.digest, there.login, there.node) != (asked.digest, asked.login, asked.node):
                nonce = asked.nonce[:64]
                raise SameNonce(f'the nonce "{nonce}" is that of another request; send this one with a new nonce')
            return there, False
        row = asdict(asked) | {"state": step.target, "code": "", "words": "", "seen_by": ""}
        row |= {"asked_at": now.timestamp(), "changed_at": now.timestamp()}
        added = db.execute(sa.insert(actions).values(row))
        stored = self.get(db, int(added.lastrowid))
        self._record(db, stored, step, asked.login, Said(words=asked.reason), now)
        return stored, True

    def move(
        self, db: sa.Connection, stored: Stored, step: Step, by: str, now: datetime, said: Said = NOTHING
    ) -> Stored:
        """The action after a move that spends nothing.

        Raises MovedOn where it stands elsewhere meanwhile, or is none that the move is of.
        """
        if "lock" in step.writes or "budget" in step.writes:
            raise MovedOn(f"an action becomes {step.target} by way of the caps only")
        return self._move(db, stored, step, by, now, said)

    def reserve(
        self,
        db: sa.Connection,
        stored: Stored,
        step: Step,
        by: str,
        now: datetime,
        *,
        budget: Budget,
        since: datetime,
        why_not: WhyNot,
    ) -> Said | None:
        """Spends the budget, locks the node and moves the action, all in this transaction; why not, where not.

        What was spent since then is shown to `why_not`, of dry runs to a dry run and of real ones to a real one. Raises
        NodeBusy where somebody else has the lock, MovedOn as `move` does.
        """
        if not {"lock", "budget"} <= set(step.writes):
            raise MovedOn(f"an action that becomes {step.target} spends nothing")
        if said := why_not(self.spent(db, since, is_dry=stored.is_dry), self.locked(db)):
            return said
        if holder := self.holder(db, stored.node):
            raise NodeBusy(f"{holder.login} has {holder.action} {holder.id} under way on {holder.node}")
        row = budget._asdict() | {"action_id": stored.id, "is_dry": stored.is_dry, "at": now.timestamp()}
        db.execute(sa.insert(budgets).values(row))
        db.execute(sa.insert(locks).values(node=stored.node, action_id=stored.id, at=now.timestamp()))
        self._move(db, stored, step, by, now, NOTHING)
        return None

    def see(self, db: sa.Connection, stored: Stored, by: str, reason: str, now: datetime) -> None:
        """Takes note that a person has looked at what may have happened, or at another BMC that has answered.

        Raises MovedOn where there is nothing to look at.
        """
        unseen = sa.and_(actions.c.id == stored.id, sa.or_(_MAY_HAVE_HAPPENED, _OTHER_BMC))
        if db.execute(sa.update(actions).where(unseen).values(seen_by=by)).rowcount != 1:
            raise MovedOn(f"action {stored.id} is not one that somebody has to look at, or somebody has")
        self._chain.add(db, Event("action-seen", by, stored.node, reason, {"action_id": stored.id}), now)

    def remark(self, db: sa.Connection, stored: Stored, words: str, now: datetime) -> None:
        """Adds words to an action, which stays where it stands: a row of its moves that leads nowhere."""
        told = {"source": stored.state, "target": stored.state, "by": "agent", "code": "", "words": words}
        db.execute(sa.insert(moves).values(action_id=stored.id, at=now.timestamp(), **told))
        self._chain.add(db, Event("action-remark", "agent", stored.node, words, {"action_id": stored.id}), now)

    def _move(self, db: sa.Connection, stored: Stored, step: Step, by: str, now: datetime, said: Said) -> Stored:
        if stored.weight not in step.weights or step.is_dry not in (None, stored.is_dry):
            raise MovedOn(f"action {stored.id} is none that becomes {step.target}")
        stands = (actions.c.id == stored.id, actions.c.state == step.source)
        if db.execute(sa.update(actions).where(*stands).values(_changed(step, said, now))).rowcount != 1:
            raise MovedOn(f"action {stored.id} is no longer {step.source}; look at it again")
        if "unlock" in step.writes:
            db.execute(sa.delete(locks).where(locks.c.action_id == stored.id))
        self._record(db, stored, step, by, said, now)
        return self.get(db, stored.id)

    def _record(self, db: sa.Connection, stored: Stored, step: Step, by: str, said: Said, now: datetime) -> None:
        made = {"source": step.source, "target": step.target, "by": by, "code": said.code, "words": said.words}
        db.execute(sa.insert(moves).values(action_id=stored.id, at=now.timestamp(), **made))
        detail: dict[str, str | int] = {"action_id": stored.id, "action": stored.action, "dry": int(stored.is_dry)}
        if said.code:
            detail["code"] = said.code
        if said.is_certain is not None:
            detail["certain"] = int(said.is_certain)
        self._chain.add(db, Event(f"action-{step.target}", by, stored.node, said.words, detail), now)

    # ---- what there is ----

    def get(self, db: sa.Connection, id: int) -> Stored:
        """The action of this id. Raises MovedOn where there is none."""
        if 0 < id <= MAX_ID and (found := self._one(db, actions.c.id == id)):
            return found
        raise MovedOn(f"there is no action {id}")

    def of_nonce(self, db: sa.Connection, nonce: str) -> list[Stored]:
        """The action of a nonce, or the members of its batch; empty where nobody has used it."""
        return self._all(db, sa.or_(actions.c.nonce == nonce, actions.c.batch == nonce))

    def newest(self, db: sa.Connection, limit: int) -> list[Stored]:
        """The newest actions, the newest first."""
        return self._all(db, newest=limit)

    def on(self, db: sa.Connection, node: str) -> list[Stored]:
        """All actions on a node, the oldest first."""
        return self._all(db, actions.c.node == node)

    def ended(self, db: sa.Connection, states: Collection[str], limit: int) -> list[Stored]:
        """The newest of the actions that were sent and stand in one of these states."""
        return self._all(db, actions.c.sent_at.is_not(None), actions.c.state.in_(states), newest=limit)

    def under(self, db: sa.Connection, *states: str) -> list[Stored]:
        """The actions that stand in one of these states, the oldest first."""
        return self._all(db, actions.c.state.in_(states))

    def batch(self, db: sa.Connection, nonce: str) -> list[Stored]:
        """The members of a batch."""
        return self._all(db, actions.c.batch == nonce)

    def locked(self, db: sa.Connection) -> list[Stored]:
        """The actions that have a lock."""
        return self._all(db, actions.c.id.in_(sa.select(locks.c.action_id)))

    def holder(self, db: sa.Connection, node: str) -> Stored | None:
        """The action that has the lock of a node."""
        return self._one(db, actions.c.id.in_(sa.select(locks.c.action_id).where(locks.c.node == node)))

    def unseen(self, db: sa.Connection, node: str) -> Stored | None:
        """The newest action that may have happened to a node, and that nobody has looked at."""
        found = self._all(db, actions.c.node == node, _MAY_HAVE_HAPPENED)
        return found[-1] if found else None

    def met_other_bmc(self, db: sa.Connection, node: str) -> Stored | None:
        """The newest action that found another BMC than last time, and that nobody has looked at."""
        found = self._all(db, actions.c.node == node, _OTHER_BMC)
        return found[-1] if found else None

    def sent(self, db: sa.Connection, since: datetime) -> list[Stored]:
        """The actions that were sent since then, or that a clock says are yet to be."""
        return self._all(db, actions.c.sent_at > since.timestamp())

    def acted(self, db: sa.Connection, since: datetime) -> dict[str, list[datetime]]:
        """When botd acted on each node since then: when something was sent, and when it was settled."""
        found: dict[str, list[datetime]] = {}
        for each in self.sent(db, since):
            found.setdefault(each.node, []).extend(filter(None, (each.sent_at, each.changed_at)))
        return found

    def spent(self, db: sa.Connection, since: datetime, *, is_dry: bool) -> list[Spent]:
        """What was spent since then, by dry runs or by real ones: never both."""
        columns = (actions.c.node, actions.c.action, actions.c.weight, actions.c.login)
        query = (
            sa.select(*columns, budgets.c.role, budgets.c.incident, budgets.c.is_free)
            .add_columns(actions.c.sent_at.label("was_sent"), budgets.c.at, actions.c.id)
            .join_from(budgets, actions)
            .where(budgets.c.at > since.timestamp(), budgets.c.is_dry.is_(is_dry))
            .order_by(budgets.c.at)
        )
        return [_spent(row._asdict()) for row in db.execute(query)]

    def moves(self, db: sa.Connection, id: int) -> list[Made]:
        """Every move of an action, in their order."""
        columns = (moves.c.source, moves.c.target, moves.c.by, moves.c.code, moves.c.words, moves.c.at)
        query = sa.select(*columns).where(moves.c.action_id == id).order_by(moves.c.id)
        return [Made(*row[:5], _at(row.at)) for row in db.execute(query)]

    def _one(self, db: sa.Connection, *where: sa.ColumnElement[bool]) -> Stored | None:
        found = self._all(db, *where)
        return found[0] if found else None

    def _all(self, db: sa.Connection, *where: sa.ColumnElement[bool], newest: int | None = None) -> list[Stored]:
        """The oldest first, or so many of the newest, which then stand first."""
        query = sa.select(*(actions.c[name] for name in Stored._fields)).where(*where)
        query = query.order_by(actions.c.id) if newest is None else query.order_by(actions.c.id.desc()).limit(newest)
        return [_stored(row._asdict()) for row in db.execute(query)]


def _changed(step: Step, said: Said, now: datetime) -> dict[str, Any]:
    """The columns that a move changes."""
    values: dict[str, Any] = {"state": step.target, "changed_at": now.timestamp()}
    if "code" in step.writes:
        values |= {"code": said.code, "words": said.words}
    if "sent_at" in step.writes:
        values["sent_at"] = now.timestamp()
    if "certain" in step.writes:
        values["is_certain"] = bool(said.is_certain)
    return values


def _stored(row: dict[str, Any]) -> Stored:
    times = {"asked_at": _at(row["asked_at"]), "changed_at": _at(row["changed_at"])}
    return Stored(**{**row, **times, "sent_at": None if row["sent_at"] is None else _at(row["sent_at"])})


def _spent(row: dict[str, Any]) -> Spent:
    return Spent(**{**row, "was_sent": row["was_sent"] is not None, "at": _at(row["at"])})


def _at(seconds: float) -> datetime:
    """A time of the ledger. One that cannot be read is damage: what was spent then must not go uncounted."""
    found = to_time(seconds)
    if found is None:
        raise LEDGER.damaged(f"{seconds!r} is no time")
    return found
