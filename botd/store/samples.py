"""Numbers over time, for plots: what each node's load or free space was at each sweep of a day, thinner before that.

A row holds one moment of up to CHUNK nodes, as compressed 32-bit floats, node by node in the order of their numbers
and check by check within a node; NaN where nothing was read. So a sweep of 10,000 nodes is 40 rows, and the history
of one node is one row per moment.
"""

from __future__ import annotations

import logging
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count, filterfalse
from typing import Any

import sqlalchemy as sa

from botd.sql.database import Database
from botd.store.packing import Packing
from botd.store.schema import node_numbers, samples

CHUNK = 256
"""Nodes in a row: 10,000 nodes are 40 rows a sweep, and a row with four numbers of each is one page of SQLite."""

THIN_S = 3600
"""Seconds between the moments that stay when a day has passed."""

Numbers = Mapping[str, Mapping[str, float]]
"""Numbers by check, by node."""


log = logging.getLogger(__name__)

_NUMBERED = sa.select(node_numbers.c.node, node_numbers.c.number)


class Samples:
    """The numbers on record. One process writes them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def write(self, numbers: Numbers, at: datetime) -> None:
        """Adds the numbers of one moment."""
        checks = sorted({check for values in numbers.values() for check in values})
        if not checks:
            return
        with self._db.write() as db:
            chunks: dict[int, dict[int, Mapping[str, float]]] = {}
            for node, number in self._numbered(db, numbers).items():
                chunks.setdefault(number // CHUNK, {})[number % CHUNK] = numbers[node]
            moment = {"at": int(at.timestamp()), "checks": ",".join(checks)}
            packing = Packing()
            rows = [{**moment, "chunk": c, "numbers": _pack(packing, found, checks)} for c, found in chunks.items()]
            db.execute(self._db.upsert(samples, "chunk", "at"), rows)

    def _numbered(self, db: sa.Connection, nodes: Iterable[str]) -> dict[str, int]:
        """The number of each node; one that has none gets the next."""
        rows = db.execute(_NUMBERED).all()
        known = dict(rows)
        free = filterfalse({row.number for row in rows}.__contains__, count())
        new = {node: next(free) for node in nodes if node not in known}
        if new:
            db.execute(sa.insert(node_numbers), [{"node": node, "number": number} for node, number in new.items()])
        known |= new
        return {node: known[node] for node in nodes}

    def of_node(self, node: str, since: datetime, until: datetime) -> dict[str, list[tuple[int, float]]]:
        """For each check, the numbers of a node in that time as (seconds since the epoch, number), oldest first."""
        with self._db.read() as db:
            number = db.scalar(sa.select(node_numbers.c.number).where(node_numbers.c.node == node))
            if number is None:
                return {}
            span = samples.c.at.between(int(since.timestamp()), int(until.timestamp()))
            wanted = sa.select(samples.c.at, samples.c.checks, samples.c.numbers)
            query = wanted.where(samples.c.chunk == number // CHUNK, span).order_by(samples.c.at)
            rows = db.execute(query).all()
        found: dict[str, list[tuple[int, float]]] = {}
        packing, place = Packing(), number % CHUNK
        for at, names, numbers in rows:
            checks = names.split(",")
            values = _unpack(packing, numbers, len(checks))[place * len(checks) : (place + 1) * len(checks)]
            for check, value in zip(checks, values, strict=False):
                if not math.isnan(value):
                    found.setdefault(check, []).append((at, value))
        return found

    def thin(self, before: datetime) -> int:
        """Leaves one moment an hour, with the mean of that hour, of one chunk of nodes; how many rows it took.

        One call is one short transaction. 0 says that all rows older than `before` are thin already.
        """
        limit = int(before.timestamp()) // THIN_S * THIN_S
        hour = samples.c.at - samples.c.at % THIN_S
        crowded = (
            sa.select(samples.c.chunk, sa.func.min(samples.c.at).label("first"))
            .where(samples.c.at < limit)
            .group_by(samples.c.chunk, hour)
            .having(sa.func.count() > 1)
            .limit(1)
        )
        with self._db.write() as db:
            found = db.execute(crowded).one_or_none()
            if found is None:
                return 0
            begin = found.first // THIN_S * THIN_S
            span = (samples.c.chunk == found.chunk) & (samples.c.at >= begin) & (samples.c.at < begin + THIN_S)
            rows = db.execute(sa.select(samples).where(span)).all()
            db.execute(sa.delete(samples).where(span))
            db.execute(sa.insert(samples).values(chunk=found.chunk, at=found.first, **_mean(rows)))
            return len(rows)

    def prune(self, before: datetime) -> int:
        """Deletes the numbers of before that time; how many rows."""
        with self._db.write() as db:
            return int(db.execute(sa.delete(samples).where(samples.c.at < int(before.timestamp()))).rowcount)


def _pack(packing: Packing, values: Mapping[int, Mapping[str, float]], checks: Sequence[str]) -> bytes:
    """The numbers of a chunk's nodes, by place, as one row has them."""
    flat = array("f", [math.nan]) * (CHUNK * len(checks))
    for place, found in values.items():
        for i, check in enumerate(checks, place * len(checks)):
            flat[i] = found.get(check, math.nan)
    return packing.pack(flat.tobytes())


def _unpack(packing: Packing, numbers: bytes, checks: int) -> array[float]:
    """The numbers in a row; none where it is damaged, which a plot and a mean of many moments can do without."""
    try:
        found = array("f", packing.unpack(numbers))
        if len(found) % checks or len(found) > CHUNK * checks:
            raise ValueError(f"{len(found)} numbers of {checks} checks")
        return found
    except ValueError as error:
        log.warning("numbers of a moment are damaged and left out error=%s", error)
        return array("f")


def _mean(rows: Sequence[Any]) -> dict[str, Any]:
    """Several rows of a chunk as one: of each number the mean of those that were read."""
    checks = sorted({check for row in rows for check in row.checks.split(",")})
    sums: dict[int, dict[str, tuple[float, int]]] = {}
    packing = Packing()
    for row in rows:
        names = row.checks.split(",")
        for i, value in enumerate(_unpack(packing, row.numbers, len(names))):
            if not math.isnan(value):
                cell = sums.setdefault(i // len(names), {})
                total, count = cell.get(names[i % len(names)], (0.0, 0))
                cell[names[i % len(names)]] = (total + value, count + 1)
    means = {place: {check: total / count for check, (total, count) in cell.items()} for place, cell in sums.items()}
    return {"checks": ",".join(checks), "numbers": _pack(packing, means, checks)}
