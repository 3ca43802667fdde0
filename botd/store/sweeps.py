"""Sweeps: those that web processes ask for, and how far each is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from botd import nodeset
from botd.errors import TooMany, UnknownSweep
from botd.model import ENDED, Sweep, SweepState
from botd.sql.database import EPOCH, Database, to_time
from botd.store.durations import count_sweep
from botd.store.schema import pulse, sweeps
from botd.text import is_number, one_line

KEPT_SWEEPS = 500
"""Ended sweeps whose record is kept for clients that still ask."""

MAX_INTEGER = 2**31 - 1
"""What an integer column holds (PostgreSQL); a number beyond 2**63 cannot even be asked for (sqlite3)."""


@dataclass(frozen=True, slots=True)
class SweepFigures:
    """What /metrics says of the sweeps on record."""

    by_state: Mapping[str, int]
    last: Sweep | None
    errors: int


class Stage(NamedTuple):
    """How far a sweep is: how many of its nodes are finished, and the revision of the readings at that moment."""

    state: SweepState
    done: int
    revision: int


class Sweeps:
    """The sweeps on record. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def request(
        self, nodes: Sequence[str], checks: Sequence[str], max_age_s: float, now: datetime, *, queue_limit: int
    ) -> int:
        """The id of the sweep that will read this: one that is already waiting or running, else a new one.

        Raises TooMany when `queue_limit` sweeps are waiting.
        """
        key = _fingerprint(nodes, checks, max_age_s)
        same = sa.select(sweeps.c.id).where(sweeps.c.open_key == key)
        with self._db.write() as db:
            found = db.scalar(same)
            if found is not None:
                return int(found)
            waiting = db.scalar(sa.select(sa.func.count()).where(sweeps.c.state == SweepState.QUEUED)) or 0
            if waiting >= queue_limit:
                raise TooMany(f"{waiting} sweeps are waiting already; try again in a minute")
            row = _sweep_row(nodes, checks, max_age_s, now, SweepState.QUEUED) | {"open_key": key}
            new = db.execute(self._db.insert(sweeps).values(**row).on_conflict_do_nothing().returning(sweeps.c.id))
            made = new.scalar_one_or_none()
            return int(made if made is not None else db.execute(same).scalar_one())

    def start(self, nodes: Sequence[str], checks: Sequence[str], now: datetime) -> Sweep:
        """Records a sweep that the agent starts by itself, running from now."""
        row = _sweep_row(nodes, checks, 0.0, now, SweepState.RUNNING) | {"started_at": now.timestamp()}
        with self._db.write() as db:
            made = db.execute(sa.insert(sweeps).values(**row).returning(sweeps.c.id)).scalar_one()
            return _sweep(db.execute(sa.select(sweeps).where(sweeps.c.id == made)).one())

    def claim(self, now: datetime) -> Sweep | None:
        """Takes the sweep that has waited longest and marks it running; None when none waits."""
        oldest = sa.select(sweeps.c.id).where(sweeps.c.state == SweepState.QUEUED).order_by(sweeps.c.id).limit(1)
        with self._db.read() as db:
            waiting = db.scalar(oldest)
        if waiting is None:
            return None
        values = {"state": SweepState.RUNNING, "started_at": now.timestamp()}
        with self._db.write() as db:
            db.execute(sa.update(sweeps).where(sweeps.c.id == waiting).values(**values))
            row = db.execute(sa.select(sweeps).where(sweeps.c.id == waiting)).one()
        # Who asks for readings of now is asked for no less than a full login.
        sweep = _sweep(row)
        return replace(sweep, fresh=sweep.max_age_s == 0)

    def progress(self, sweep_id: int, done: int) -> None:
        """Records how many nodes are finished."""
        with self._db.write() as db:
            db.execute(sa.update(sweeps).where(sweeps.c.id == sweep_id).values(done=done))

    def end(self, sweep_id: int, state: SweepState, errors: Sequence[str], now: datetime) -> None:
        """Marks a sweep as over, and forgets the oldest ones."""
        values: dict[str, Any] = {"state": state, "ended_at": now.timestamp(), "open_key": None}
        values |= {"errors": json.dumps(list(errors))}
        if state is SweepState.DONE:
            values["done"] = sweeps.c.total
        with self._db.write() as db:
            ended = sa.update(sweeps).where(sweeps.c.id == sweep_id).values(**values).returning(sweeps.c.started_at)
            started_s = db.execute(ended).scalar_one_or_none()
            if is_number(started_s):
                count_sweep(self._db, db, now.timestamp() - started_s)
            db.execute(sa.delete(sweeps).where(sweeps.c.id <= sweep_id - KEPT_SWEEPS, sweeps.c.open_key.is_(None)))

    def cut(self, now: datetime, *, but: Collection[int] = ()) -> int:
        """Marks as cut what neither waits nor is over, but for these; how many those are.

        They are what a dead agent left running, and rows with a state that there is none of.
        """
        values = {"state": SweepState.CUT, "ended_at": now.timestamp(), "open_key": None}
        left = sweeps.c.state.not_in((SweepState.QUEUED, *ENDED)) & sweeps.c.id.not_in(but)
        with self._db.write() as db:
            return db.execute(sa.update(sweeps).where(left).values(**values)).rowcount

    def get(self, sweep_id: int) -> Sweep:
        """One sweep. Raises UnknownSweep."""
        return _sweep(self._row(sweep_id, sweeps))

    def _row(self, sweep_id: int, *columns: Any) -> Any:
        """These columns of one sweep. Raises UnknownSweep."""
        row = None
        if sweep_id <= MAX_INTEGER:
            with self._db.read() as db:
                row = db.execute(sa.select(*columns).where(sweeps.c.id == sweep_id)).one_or_none()
        if row is None:
            raise UnknownSweep(f"there is no sweep {str(sweep_id)[:20]}, or it is too long ago")
        return row

    def stage(self, sweep_id: int) -> Stage:
        """How far a sweep is: what a follower looks at again and again, so in one question. Raises UnknownSweep."""
        revision = sa.select(pulse.c.revision).scalar_subquery()
        row = self._row(sweep_id, sweeps.c.state, sweeps.c.done, revision.label("revision"))
        return Stage(_state(row.state), row.done, row.revision)

    def running(self) -> list[Sweep]:
        """The sweeps that are under way, oldest first."""
        query = sa.select(sweeps).where(sweeps.c.state == SweepState.RUNNING).order_by(sweeps.c.id)
        with self._db.read() as db:
            found = [_sweep(row) for row in db.execute(query)]
        return [sweep for sweep in found if not sweep.is_over]

    def figures(self) -> SweepFigures:
        """Counts of the sweeps on record, and the one that ended last."""
        ended = sa.select(sweeps).where(sweeps.c.ended_at.is_not(None)).order_by(sweeps.c.ended_at.desc()).limit(1)
        with self._db.read() as db:
            counts = db.execute(
                sa.select(sweeps.c.state, sa.func.count().label("count_")).group_by(sweeps.c.state)
            ).all()
            last = db.execute(ended).one_or_none()
            errors = db.scalar(sa.select(sa.func.count()).where(sweeps.c.errors != "[]")) or 0
        return SweepFigures({str(row.state): row.count_ for row in counts}, _sweep(last) if last else None, errors)


