"""Databases as an older botd left them: an older schema, with all rows of it that a newer one has."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from botd.sql.migrate import Schema


def make_older(path: Path, schema: Schema, version: str) -> None:
    """Gives a database of SQLite that nobody has open the schema of a version; its owner, group and mode stay."""
    newer = path.with_suffix(".newer")
    was = path.stat()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = delete")
    path.rename(newer)
    settings = Config()
    settings.set_main_option("script_location", str(schema.migrations))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, version)
    engine.dispose()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ATTACH ? AS newer", (str(newer),))
        for table in tables(db) - {"alembic_version"}:
            columns = ", ".join(row[1] for row in db.execute(f"PRAGMA table_info({table})"))
            db.execute(f"DELETE FROM {table}")
            db.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM newer.{table}")
    newer.unlink()
    os.chown(path, was.st_uid, was.st_gid)
    path.chmod(was.st_mode & 0o777)


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    """All rows of a table, sorted by its first column."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


def version_of(path: Path) -> str:
    """The version of its schema."""
    return str(rows(path, "alembic_version")[0][0])


def tables(db: sqlite3.Connection) -> set[str]:
    """The tables of the main database."""
    listed = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {row[0] for row in listed}
