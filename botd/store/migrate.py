"""The schema of a database, made or brought up to date by the migrations in `migrations/versions`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util.exc import CommandError

from botd.errors import ConfigError

FIRST = "0001"
"""The schema that was made before there were migrations: its tables are there, and no word of a version."""


def upgrade(db: sa.Connection) -> None:
    """Brings the database to the newest schema, within the caller's transaction: whole or not at all.

    Raises ConfigError for a database that a newer botd has made.
    """
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.attributes["connection"] = db
    tables = sa.inspect(db).get_table_names()
    try:
        if "pulse" in tables and "alembic_version" not in tables:
            command.stamp(settings, FIRST)
        command.upgrade(settings, "head")
    except CommandError as error:
        raise ConfigError(
            f"the database was made by a newer botd ({error}); install that, or use another file"
        ) from error
