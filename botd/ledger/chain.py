"""The audit in the ledger: rows are only ever added, each in the transaction of what it records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from botd.audit import Event, Row, next_row
from botd.errors import LedgerUnavailable
from botd.ledger.schema import audit


class Chain:
    """The rows. Each is read and written within a transaction of the caller's."""

    def add(self, db: sa.Connection, event: Event, now: datetime) -> Row:
        """Records an event behind the last row."""
        row = next_row(self.last(db), event, now)
        db.execute(sa.insert(audit).values(**row._asdict()))
        return row

    def last(self, db: sa.Connection) -> Row | None:
        """The newest row, None where there is none."""
        found = db.execute(sa.select(audit).order_by(audit.c.number.desc()).limit(1)).one_or_none()
        return _row(found) if found else None

    def hash_at(self, db: sa.Connection, number: int) -> str | None:
        """The hash of a row, None where there is no such row."""
        return db.scalar(sa.select(audit.c.hash).where(audit.c.number == number))

    def after(self, db: sa.Connection, number: int, limit: int) -> list[Row]:
        """At most so many rows behind one, in their order."""
        query = sa.select(audit).where(audit.c.number > number).order_by(audit.c.number).limit(limit)
        return [_row(found) for found in db.execute(query)]


def _row(found: Any) -> Row:
    """A row of the table. Raises ValueError for one that is damaged: in SQLite a flipped bit makes bytes of a text."""
    row = Row(*found)
    if not (isinstance(row.document, str) and isinstance(row.hash, str)):
        raise ValueError(f"row {row.number} of the audit cannot be read")
    return row


def read_chain(path: Path) -> Iterator[Row]:
    """The rows of a ledger that need not be in order, or in its place, in their order. Raises LedgerUnavailable.

    Nothing is made and nothing is mended: what is to be verified stays as it is.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.text_factory = partial(str, encoding="utf-8", errors="replace")  # a broken letter has its row's number
            yield from (Row(*found) for found in db.execute("SELECT number, document, hash FROM audit ORDER BY number"))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise LedgerUnavailable(f"the ledger {path} cannot be read: {error}") from error
