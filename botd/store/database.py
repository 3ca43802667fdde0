"""One database behind one interface: transactions, SQLite or PostgreSQL, and faults in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from botd.config import resolve_path
from botd.errors import ConfigError, StoreDamaged, StoreUnavailable
from botd.settings import Config
from botd.store.damage import set_aside_if_damaged


class Database:
    """An SQLite file or a PostgreSQL server. What it cannot do is StoreUnavailable."""

    def __init__(self, config: Config) -> None:
        """Opens nothing yet. Raises ConfigError for a URL that is neither SQLite nor PostgreSQL."""
        self._engine = _make_engine(config)
        self._writer = self._engine.execution_options(writes=True)

    def set_aside_if_damaged(self, now: datetime) -> str:
        """Keeps a damaged SQLite file aside and says so; empty where nothing is wrong. Raises StoreUnavailable."""
        url = self._engine.url
        try:
            return set_aside_if_damaged(Path(url.database or ""), now) if url.drivername == "sqlite" else ""
        except OSError as error:
            raise StoreUnavailable(f"the database is damaged and cannot be kept aside: {error}") from error

    def close(self) -> None:
        """Gives the connections back."""
        self._engine.dispose()

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that reads."""
        return _transaction(self._engine)

    def write(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that will write: it commits at the end and rolls back on any error."""
        return _transaction(self._writer)

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that can say what is to happen on a conflict."""
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)

    def upsert(self, table: sa.Table, *keys: str) -> Any:
        """An INSERT that replaces the row with the same keys."""
        insert = self.insert(table)
        values = {c.name: insert.excluded[c.name] for c in table.c if c.name not in keys}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=values)


def to_time(seconds: float | None) -> datetime | None:
    """A time of the database as everybody else has it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


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
        if "malformed" in reason:
            raise StoreDamaged(f"the database is damaged ({reason}); an agent that starts keeps it aside") from error
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
    sa.event.listen(engine, "checkout", _same_file)
    return engine


def _begin_sqlite(db: sa.Connection) -> None:
    """A transaction that will write says so at once: turning a read into a write later fails when others wrote."""
    db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options().get("writes") else "BEGIN")


def _same_file(_connection: Any, record: Any, _proxy: Any) -> None:
    """A connection to a file that was kept aside meanwhile is given up for one to the file that took its place."""
    path = record.info["path"]
    if not os.path.exists(path) or os.stat(path).st_ino != record.info["inode"]:
        raise sa.exc.DisconnectionError("the database file is another one now")


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """WAL lets readers go on while the agent writes; NORMAL survives the death of a process, which is the case here."""
    connection.isolation_level = None  # _begin_sqlite begins them
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    record.info.update(path=path, inode=os.stat(path).st_ino)
