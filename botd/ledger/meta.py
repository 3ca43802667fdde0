"""What the ledger knows of itself: words under fixed keys."""

from __future__ import annotations

import sqlalchemy as sa

from botd.ledger.schema import meta
from botd.sql.database import Database


class Meta:
    """The words. Each is read and written within a transaction of the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, db: sa.Connection, key: str) -> str:
        """The word under a key, empty where there is none."""
        return str(db.scalar(sa.select(meta.c.value).where(meta.c.key == key)) or "")

    def set(self, db: sa.Connection, key: str, value: str) -> None:
        """Writes a word."""
        db.execute(self._db.upsert(meta, "key"), [{"key": key, "value": value}])
