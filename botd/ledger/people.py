"""People in the ledger, and what they prove themselves with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from botd.ledger.schema import credentials, people
from botd.sql.database import Database, to_time


@dataclass(frozen=True, slots=True)
class Known:
    """A person as the ledger has them. `password_hash` and `otp_secret` are empty where there is none.

    `otp_step` is that of the last code that was accepted.
    """

    login: str
    roles: tuple[str, ...]
    added_at: datetime | None
    locked_at: datetime | None
    locked_why: str
    password_hash: str
    otp_secret: str
    otp_step: int

    def __repr__(self) -> str:
        """Without what proves them: a traceback or a log may show it."""
        return f"Known({self.login!r})"


class People:
    """The people. Each is read and written within a transaction of the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, db: sa.Connection, login: str) -> Known | None:
        """A person, None where there is none of that login."""
        row = db.execute(_KNOWN.where(people.c.login == login)).one_or_none()
        return _known(row) if row else None

    def all(self, db: sa.Connection) -> list[Known]:
        """Everybody, by login."""
        return [_known(row) for row in db.execute(_KNOWN.order_by(people.c.login))]

    def add(self, db: sa.Connection, login: str, roles: Sequence[str], now: datetime) -> bool:
        """Adds a person; whether there was none of that login."""
        row = {"login": login, "roles": ",".join(roles), "added_at": now.timestamp()}
        made = db.execute(self._db.insert(people).values(**row).on_conflict_do_nothing()).rowcount == 1
        if made:
            db.execute(sa.insert(credentials).values(login=login, otp_step=0))
        return made

    def remove(self, db: sa.Connection, login: str) -> None:
        """Takes a person away, with what proves them."""
        for table in (credentials, people):
            db.execute(sa.delete(table).where(table.c.login == login))

    def set_roles(self, db: sa.Connection, login: str, roles: Sequence[str]) -> None:
        """Gives a person these roles, and no other."""
        db.execute(sa.update(people).where(people.c.login == login).values(roles=",".join(roles)))

    def set_locked(self, db: sa.Connection, login: str, at: datetime | None, why: str = "") -> None:
        """Locks a person, or unlocks them where `at` is None."""
        values = {"locked_at": at.timestamp() if at else None, "locked_why": why}
        db.execute(sa.update(people).where(people.c.login == login).values(**values))

    def set_password(self, db: sa.Connection, login: str, hashed: str) -> None:
        """Puts a password in the place of the one before."""
        db.execute(sa.update(credentials).where(credentials.c.login == login).values(password_hash=hashed))

    def set_otp(self, db: sa.Connection, login: str, secret: str, step: int) -> None:
        """Puts a secret for codes in the place of the one before; the code of `step` has been accepted already."""
        values = {"otp_secret": secret, "otp_step": step}
        db.execute(sa.update(credentials).where(credentials.c.login == login).values(**values))

    def use_step(self, db: sa.Connection, login: str, secret: str, step: int) -> bool:
        """Uses up the code of a step; False where that or a later one was used, or the secret is another one now.

        One statement: of any number that try at once, one is told True.
        """
        unused = (credentials.c.login == login) & (credentials.c.otp_secret == secret) & (credentials.c.otp_step < step)
        return db.execute(sa.update(credentials).where(unused).values(otp_step=step)).rowcount == 1


_KNOWN = sa.select(people, credentials.c.password_hash, credentials.c.otp_secret, credentials.c.otp_step).join_from(
    people, credentials, people.c.login == credentials.c.login
)


def _known(row: Any) -> Known:
    return Known(
        row.login,
        tuple(filter(None, row.roles.split(","))),
        to_time(row.added_at),
        to_time(row.locked_at),
        row.locked_why or "",
        row.password_hash or "",
        row.otp_secret or "",
        row.otp_step,
    )
