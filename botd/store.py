"""The only place that speaks SQL: latest readings, the node list, sweeps, and the agent's pulse.

Web processes and the agent share one database. The agent writes readings and the node list; a web process writes
only wishes: a sweep it wants, a node list it wants refreshed. `pulse` is a single row that says all a web process
must know for each request: whether anything changed since it last looked, and whether the agent is alive.

Readings are kept as one JSON document per node, because they are always written and read together. Times are
seconds since the epoch, UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from botd import nodeset
from botd.config import Config, resolve_path
from botd.errors import ConfigError, StoreUnavailable, TooMany, UnknownSweep
from botd.model import Sweep, SweepState

SCHEMA_VERSION = 1

KEPT_SWEEPS = 500
"""Ended sweeps whose record is kept for clients that still ask."""

ALIVE_S = 10.0
"""An agent that has not beaten for this long counts as not running."""

metadata = sa.MetaData()

pulse = sa.Table(
    "pulse",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, default=0),
    sa.Column("revised_at", sa.Float),
    sa.Column("list_revision", sa.Integer, nullable=False, default=0),
    sa.Column("list_as_of", sa.Float),
    sa.Column("list_tried_at", sa.Float),
    sa.Column("list_wanted_at", sa.Float),
    sa.Column("list_status", sa.Integer),
    sa.Column("list_error", sa.Text),
    sa.Column("agent_pid", sa.Integer),
    sa.Column("agent_name", sa.Text),
    sa.Column("agent_beat_at", sa.Float),
)

_TIMES = {column.name for column in pulse.c if isinstance(column.type, sa.Float)}

latest = sa.Table(
    "latest",
    metadata,
    sa.Column("node", sa.String(253), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False, index=True),
    sa.Column("readings", sa.LargeBinary, nullable=False),
)

node_list = sa.Table(
    "node_list",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

sweeps = sa.Table(
    "sweeps",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # The fingerprint of what is asked while the sweep is queued or running, NULL afterwards: UNIQUE then makes
    # two requests for the same thing meet in one sweep, in any database and whatever the timing.
    sa.Column("open_key", sa.String(64), unique=True),
    sa.Column("state", sa.String(10), nullable=False, index=True),
    sa.Column("nodes", sa.Text, nullable=False),
    sa.Column("checks", sa.Text, nullable=False),
    sa.Column("max_age_s", sa.Float, nullable=False),
    sa.Column("requested_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("errors", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class Pulse:
    """The one row that changes whenever anything does. `list_status` is the HTTP status of `list_error`."""

    revision: int
    revised_at: datetime | None
    list_revision: int
    list_as_of: datetime | None
    list_tried_at: datetime | None
    list_wanted_at: datetime | None
    list_status: int | None
    list_error: str | None
    agent_pid: int | None
    agent_name: str | None
    agent_beat_at: datetime | None


@dataclass(frozen=True, slots=True)
class SweepFigures:
    """What /metrics says of the sweeps on record."""

    by_state: Mapping[str, int]
    last: Sweep | None
    errors: int


class Store:
    """One database. Every method is one transaction; what the database cannot do is StoreUnavailable."""

    def __init__(self, config: Config) -> None:
        """Opens nothing yet. Raises ConfigError for a URL that is neither SQLite nor PostgreSQL."""
        self._engine = _make_engine(config)
        self._writer = self._engine.execution_options(writes=True)

    def create(self) -> None:
        """Makes the tables that are missing. Raises ConfigError for a database of another schema version."""
        with self._write() as db:
            metadata.create_all(db)
            if db.scalar(sa.select(pulse.c.id)) is None:
                db.execute(sa.insert(pulse).values(id=1, schema_version=SCHEMA_VERSION))
            version = db.scalar(sa.select(pulse.c.schema_version))
        if version != SCHEMA_VERSION:
            raise ConfigError(f"the database has schema {version}, this botd needs {SCHEMA_VERSION}; use another file")

    def close(self) -> None:
        """Gives the connections back."""
        self._engine.dispose()

    def pulse(self) -> Pulse:
        """The pulse as it is now."""
        columns = [column for column in pulse.c if column.name not in ("id", "schema_version")]
        with self._read() as db:
            row = db.execute(sa.select(*columns)).one_or_none()
        if row is None:
            raise StoreUnavailable("the database is empty; start `botd agent`, which makes it")
        values: dict[str, Any] = {k: _time(v) if k in _TIMES else v for k, v in row._mapping.items()}
        return Pulse(**values)

    # ---- latest readings ----

    def readings_since(self, revision: int) -> dict[str, bytes]:
        """The JSON documents of the nodes whose readings were written after this revision."""
        query = sa.select(latest.c.node, latest.c.readings).where(latest.c.revision > revision)
        with self._read() as db:
            return {row.node: bytes(row.readings) for row in db.execute(query)}

    def write_readings(self, documents: Mapping[str, bytes], now: datetime) -> None:
        """Replaces the documents of these nodes, all or none, under one new revision."""
        if not documents:
            return
        with self._write() as db:
            db.execute(sa.update(pulse).values(revision=pulse.c.revision + 1, revised_at=now.timestamp()))
            revision = db.scalar(sa.select(pulse.c.revision))
            rows = [{"node": n, "revision": revision, "readings": document} for n, document in documents.items()]
            db.execute(self._upsert(latest, "node"), rows)

    # ---- the node list ----

    def node_list(self) -> bytes | None:
        """The JSON document of the last good node list, None when there never was one."""
        with self._read() as db:
            return db.scalar(sa.select(node_list.c.document))

    def write_node_list(
        self, document: bytes | None, *, as_of: datetime | None, error: tuple[int, str] | None, now: datetime
    ) -> None:
        """Records one attempt to read the node list.

        `document` is None where it did not change; `as_of` is when Slurm last answered, and `error` the HTTP
        status and text of why it did not this time. The last good list stays until there is a better one.
        """
        status, message = error or (None, None)
        values: dict[str, Any] = {"list_tried_at": now.timestamp(), "list_status": status, "list_error": message}
        if as_of is not None:
            values["list_as_of"] = as_of.timestamp()
        if document is not None:
            values["list_revision"] = pulse.c.list_revision + 1
        with self._write() as db:
            if document is not None:
                db.execute(self._upsert(node_list, "id"), [{"id": 1, "document": document}])
            db.execute(sa.update(pulse).values(**values))

    def want_node_list(self, now: datetime) -> None:
        """Asks the agent for a node list read after `now`."""
        with self._write() as db:
            db.execute(sa.update(pulse).values(list_wanted_at=now.timestamp()))

    # ---- sweeps ----

    def request_sweep(
        self, nodes: Sequence[str], checks: Sequence[str], max_age_s: float, now: datetime, *, queue_limit: int
    ) -> int:
        """The id of the sweep that will read this: one that is already waiting or running, else a new one.

        Raises TooMany when `queue_limit` sweeps are waiting.
        """
        key = _fingerprint(nodes, checks, max_age_s)
        same = sa.select(sweeps.c.id).where(sweeps.c.open_key == key)
        with self._write() as db:
            found = db.scalar(same)
            if found is not None:
                return int(found)
            waiting = db.scalar(sa.select(sa.func.count()).where(sweeps.c.state == SweepState.QUEUED)) or 0
            if waiting >= queue_limit:
                raise TooMany(f"{waiting} sweeps are waiting already; try again in a minute")
            row = _sweep_row(nodes, checks, max_age_s, now, SweepState.QUEUED) | {"open_key": key}
            new = db.execute(self._insert(sweeps).values(**row).on_conflict_do_nothing().returning(sweeps.c.id))
            made = new.scalar_one_or_none()
            return int(made if made is not None else db.execute(same).scalar_one())

    def start_sweep(self, nodes: Sequence[str], checks: Sequence[str], now: datetime) -> Sweep:
        """Records a sweep that the agent starts by itself, running from now."""
        row = _sweep_row(nodes, checks, 0.0, now, SweepState.RUNNING) | {"started_at": now.timestamp()}
        with self._write() as db:
            made = db.execute(sa.insert(sweeps).values(**row).returning(sweeps.c.id)).scalar_one()
            return _sweep(db.execute(sa.select(sweeps).where(sweeps.c.id == made)).one())

    def claim_sweep(self, now: datetime) -> Sweep | None:
        """Takes the sweep that has waited longest and marks it running; None when none waits."""
        oldest = sa.select(sweeps.c.id).where(sweeps.c.state == SweepState.QUEUED).order_by(sweeps.c.id).limit(1)
        with self._read() as db:
            waiting = db.scalar(oldest)
        if waiting is None:
            return None
        values = {"state": SweepState.RUNNING, "started_at": now.timestamp()}
        with self._write() as db:
            db.execute(sa.update(sweeps).where(sweeps.c.id == waiting).values(**values))
            return _sweep(db.execute(sa.select(sweeps).where(sweeps.c.id == waiting)).one())

    def progress_sweep(self, sweep_id: int, done: int) -> None:
        """Records how many nodes are finished."""
        with self._write() as db:
            db.execute(sa.update(sweeps).where(sweeps.c.id == sweep_id).values(done=done))

    def end_sweep(self, sweep_id: int, state: SweepState, errors: Sequence[str], now: datetime) -> None:
        """Marks a sweep as over, and forgets the oldest ones."""
        values: dict[str, Any] = {"state": state, "ended_at": now.timestamp(), "open_key": None}
        values |= {"errors": json.dumps(list(errors))}
        if state is SweepState.DONE:
            values["done"] = sweeps.c.total
        with self._write() as db:
            db.execute(sa.update(sweeps).where(sweeps.c.id == sweep_id).values(**values))
            db.execute(sa.delete(sweeps).where(sweeps.c.id <= sweep_id - KEPT_SWEEPS, sweeps.c.open_key.is_(None)))

    def cut_sweeps(self, now: datetime) -> int:
        """Marks the sweeps that a dead agent left running as cut; their number. Waiting ones go on waiting."""
        values = {"state": SweepState.CUT, "ended_at": now.timestamp(), "open_key": None}
        with self._write() as db:
            return db.execute(sa.update(sweeps).where(sweeps.c.state == SweepState.RUNNING).values(**values)).rowcount

    def sweep(self, sweep_id: int) -> Sweep:
        """One sweep. Raises UnknownSweep."""
        with self._read() as db:
            row = db.execute(sa.select(sweeps).where(sweeps.c.id == sweep_id)).one_or_none()
        if row is None:
            raise UnknownSweep(f"there is no sweep {sweep_id}, or it is too long ago")
        return _sweep(row)

    def sweep_figures(self) -> SweepFigures:
        """Counts of the sweeps on record, and the one that ended last."""
        ended = sa.select(sweeps).where(sweeps.c.ended_at.is_not(None)).order_by(sweeps.c.ended_at.desc()).limit(1)
        with self._read() as db:
            counts = db.execute(
                sa.select(sweeps.c.state, sa.func.count().label("count_")).group_by(sweeps.c.state)
            ).all()
            last = db.execute(ended).one_or_none()
            errors = db.scalar(sa.select(sa.func.count()).where(sweeps.c.errors != "[]")) or 0
        return SweepFigures({row.state: row.count_ for row in counts}, _sweep(last) if last else None, errors)

    # ---- the agent ----

    def beat(self, pid: int, name: str, now: datetime) -> None:
        """Records that the agent is alive."""
        with self._write() as db:
            db.execute(sa.update(pulse).values(agent_pid=pid, agent_name=name, agent_beat_at=now.timestamp()))

    def _insert(self, table: sa.Table) -> Any:
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)

    def _upsert(self, table: sa.Table, key: str) -> Any:
        insert = self._insert(table)
        values = {c.name: insert.excluded[c.name] for c in table.c if c.name != key}
        return insert.on_conflict_do_update(index_elements=[key], set_=values)

    def _read(self) -> AbstractContextManager[sa.Connection]:
        return _transaction(self._engine)

    def _write(self) -> AbstractContextManager[sa.Connection]:
        return _transaction(self._writer)


@contextmanager
def _transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that commits at the end and rolls back on any error."""
    try:
        with engine.begin() as db:
            yield db
    except sa.exc.DBAPIError as error:
        reason = str(error.orig).splitlines()[0] if error.orig else "no reason given"
        if "no such table" in reason or "does not exist" in reason:
            raise StoreUnavailable("the database is empty; start `botd agent`, which makes it") from error
        raise StoreUnavailable(f"the database cannot be used now ({reason}); try again") from error