def _fingerprint(nodes: Iterable[str], checks: Iterable[str], max_age_s: float) -> str:
    text = json.dumps([sorted(nodes), sorted(checks), max_age_s])
    return hashlib.sha256(text.encode()).hexdigest()


def _sweep_row(
    nodes: Sequence[str], checks: Sequence[str], max_age_s: float, now: datetime, state: SweepState
) -> dict[str, Any]:
    return {
        "state": state,
        "nodes": nodeset.fold(nodes),
        "checks": ",".join(checks),
        "max_age_s": max_age_s,
        "requested_at": now.timestamp(),
        "done": 0,
        "total": len(nodes),
        "errors": "[]",
    }


def _sweep(row: Any) -> Sweep:
    """The sweep of a row; one that was cut, and why, where the row cannot be read."""
    try:
        return _read(row)
    except (TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        why = f"its record in the database is damaged ({one_line(str(error))}); ask again"
        return Sweep(row.id, SweepState.CUT, nodeset="", checks=(), max_age_s=0.0, requested_at=EPOCH, errors=(why,))


def _read(row: Any) -> Sweep:
    """The sweep of a row. Raises what a damaged one may."""
    errors = json.loads(row.errors)
    if not isinstance(errors, list) or not all(isinstance(error, str) for error in errors):
        raise ValueError("errors that are no list of texts")
    if not isinstance(row.nodes, str) or not 0 <= row.done <= row.total or row.max_age_s < 0:
        raise ValueError("nodes that are no text, or numbers that cannot be")
    sweep = Sweep(
        id=row.id,
        state=SweepState(row.state),
        nodeset=row.nodes,
        checks=tuple(row.checks.split(",")) if row.checks else (),
        max_age_s=row.max_age_s,
        requested_at=datetime.fromtimestamp(row.requested_at, UTC),
        started_at=to_time(row.started_at),
        ended_at=to_time(row.ended_at),
        done=row.done,
        total=row.total,
        errors=tuple(errors),
    )
    _ = sweep.since  # a time that there is none of
    return sweep


def _state(word: str) -> SweepState:
    """The state of a row; a word that is none means that nothing more will come of it."""
    return SweepState(word) if word in set(SweepState) else SweepState.CUT
