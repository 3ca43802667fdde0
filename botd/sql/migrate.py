"""The schema of a database, made or brought up to date by the migrations in `migrations/versions`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from botd.sql.words import Words

SOON = 16
"""Versions after the newest that a newer botd may have made."""


@dataclass(frozen=True)
class Schema:
    """The tables of a database, and the folder of the migrations to them.

    `first` names a table and the version of a database that has it and no word of a version: the schema that was made
    before there were migrations.
    """

    metadata: sa.MetaData
    migrations: Path
    words: Words
    first: tuple[str, str] = ("", "")


def upgrade(db: sa.Connection, schema: Schema) -> None:
    """Brings the database to the newest schema, within the caller's transaction: whole or not at all.

    Raises ConfigError for a database that a newer botd has made, StoreDamaged for one that lacks what it must have.
    """
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(schema.migrations))
    settings.attributes["connection"] = db
    tables = sa.inspect(db).get_table_names()
    try:
        table, version = schema.first
        if table in tables and "alembic_version" not in tables:
            command.stamp(settings, version)
        command.upgrade(settings, "head")
    except CommandError as error:
        if _is_flipped(db, settings):
            raise schema.words.damaged(str(error)) from error
        raise schema.words.too_new(str(error)) from error
    if lacking := _lacking(db, schema):
        raise schema.words.damaged(f"there is no {lacking[0]}")


def _is_flipped(db: sa.Connection, settings: AlembicConfig) -> bool:
    """Whether the version is the newest with one bit flipped, and no version that comes soon after it."""
    head = ScriptDirectory.from_config(settings).get_current_head() or ""
    found = str(db.scalar(sa.text("SELECT version_num FROM alembic_version")))
    bits = sum((a ^ b).bit_count() for a, b in zip(found.encode(), head.encode(), strict=False))
    return len(found) == len(head) and bits == 1 and not (found.isdecimal() and int(found) - int(head) < SOON)


def _lacking(db: sa.Connection, schema: Schema) -> list[str]:
    """The tables and columns that are not there."""
    inspector = sa.inspect(db)
    found = {
        table: {column["name"] for column in inspector.get_columns(table)} for table in inspector.get_table_names()
    }
    return [
        f"{table.name}.{column.name}"
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if column.name not in found.get(table.name, ())
    ]