def _make_engine(config: Config) -> sa.Engine:
    try:
        url = sa.make_url(config.store.url)
    except sa.exc.ArgumentError as error:
        raise ConfigError(f'[store] url is not a database URL: "{config.store.url}"') from error
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, pool_pre_ping=True)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise ConfigError('[store] url must begin with "sqlite:///" and a file, or with "postgresql"')
    url = url.set(database=str(resolve_path(config, url.database)))
    engine = sa.create_engine(url, connect_args={"timeout": config.store.timeout})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(db: sa.Connection) -> None:
    """A transaction that will write says so at once: turning a read into a write later fails when others wrote."""
    db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options().get("writes") else "BEGIN")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while the agent writes; NORMAL survives the death of a process, which is the case here."""
    connection.isolation_level = None  # _begin_sqlite begins them
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


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
    return Sweep(
        id=row.id,
        state=SweepState(row.state),
        nodes=tuple(nodeset.expand(row.nodes)) if row.nodes else (),
        checks=tuple(row.checks.split(",")) if row.checks else (),
        max_age_s=row.max_age_s,
        requested_at=datetime.fromtimestamp(row.requested_at, UTC),
        started_at=_time(row.started_at),
        ended_at=_time(row.ended_at),
        done=row.done,
        total=row.total,
        errors=tuple(json.loads(row.errors)),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
