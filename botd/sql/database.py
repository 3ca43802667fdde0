"""One database behind one interface: transactions, SQLite or PostgreSQL, and faults in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from botd.config import resolve_path
from botd.errors import ConfigError, StoreDamaged, StoreEmpty, StoreUnavailable
from botd.settings import Config
from botd.sql.damage import check_kind, find_damage, is_damage, is_ours, set_aside
from botd.sql.words import Words

UNREADABLE = (
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    sa.exc.MultipleResultsFound,
    sa.exc.NoResultFound,
)
"""What is raised where a column holds something else than its type says."""


EPOCH = datetime.fromtimestamp(0, UTC)


class Database:
    """An SQLite file or a PostgreSQL server. What it cannot do is StoreUnavailable."""

    def __init__(
        self, config: Config, url: str, words: Words, *, synchronous: str = "NORMAL", read_only: bool = False
    ) -> None:
        """Opens nothing yet. Raises ConfigError for a URL that is neither SQLite nor PostgreSQL.

        `synchronous` is SQLite's: with NORMAL the last transactions may be lost with the machine's power, which the
        death of a process does not do; with FULL not even those. With `read_only` nothing is written and no file made.
        """
        self._words = words
        self._engine = _make_engine(config, url, words, synchronous, read_only)
        self._writer = self._engine.execution_options(writes=True)
        made = self._engine.url
        self.path = Path(made.database or "") if made.get_backend_name() == "sqlite" and not read_only else None

    def set_aside_if_damaged(self, now: datetime) -> str:
        """Keeps a damaged SQLite file aside and says so; empty where nothing is wrong. Raises StoreUnavailable."""
        if not self.path:
            return ""
        check_kind(self.path, self._words.setting)
        damage = find_damage(self.path)
        return self._kept_aside(self.path, damage, now) if damage else ""

    def set_aside(self, now: datetime, error: StoreDamaged) -> str:
        """Keeps an SQLite file aside because of what was found in it. Raises that where there is no such file."""
        if not self.path or not is_ours(self.path):
            raise error
        return self._kept_aside(self.path, str(error), now)

    def _kept_aside(self, path: Path, damage: str, now: datetime) -> str:
        self._engine.dispose()
        try:
            return set_aside(path, damage, now)
        except OSError as error:
            raise StoreUnavailable(f"the database is damaged and cannot be kept aside: {error}") from error

    def close(self) -> None:
        """Gives the connections back."""
        self._engine.dispose()

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that reads."""
        return _transaction(self._engine, self._words)

    def write(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that will write: it commits at the end and rolls back on any error."""
        return _transaction(self._writer, self._words)

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that can say what is to happen on a conflict."""
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)

    def upsert(self, table: sa.Table, *keys: str) -> Any:
        """An INSERT that replaces the row with the same keys."""
        insert = self.insert(table)
        values = {c.name: insert.excluded[c.name] for c in table.c if c.name not in keys}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=values)


def to_time(seconds: float | None) -> datetime | None:
    """A time of the database as everybody else has it. One that there is none of is not known."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OSError, OverflowError, TypeError, ValueError):
        return None


@contextmanager
def _transaction(engine: sa.Engine, words: Words) -> Iterator[sa.Connection]:
    """A transaction that commits at the end and rolls back on any error."""
    try:
        with engine.begin() as db:
            yield db
    except sa.exc.DBAPIError as error:
        raise _in_words(error.orig, words) from error
    except UNREADABLE as error:  # by a value that botd does not write
        raise words.damaged(str(error)) from error
    except sa.exc.InvalidRequestError as error:
        raise words.unusable(str(error)) from error


def _in_words(error: BaseException | None, words: Words) -> StoreUnavailable:
    """What a database says is wrong, as an error of ours."""
    reason = next(iter(str(error).splitlines()), "") or "no reason given"
    if "no such table" in reason or ("relation" in reason and "does not exist" in reason):
        return StoreEmpty()
    if is_damage(error) or "no such column" in reason or "already exists" in reason:
        return words.damaged(reason)
    return words.unusable(reason)


def _make_engine(config: Config, text: str, words: Words, synchronous: str, read_only: bool) -> sa.Engine:
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise ConfigError(f'{words.setting} is not a database URL: "{text}"') from error
    if url.get_backend_name() == "postgresql":
        # A server that is not there would hold up who can do without it for minutes.
        limits = {"connect_timeout": ceil(config.store.timeout)} if read_only else {}
        options = {"postgresql_readonly": read_only}
        return sa.create_engine(url, pool_pre_ping=True, connect_args=limits, execution_options=options)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise ConfigError(f'{words.setting} must begin with "sqlite:///" and a file, or with "postgresql"')
    path = resolve_path(config, url.database)
    check_kind(path, words.setting)
    url = url.set(database=str(path))
    if read_only:
        url = url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    engine = sa.create_engine(url, connect_args={"timeout": config.store.timeout})
    sa.event.listen(engine, "connect", partial(_prepare_sqlite, synchronous))
    sa.event.listen(engine, "begin", _begin_sqlite)
    sa.event.listen(engine, "checkout", _same_file)
    return engine


def _begin_sqlite(db: sa.Connection) -> None:
    """A transaction that will write says so at once: turning a read into a write later fails when others wrote."""
    db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options().get("writes") else "BEGIN")


def _same_file(_connection: Any, record: Any, _proxy: Any) -> None:
    """A connection to a file that was kept aside meanwhile is given up for one to the file that took its place."""
    try:
        inode = os.stat(record.info["path"]).st_ino
    except OSError:
        inode = 0
    if inode != record.info["inode"]:
        raise sa.exc.DisconnectionError("the database file is another one now")


def _prepare_sqlite(synchronous: str, connection: Any, record: Any) -> None:
    """WAL lets readers go on while the agent writes."""
    connection.isolation_level = None  # _begin_sqlite begins them
    # One broken letter must not keep all rows beside it from being read.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    record.info.update(path=path, inode=os.stat(path).st_ino)
