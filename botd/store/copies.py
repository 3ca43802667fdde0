"""What the agent tells of its ledger, for the web part to show.

Whoever can write this database can write here what he likes: a copy shows, and never permits. The agent judges by its
ledger alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from botd.sql.database import Database
from botd.store.schema import copies


class Copies:
    """JSON documents by kind and key. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, kind: str, documents: Mapping[str, Any]) -> None:
        """Writes some documents of a kind, each under its key."""
        rows = [{"kind": kind, "key": key, "document": json.dumps(document)} for key, document in documents.items()]
        with self._db.write() as db:
            db.execute(self._db.upsert(copies, "kind", "key"), rows)

    def drop(self, kind: str, *keys: str) -> None:
        """Takes these documents away, of which there may be any number: others write here too."""
        gone = sa.delete(copies).where(copies.c.kind == kind, copies.c.key == sa.bindparam("gone"))
        with self._db.write() as db:
            db.execute(gone, [{"gone": key} for key in keys])

    def clear(self, kind: str, *, until: str | None = None) -> None:
        """Takes away the documents of a kind: all of them, or those whose keys are not behind this one."""
        old = copies.c.kind == kind
        with self._db.write() as db:
            db.execute(sa.delete(copies).where(old if until is None else old & (copies.c.key <= until)))

    def get(self, kind: str, key: str) -> Any:
        """One document, None where there is none. Raises StoreDamaged for what is no JSON."""
        with self._db.read() as db:
            text = db.scalar(sa.select(copies.c.document).where(copies.c.kind == kind, copies.c.key == key))
            return None if text is None else json.loads(text)

    def all(self, kind: str) -> dict[str, Any]:
        """The documents of a kind by key, in the order of their keys. Raises StoreDamaged for what is no JSON."""
        query = sa.select(copies.c.key, copies.c.document).where(copies.c.kind == kind).order_by(copies.c.key)
        with self._db.read() as db:
            return {row.key: json.loads(row.document) for row in db.execute(query)}

    def newest(self, kind: str, before: str | None, limit: int) -> dict[str, Any]:
        """At most so many documents of a kind, the last keys first: those before one. Raises StoreDamaged."""
        query = sa.select(copies.c.key, copies.c.document).where(copies.c.kind == kind)
        if before is not None:
            query = query.where(copies.c.key < before)
        with self._db.read() as db:
            return {
                row.key: json.loads(row.document)
                for row in db.execute(query.order_by(copies.c.key.desc()).limit(limit))
            }
