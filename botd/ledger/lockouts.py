"""Failures in a row, and what is locked for them; and the nonces of proofs that were used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from botd.ledger.schema import lockouts, used_proofs
from botd.sql.database import Database, to_time

MOST = 10_000
"""Subjects that are remembered: a login that is tried need not exist."""

NONCES_KEPT = timedelta(days=30)
"""Much longer than any proof is good for: a clock may be wrong."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often a subject failed, since when, until when it is locked for that, or until somebody unlocks it."""

    subject: str
    count: int = 0
    since_at: datetime | None = None
    until_at: datetime | None = None
    is_held: bool = False


class Lockouts:
    """The failures. Each is read and written within a transaction of the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, db: sa.Connection, subject: str) -> Failures:
        """The failures of a subject."""
        row = db.execute(sa.select(lockouts).where(lockouts.c.subject == subject)).one_or_none()
        if row is None:
            return Failures(subject)
        return Failures(subject, row.failures, to_time(row.since_at), to_time(row.until_at), bool(row.is_held))

    def put(self, db: sa.Connection, failures: Failures, now: datetime) -> None:
        """Writes the failures of a subject, and forgets the oldest of too many, but for those that are held."""
        row = {
            "subject": failures.subject,
            "failures": failures.count,
            "since_at": (failures.since_at or now).timestamp(),
            "until_at": failures.until_at.timestamp() if failures.until_at else None,
            "is_held": failures.is_held,
        }
        db.execute(self._db.upsert(lockouts, "subject"), [row])
        if (db.scalar(sa.select(sa.func.count()).select_from(lockouts)) or 0) > MOST:
            oldest = sa.select(lockouts.c.subject).where(~lockouts.c.is_held).order_by(lockouts.c.since_at)
            db.execute(sa.delete(lockouts).where(lockouts.c.subject.in_(oldest.limit(MOST // 10))))

    def drop(self, db: sa.Connection, subject: str) -> None:
        """Forgets the failures of a subject."""
        db.execute(sa.delete(lockouts).where(lockouts.c.subject == subject))


class Nonces:
    """The nonces. Each is written within a transaction of the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def use(self, db: sa.Connection, nonce: str, login: str, now: datetime) -> bool:
        """Uses up a nonce; False where it was used before, by anybody. Old ones are forgotten."""
        db.execute(sa.delete(used_proofs).where(used_proofs.c.used_at < (now - NONCES_KEPT).timestamp()))
        row = {"nonce": nonce, "login": login, "used_at": now.timestamp()}
        return db.execute(self._db.insert(used_proofs).values(**row).on_conflict_do_nothing()).rowcount == 1
