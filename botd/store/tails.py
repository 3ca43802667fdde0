"""Logs that somebody follows: the agent puts lines here, and a web process takes them away.

What nobody takes is bounded, in lines and in time. Who takes the lines says with that that somebody still reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from botd.sql.database import Database
from botd.store.schema import tail_lines, tails

MOST_UNREAD = 40
"""Rows of one log that may wait for who reads; each has the lines of a moment."""

UNHEARD = timedelta(seconds=15)
"""A log whose lines nobody has taken for so long is read by nobody."""

KEPT = timedelta(minutes=30)
"""Until what was forgotten here is deleted: no log is followed for so long."""

_HEARD_EVERY_S = 2.0

OVER = "the agent has ended it"


@dataclass(frozen=True, slots=True)
class Taken:
    """Lines, of how many before them there were too many, and why there will be no more: None while there may."""

    lines: list[str]
    left_out: int = 0
    why: str | None = None


class Tails:
    """The logs that are followed. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, node: str, log: str, now: datetime) -> int:
        """Says that a log is followed from now on; its number. What is old is deleted."""
        row = {"node": node, "log": log, "begun_at": now.timestamp(), "heard_at": now.timestamp()}
        old = sa.select(tails.c.id).where(tails.c.begun_at < (now - KEPT).timestamp())
        with self._db.write() as db:
            db.execute(sa.delete(tail_lines).where(tail_lines.c.tail.in_(old)))
            db.execute(sa.delete(tails).where(tails.c.begun_at < (now - KEPT).timestamp()))
            return int(db.execute(sa.insert(tails).values(**row).returning(tails.c.id)).scalar_one())

    def is_read(self, number: int, now: datetime) -> bool:
        """Whether somebody still reads it."""
        heard_at = sa.select(tails.c.heard_at).where(tails.c.id == number)
        with self._db.read() as db:
            found = db.scalar(heard_at)
        return isinstance(found, float) and found > (now - UNHEARD).timestamp()

    def add(self, number: int, lines: Sequence[str], left_out: int) -> bool:
        """Adds lines. Whether there was room for them."""
        mine = sa.select(sa.func.count()).select_from(tail_lines).where(tail_lines.c.tail == number)
        with self._db.write() as db:
            if (db.scalar(mine) or 0) >= MOST_UNREAD:
                return False
            db.execute(sa.insert(tail_lines).values(tail=number, left_out=left_out, lines=json.dumps(list(lines))))
        return True

    def end(self, number: int, why: str) -> None:
        """Says that no more will come, and why."""
        with self._db.write() as db:
            db.execute(sa.update(tails).where(tails.c.id == number).values(why=why))

    def take(self, number: int, now: datetime) -> Taken:
        """The lines that nobody has taken yet, which are deleted with that. Raises StoreDamaged for what are none."""
        mine = tail_lines.c.tail == number
        with self._db.read() as db:
            row = db.execute(sa.select(tails.c.heard_at, tails.c.why).where(tails.c.id == number)).one_or_none()
            waits = db.scalar(sa.select(tail_lines.c.id).where(mine).limit(1)) is not None
        if row is None:
            return Taken([], why=OVER)
        if not waits:  # looked for after its end, so that the last line is not missed
            self._hear(number, row.heard_at, now)
            return Taken([], why=row.why)
        found = sa.delete(tail_lines).where(mine).returning(tail_lines.c.id, tail_lines.c.lines, tail_lines.c.left_out)
        with self._db.write() as db:
            rows = sorted(db.execute(found).all())
            db.execute(sa.update(tails).where(tails.c.id == number).values(heard_at=now.timestamp()))
        return Taken([str(line) for row in rows for line in json.loads(row.lines)], sum(row.left_out for row in rows))

    def forget(self, number: int) -> None:
        """Says that nobody reads it any more, and deletes its lines."""
        with self._db.write() as db:
            db.execute(sa.delete(tail_lines).where(tail_lines.c.tail == number))
            db.execute(sa.delete(tails).where(tails.c.id == number))

    def clear(self) -> None:
        """Forgets all: an agent that starts follows nothing yet."""
        with self._db.write() as db:
            db.execute(sa.delete(tail_lines))
            db.execute(sa.delete(tails))

    def _hear(self, number: int, heard_at: float, now: datetime) -> None:
        if now.timestamp() - heard_at > _HEARD_EVERY_S:
            with self._db.write() as db:
                db.execute(sa.update(tails).where(tails.c.id == number).values(heard_at=now.timestamp()))
