"""What people hold: sessions of a browser, and tokens for scripts. Of each there is a hash, and never itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

import sqlalchemy as sa

from botd.ledger.schema import sessions, tokens
from botd.sql.database import EPOCH, to_time

Kind = Literal["session", "token"]

TABLES: Mapping[Kind, sa.Table] = MappingProxyType({"session": sessions, "token": tokens})


@dataclass(frozen=True, slots=True)
class Holding:
    """A session or a token. `name` and `scope` are a token's; `address` and `proved_at` a session's.

    `proved_at` is when a code was last given within the session.
    """

    kind: Kind
    id: int
    hash: str
    login: str
    made_at: datetime
    until_at: datetime
    used_at: datetime | None = None
    address: str = ""
    proved_at: datetime | None = None
    name: str = ""
    scope: str = ""


class Holdings:
    """Sessions and tokens. Each is read and written within a transaction of the caller's."""

    def add_session(
        self, db: sa.Connection, hashed: str, login: str, address: str, now: datetime, until: datetime
    ) -> Holding:
        """Records a session that begins now, with a code that was just given."""
        values = {"address": address, "proved_at": now.timestamp(), "used_at": now.timestamp()}
        return self._add(db, "session", hashed, login, now, until, values)

    def add_token(
        self, db: sa.Connection, hashed: str, login: str, name: str, scope: str, now: datetime, until: datetime
    ) -> Holding:
        """Records a token that begins now."""
        return self._add(db, "token", hashed, login, now, until, {"name": name, "scope": scope})

    def _add(
        self,
        db: sa.Connection,
        kind: Kind,
        hashed: str,
        login: str,
        now: datetime,
        until: datetime,
        more: dict[str, Any],
    ) -> Holding:
        row = {"hash": hashed, "login": login, "made_at": now.timestamp(), "until_at": until.timestamp(), **more}
        table = TABLES[kind]
        made = db.execute(sa.insert(table).values(**row).returning(table.c.id)).scalar_one()
        return _holding(kind, db.execute(sa.select(table).where(table.c.id == made)).one())

    def find(self, db: sa.Connection, hashed: str) -> Holding | None:
        """The session or token with a hash, None where there is none."""
        for kind, table in TABLES.items():
            if row := db.execute(sa.select(table).where(table.c.hash == hashed)).one_or_none():
                return _holding(kind, row)
        return None

    def all(self, db: sa.Connection, login: str | None = None) -> list[Holding]:
        """Those of a person, or of everybody, sessions first."""
        found = []
        for kind, table in TABLES.items():
            query = sa.select(table).order_by(table.c.id)
            rows = db.execute(query if login is None else query.where(table.c.login == login))
            found += [_holding(kind, row) for row in rows]
        return found

    def get(self, db: sa.Connection, kind: Kind, number: int) -> Holding | None:
        """One by its number, None where there is none."""
        table = TABLES[kind]
        row = db.execute(sa.select(table).where(table.c.id == number)).one_or_none()
        return _holding(kind, row) if row else None

    def touch(self, db: sa.Connection, kind: Kind, number: int, now: datetime, *, proved: bool = False) -> None:
        """Records that one was used now, and with a code where `proved`."""
        table = TABLES[kind]
        values = {"used_at": now.timestamp()} | ({"proved_at": now.timestamp()} if proved else {})
        db.execute(sa.update(table).where(table.c.id == number).values(**values))

    def end(self, db: sa.Connection, kind: Kind, number: int) -> bool:
        """Ends one; whether it was there."""
        return db.execute(sa.delete(TABLES[kind]).where(TABLES[kind].c.id == number)).rowcount == 1


def _holding(kind: Kind, row: Any) -> Holding:
    found = row._mapping
    return Holding(
        kind,
        row.id,
        row.hash,
        row.login,
        to_time(row.made_at) or EPOCH,
        to_time(row.until_at) or EPOCH,
        to_time(row.used_at),
        found.get("address", ""),
        to_time(found.get("proved_at")),
        found.get("name", ""),
        found.get("scope", ""),
    )
