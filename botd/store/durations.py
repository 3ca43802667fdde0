"""How long sweeps took, all that ever ended: each is counted at its end, so that to forget its record loses nothing."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple

import sqlalchemy as sa

from botd.sql.database import Database
from botd.store.schema import durations
from botd.text import is_number

UP_TO_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Seconds up to which a bucket counts; one more counts what took longer."""


class SweepDurations(NamedTuple):
    """How many sweeps took up to each bound and longer than the last, and how many seconds they took together."""

    counts: tuple[int, ...]
    total_s: float


class Durations:
    """The counts in the database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def read(self) -> SweepDurations:
        """All counts; what is damaged counts as nothing. Raises StoreUnavailable."""
        with self._db.read() as db:
            rows = db.execute(sa.select(durations)).all()
        found = {row.bucket: row for row in rows if _is_count(row.sweeps) and _is_count(row.seconds)}
        counts = tuple(int(found[at].sweeps) if at in found else 0 for at in range(len(UP_TO_S) + 1))
        return SweepDurations(counts, float(sum(row.seconds for row in found.values())))


def _is_count(value: object) -> bool:
    return is_number(value) and 0 <= value < math.inf


def count_sweep(database: Database, db: sa.Connection, took_s: float) -> None:
    """Counts a sweep in the transaction that ends it."""
    took_s = max(took_s, 0.0)  # the clock may have been set back
    new = database.insert(durations).values(bucket=bisect_left(UP_TO_S, took_s), sweeps=1, seconds=took_s)
    more = {"sweeps": durations.c.sweeps + 1, "seconds": durations.c.seconds + took_s}
    db.execute(new.on_conflict_do_update(index_elements=[durations.c.bucket], set_=more))
