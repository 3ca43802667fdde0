"""What changed, oldest first by id: readings, Slurm states and reasons."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from botd.errors import StoreDamaged
from botd.model import Change
from botd.sql.database import EPOCH, Database, to_time
from botd.store.copies import Copies
from botd.store.imported import IMPORTED_INCIDENTS, NOW, read_imported
from botd.store.schema import changes

PRUNE_ROWS = 2000
"""Rows that one transaction deletes: so few that a sweep which wants to write waits some milliseconds at most."""

MAX_NAMES = 500
"""Nodes that a query names; more are sorted out afterwards, because a database takes only so many parameters."""


class Changes:
    """The changes on record. Rows are never altered; ids grow and are not given twice."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, db: sa.Connection, found: Iterable[Change]) -> None:
        """Adds changes within a transaction of the caller's."""
        if rows := [_row(change) for change in found]:
            db.execute(sa.insert(changes), rows)

    def page(
        self,
        *,
        nodes: Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Change]:
        """At most `limit` changes, newest first: of these nodes, in this time, with ids below `before`."""
        query = sa.select(changes).order_by(changes.c.id.desc())
        if since is not None:
            query = query.where(changes.c.at >= since.timestamp())
        if until is not None:
            query = query.where(changes.c.at < until.timestamp())
        if before is not None:
            query = query.where(changes.c.id < before)
        if nodes is None or len(nodes) > MAX_NAMES:
            return self._some_of(query, nodes, limit)
        with self._db.read() as db:
            return [_change(row) for row in db.execute(query.where(changes.c.node.in_(sorted(nodes))).limit(limit))]

    def _some_of(self, query: sa.Select[Any], nodes: Collection[str] | None, limit: int) -> list[Change]:
        """The first rows of a query whose node is wanted, read no further than needed."""
        found: list[Change] = []
        with self._db.read() as db:
            for row in db.execution_options(yield_per=500).execute(query):
                if nodes is None or row.node in nodes:
                    found.append(_change(row))
                if len(found) == limit:
                    break
        return found

    def bad_since(self, since: datetime, subjects: Sequence[str]) -> list[Change]:
        """The changes for the worse of these subjects, in the order of their recording."""
        wanted = changes.c.is_bad & (changes.c.at >= since.timestamp()) & changes.c.subject.in_(subjects)
        with self._db.read() as db:
            return [_change(row) for row in db.execute(sa.select(changes).where(wanted).order_by(changes.c.id))]

    def news(self, subjects: Sequence[str], since: datetime) -> list[Change]:
        """The changes of these subjects of every node, in the order of their recording."""
        wanted = (changes.c.at >= since.timestamp()) & changes.c.subject.in_(subjects)
        with self._db.read() as db:
            return [_change(row) for row in db.execute(sa.select(changes).where(wanted).order_by(changes.c.id))]

    def about(self, nodes: Collection[str], subjects: Sequence[str], since: datetime) -> list[Change]:
        """The changes of these subjects of these nodes, in the order of their recording."""
        names, found = sorted(nodes), list[Change]()
        query = sa.select(changes).where(changes.c.at >= since.timestamp(), changes.c.subject.in_(subjects))
        with self._db.read() as db:
            for begin in range(0, len(names), MAX_NAMES):
                some = changes.c.node.in_(names[begin : begin + MAX_NAMES])
                found += map(_change, db.execute(query.where(some).order_by(changes.c.id)))
        return found

    def touched(self, subjects: Sequence[str], after: int | None) -> tuple[int, frozenset[str]]:
        """The id of the newest change of all, and the nodes with one of these subjects above the id `after`.

        With None for `after` no node is named.
        """
        newest = sa.select(sa.func.max(changes.c.id))
        with self._db.read() as db:
            last = db.scalar(newest) or 0
            if after is None:
                return last, frozenset()
            wanted = (changes.c.id > after) & changes.c.subject.in_(subjects)
            # Not `distinct`: SQLite (3.40) then walks the index of nodes, all of it.
            return last, frozenset(map(str, db.scalars(sa.select(changes.c.node).where(wanted))))

    def imported(self, key: str = NOW) -> dict[str, list[datetime]]:
        """When incidents that were over before the record began had begun, by node, as far as they were imported.

        They are those that diagnoses count, or of the whole YEAR.
        """
        try:
            return read_imported(Copies(self._db).get(IMPORTED_INCIDENTS, key))
        except StoreDamaged:
            return {}

    def last_words(self, subject: str | None = None) -> dict[tuple[str, str], str]:
        """The newest `new` of each node and subject, or of each node and this subject."""
        newest = sa.select(sa.func.max(changes.c.id)).group_by(changes.c.node, changes.c.subject)
        if subject is not None:
            newest = newest.where(changes.c.subject == subject)
        query = sa.select(changes.c.node, changes.c.subject, changes.c.new).where(changes.c.id.in_(newest))
        with self._db.read() as db:
            return {(row.node, row.subject): row.new for row in db.execute(query)}

    def newest(self, subject: str, after: int) -> list[Change]:
        """The newest change of this subject of each node that has one with an id above `after`, by id."""
        wanted = (changes.c.id > after) & (changes.c.subject == subject)
        # Grouped by no column: SQLite (3.40) would walk the index of nodes, all of it, and not the few newest rows.
        newest = sa.select(sa.func.max(changes.c.id)).where(wanted).group_by(changes.c.node.concat(""))
        query = sa.select(changes).where(changes.c.id.in_(newest)).order_by(changes.c.id)
        with self._db.read() as db:
            return list(map(_change, db.execute(query)))

    def record(self, found: Iterable[Change]) -> None:
        """Adds changes in a transaction of their own."""
        with self._db.write() as db:
            self.add(db, found)

    def prune(self, *, good_before: datetime, bad_before: datetime) -> int:
        """Deletes some of the changes that are too old, those for the worse by their own limit; how many."""
        good = ~changes.c.is_bad & (changes.c.at < good_before.timestamp())
        bad = changes.c.is_bad & (changes.c.at < bad_before.timestamp())
        old = sa.select(changes.c.id).where(good | bad).limit(PRUNE_ROWS)
        with self._db.write() as db:
            return int(db.execute(sa.delete(changes).where(changes.c.id.in_(old))).rowcount)


def _row(change: Change) -> dict[str, Any]:
    return {
        "at": change.at.timestamp(),
        "node": change.node,
        "subject": change.subject,
        "old": change.old,
        "new": change.new,
        "why": change.why,
        "is_bad": change.is_bad,
    }


def _change(row: Any) -> Change:
    number, at, *texts, is_bad = row
    if set(map(type, texts)) != {str}:  # damaged: bytes
        texts = [text if isinstance(text, str) else repr(text) for text in texts]
    node, subject, old, new, why = texts
    return Change(node, subject, old, new, to_time(at) or EPOCH, why, bool(is_bad), number)  # no time: damaged, too
