"""The newest readings of every node, in rows of many nodes, because a sweep writes many at once.

A row holds the readings of up to BATCH nodes as one compressed JSON document and is never altered. Newer readings of
a node are in a row with a greater revision, so rows merged in the order of their revisions are the newest of each. A
row that holds the newest readings of hardly any node is dissolved: what is still the newest goes into another row
under the revision that it had, so that nobody who has read it reads it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from botd.documents import NodeReadings, decode, encode
from botd.errors import StoreDamaged
from botd.model import Change
from botd.sql.database import Database
from botd.store.changes import Changes
from botd.store.packing import Packing, unpacked
from botd.store.schema import latest, pulse

BATCH = 256
"""Nodes in a row: 10,000 nodes are 40 rows of some 25 kB, and one node's change costs the reading of one row."""

SPARSE = 4
"""A row with the newest readings of fewer than one in SPARSE of its nodes is dissolved. So after each write the rows
have at most SPARSE times as many readings as are the newest of a node, however few nodes each write was of."""

READINGS = "readings in the database"

Row = dict[str, Any]


class Readings:
    """The newest readings. A write is all or nothing, and several processes may write."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._db = database
        self._changes = changes
        self._places: _Places | None = None

    def since(self, revision: int) -> dict[str, NodeReadings]:
        """The readings of the nodes that were written after this revision. Raises StoreDamaged."""
        query = sa.select(latest).where(_since(revision)).order_by(latest.c.revision)
        found: dict[str, NodeReadings] = {}
        with self._db.read() as db:
            rows = db.execute(query).all()
        for row in rows:
            found.update(_unpack(row))
        return found

    def nodes_since(self, revision: int) -> set[str]:
        """The nodes whose readings were written after this revision."""
        query = sa.select(latest.c.nodes).where(_since(revision))
        with self._db.read() as db:
            return {node for nodes in db.scalars(query) for node in nodes.split(",")}

    def write(self, readings: Mapping[str, NodeReadings], now: datetime, *, changes: Sequence[Change] = ()) -> None:
        """Replaces the readings of these nodes under one new revision, and adds what changed: all of it or none."""
        if not readings:
            return
        packed = list(_packed(readings))
        with self._db.write() as db:
            revision = _new_revision(db, now)
            # Until the end of the transaction nobody knows whether what is noted here comes true.
            places, self._places = self._places, None
            if places is None or places.revision != revision - 1:
                places = _read_places(db)
            _insert(db, places, revision, packed)
            _dissolve(db, places, places.sparse())
            self._changes.add(db, changes)
        places.revision = revision
        self._places = places

    def drop_damaged(self, now: datetime) -> list[str]:
        """Deletes the rows that cannot be read any more, or are of no revision that there was; the nodes in them."""
        with self._db.read() as db:
            counted = db.scalar(sa.select(pulse.c.revision)) or 0
            rows = db.execute(sa.select(latest)).all()
        damaged = {row.id: row.nodes.split(",") for row in rows if not _was_counted(row, counted) or _is_damaged(row)}
        if damaged:
            with self._db.write() as db:
                _new_revision(db, now)  # who writes must learn that these rows are gone
                _delete(db, damaged)
        return sorted({node for nodes in damaged.values() for node in nodes})


class _Places:
    """Which row has the newest readings of each node, as of a revision. Read once, then kept by who writes."""

    def __init__(self) -> None:
        self.revision = 0
        self._row_of: dict[str, int] = {}
        self._sizes: dict[int, int] = {}

    def add(self, row: int, nodes: Sequence[str]) -> None:
        """Notes a row that has the newest readings of these nodes."""
        self._row_of.update(dict.fromkeys(nodes, row))
        self._sizes[row] = len(nodes)

    def new_row(self) -> int:
        """A number that no row has."""
        return max(self._sizes, default=0) + 1

    def sparse(self) -> dict[int, bool]:
        """The rows to dissolve, and of each whether anything in it is still the newest of a node."""
        newest = Counter(self._row_of.values())
        return {row: row in newest for row, size in self._sizes.items() if newest[row] * SPARSE < size}

    def is_newest(self, row: int, node: str) -> bool:
        """Whether this row has the newest readings of the node."""
        return self._row_of.get(node) == row

    def remove(self, row: int) -> None:
        """Forgets a row that has the newest readings of no node."""
        del self._sizes[row]


def _since(revision: int) -> sa.ColumnElement[bool]:
    """Which rows were written after a revision. One of a revision to come is damaged."""
    return (latest.c.revision > revision) & (latest.c.revision <= sa.select(pulse.c.revision).scalar_subquery())


def _was_counted(row: sa.Row[Any], counted: object) -> bool:
    """Whether there was such a revision. In SQLite a flipped bit makes a text of either number."""
    return isinstance(row.revision, int) and isinstance(counted, int) and row.revision <= counted


def _new_revision(db: sa.Connection, now: datetime) -> int:
    """The next revision, counted; nobody else counts until the end of the transaction.

    It is greater than that of each row, also where what was counted is damaged.
    """
    known = sa.select(sa.func.coalesce(sa.func.max(latest.c.revision), 0)).scalar_subquery()
    last = sa.case((pulse.c.revision >= known, pulse.c.revision), else_=known)
    counted = sa.update(pulse).values(revision=last + 1, revised_at=now.timestamp())
    return int(db.execute(counted.returning(pulse.c.revision)).scalar_one())


def _read_places(db: sa.Connection) -> _Places:
    """The places as the rows say; their readings stay unread."""
    places = _Places()
    for row in db.execute(sa.select(latest.c.id, latest.c.nodes).order_by(latest.c.revision)):
        places.add(row.id, row.nodes.split(","))
    return places


def _insert(db: sa.Connection, places: _Places, revision: int, packed: Iterable[tuple[list[str], bytes]]) -> None:
    """Adds rows under a revision, and notes where the newest readings of their nodes are now."""
    rows: list[Row] = []
    for nodes, readings in packed:
        row = places.new_row()
        places.add(row, nodes)
        rows.append({"id": row, "revision": revision, "nodes": ",".join(nodes), "readings": readings})
    db.execute(sa.insert(latest), rows)


def _dissolve(db: sa.Connection, places: _Places, rows: Mapping[int, bool]) -> None:
    """Deletes rows, after what is still the newest of a node has gone into new ones."""
    kept: dict[int, dict[str, NodeReadings]] = {}
    for row in (row for row, has_newest in rows.items() if has_newest):
        found = db.execute(sa.select(latest).where(latest.c.id == row)).one()
        newest = {node: each for node, each in _unpack(found).items() if places.is_newest(row, node)}
        kept.setdefault(found.revision, {}).update(newest)
    for revision, readings in kept.items():
        _insert(db, places, revision, _packed(readings))
    for row in rows:
        places.remove(row)
    _delete(db, rows)


def _delete(db: sa.Connection, rows: Iterable[int]) -> None:
    if gone := [{"row": row} for row in rows]:
        db.execute(sa.delete(latest).where(latest.c.id == sa.bindparam("row")), gone)


def _packed(readings: Mapping[str, NodeReadings]) -> Iterator[tuple[list[str], bytes]]:
    """The readings as rows have them, with the nodes of each."""
    nodes, packing = list(readings), Packing()
    for begin in range(0, len(nodes), BATCH):
        some = nodes[begin : begin + BATCH]
        yield some, packing.pack(encode({node: readings[node] for node in some}))


def _unpack(row: Any) -> dict[str, NodeReadings]:
    """The readings in a row, by node. Raises StoreDamaged."""
    mended_by = "the agent, or the next sweep of all nodes, replaces them"
    try:
        found: dict[str, NodeReadings] = decode(unpacked(row.readings, READINGS, mended_by))
    except ValueError as error:
        raise StoreDamaged(f"{READINGS} are damaged ({error}); {mended_by}") from error
    if not isinstance(found, dict) or ",".join(found) != row.nodes:
        raise StoreDamaged(f"{READINGS} are damaged (of other nodes than they say); {mended_by}")
    return found


def _is_damaged(row: Any) -> bool:
    try:
        _unpack(row)
    except StoreDamaged:
        return True
    return False
