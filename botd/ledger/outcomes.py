"""What came of actions, how long nodes were ill untouched, and when somebody looked: what confidence is counted from.

It lies in the ledger because it decides what is recommended. Rows of one source, node, action and time are one, so that
what is read out of the history twice is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from botd.audit import Event
from botd.errors import MovedOn
from botd.ledger.chain import Chain
from botd.ledger.schema import LEDGER, incidents, outcomes, spells, watches
from botd.sql.database import to_time

OWN, OBSERVED, IMPORTED = "own", "observed", "imported"

OPEN, GOOD, BAD, NOT_COUNTED = "open", "good", "bad", "not counted"
"""The verdicts of an outcome."""

DAY_S = 86_400


class Row(NamedTuple):
    """An outcome. `p` is the chance that was told before it, None where nothing was; `action_id` is None for others'.

    `ranked` is all that was told then, as JSON. `marked_by` is the person who said that it did harm, or was not it.
    """

    source: str
    node: str
    diagnosis: str
    action: str
    hardware: str
    at: datetime
    verdict: str = OPEN
    words: str = ""
    is_harm: bool = False
    p: float | None = None
    ranked: str = ""
    action_id: int | None = None
    marked_by: str = ""
    id: int = 0


class SpellRow(NamedTuple):
    """How long a node had a diagnosis untouched, and whether it was over then by itself."""

    source: str
    node: str
    diagnosis: str
    began_at: datetime
    hours: float
    healed: bool


class IncidentRow(NamedTuple):
    """A time in which a node was out of service, by slurmdbd."""

    node: str
    began_at: datetime
    ended_at: datetime


class Tallied(NamedTuple):
    """Outcomes of one day with all else in common."""

    diagnosis: str
    action: str
    hardware: str
    day: date
    source: str
    good: int
    bad: int
    harms: int


class Outcomes:
    """The outcomes. Each is read and written within a transaction of the caller's."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    # ---- what is added ----

    def add(self, db: sa.Connection, rows: Iterable[Row]) -> int:
        """Adds outcomes that are not there yet; how many."""
        return _add(db, outcomes, [_values(row) for row in rows])

    def add_spells(self, db: sa.Connection, rows: Iterable[SpellRow]) -> int:
        """Adds spells that are not there yet; how many."""
        return _add(db, spells, [row._asdict() | {"began_at": row.began_at.timestamp()} for row in rows])

    def add_incidents(self, db: sa.Connection, rows: Iterable[IncidentRow]) -> int:
        """Adds imported incidents that are not there yet; how many."""
        times = [(row.node, row.began_at.timestamp(), row.ended_at.timestamp()) for row in rows]
        return _add(db, incidents, [dict(zip(IncidentRow._fields, each, strict=True)) for each in times])

    def watch(self, db: sa.Connection, now: datetime, most: timedelta) -> None:
        """Takes note that nodes were looked at. A look within so long of the last one leaves no gap."""
        last = db.execute(sa.select(watches).order_by(watches.c.id.desc()).limit(1)).first()
        if last and timedelta(0) <= now - _at(last.until_at) <= most:
            db.execute(sa.update(watches).where(watches.c.id == last.id).values(until_at=now.timestamp()))
        else:
            db.execute(sa.insert(watches).values(began_at=now.timestamp(), until_at=now.timestamp()))

    # ---- what is judged ----

    def settle(self, db: sa.Connection, row: Row, verdict: str, words: str, *, is_harm: bool) -> None:
        """Writes what came of an open one. That somebody has said that it did harm stands."""
        values = {"verdict": verdict, "words": words[:500]} | ({"is_harm": True} if is_harm else {})
        db.execute(sa.update(outcomes).where(outcomes.c.id == row.id, outcomes.c.verdict == OPEN).values(values))

    def mark(self, db: sa.Connection, id: int, by: str, now: datetime, *, is_harm: bool, reason: str) -> None:
        """A person says that the action of this id did harm, or that it was not it.

        Raises MovedOn for an action of which nothing is judged.
        """
        verdict = {} if is_harm else {"verdict": NOT_COUNTED, "words": f"{by}: it was not this action"}
        values = {"is_harm": is_harm, "marked_by": by, **verdict}
        found = db.execute(sa.update(outcomes).where(outcomes.c.action_id == id).values(values))
        if found.rowcount != 1:
            raise MovedOn(
                f"action {id} is none of which the outcome is judged: that takes one that was sent, and mends"
            )
        node = db.scalar(sa.select(outcomes.c.node).where(outcomes.c.action_id == id))
        kind = "action-harm" if is_harm else "action-not-it"
        self._chain.add(db, Event(kind, by, str(node), reason, {"action_id": id}), now)

    def open_ones(self, db: sa.Connection) -> list[Row]:
        """Those of botd's own actions that are not judged yet."""
        return _rows(db, outcomes.c.verdict == OPEN, outcomes.c.source == OWN)

    # ---- what is counted ----

    def tallied(self, db: sa.Connection) -> list[Tallied]:
        """Good and bad outcomes by day, and those that did harm. What is open or not counted is neither."""
        day = sa.cast(outcomes.c.at / DAY_S, sa.Integer)
        keys = (outcomes.c.diagnosis, outcomes.c.action, outcomes.c.hardware, day, outcomes.c.source)
        sums = [sa.func.sum(sa.case((what, 1), else_=0)) for what in (_IS_GOOD, _IS_BAD, outcomes.c.is_harm.is_(True))]
        wanted = outcomes.c.verdict.in_((GOOD, BAD)) | outcomes.c.is_harm.is_(True)
        query = sa.select(*keys, *sums).where(wanted).group_by(*keys).order_by(*keys)
        return [
            Tallied(row[0], row[1], row[2], _at(row[3] * DAY_S).date(), row[4], *map(int, row[5:]))
            for row in db.execute(query)
        ]

    def spells(self, db: sa.Connection) -> list[tuple[str, float, bool]]:
        """Diagnosis, hours, and whether it healed, of every spell."""
        query = sa.select(spells.c.diagnosis, spells.c.hours, spells.c.healed)
        return [(row.diagnosis, float(row.hours), bool(row.healed)) for row in db.execute(query)]

    def incidents(self, db: sa.Connection, since: datetime, until: datetime) -> list[IncidentRow]:
        """The imported incidents that began since one time and were over at another, by node and time."""
        wanted = (incidents.c.began_at >= since.timestamp()) & (incidents.c.ended_at <= until.timestamp())
        query = sa.select(incidents).where(wanted).order_by(incidents.c.node, incidents.c.began_at)
        return [IncidentRow(row.node, _at(row.began_at), _at(row.ended_at)) for row in db.execute(query)]

    def told(self, db: sa.Connection) -> list[Row]:
        """Those for which a chance was told before, and which were judged then."""
        return _rows(db, outcomes.c.verdict.in_((GOOD, BAD)), outcomes.c.p.is_not(None))

    def revision(self, db: sa.Connection) -> Sequence[Any]:
        """What changes whenever something else is to be counted."""
        settled = sa.func.sum(sa.case((outcomes.c.verdict != OPEN, 1), else_=0))
        harms = sa.func.sum(sa.case((outcomes.c.is_harm.is_(True), 1), else_=0))
        marked = sa.func.sum(sa.case((outcomes.c.marked_by != "", 1), else_=0))
        of_outcomes = db.execute(sa.select(sa.func.count(), settled, harms, marked).select_from(outcomes)).one()
        return (*of_outcomes, db.scalar(sa.select(sa.func.count()).select_from(spells)))

    def blind(self, db: sa.Connection, begin: datetime, end: datetime) -> timedelta:
        """How long nobody looked in a time."""
        from_s, until_s = begin.timestamp(), end.timestamp()
        query = sa.select(watches).where(watches.c.until_at > from_s, watches.c.began_at < until_s)
        seen = sum(min(row.until_at, until_s) - max(row.began_at, from_s) for row in db.execute(query))
        return timedelta(seconds=max(0.0, until_s - from_s - seen))


_IS_GOOD, _IS_BAD = outcomes.c.verdict == GOOD, outcomes.c.verdict == BAD


def _add(db: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> int:
    return sum(db.execute(sqlite.insert(table).values(row).on_conflict_do_nothing()).rowcount for row in rows)


def _values(row: Row) -> dict[str, Any]:
    values = row._asdict() | {"at": row.at.timestamp(), "words": row.words[:500]}
    del values["id"]
    return values


def _rows(db: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Row]:
    query = sa.select(*(outcomes.c[name] for name in Row._fields)).where(*where).order_by(outcomes.c.id)
    return [Row(**{**row._asdict(), "at": _at(row.at), "is_harm": bool(row.is_harm)}) for row in db.execute(query)]


def _at(seconds: float) -> datetime:
    found = to_time(seconds)
    if found is None:
        raise LEDGER.damaged(f"{seconds!r} is no time")
    return found.astimezone(UTC)
