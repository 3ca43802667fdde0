"""The tables. What they look like in a database that exists is the work of the migrations beside this file.

Readings are kept as compressed JSON documents of many nodes, because they are always written and read together.
Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from botd.sql.migrate import Schema
from botd.sql.words import SHARED

metadata = sa.MetaData()

SCHEMA = Schema(metadata, Path(__file__).parent / "migrations", SHARED, first=("pulse", "0001"))

NAME = sa.String(253).with_variant(sa.Text, "postgresql")
"""A name of any length: SQLite minds none, and PostgreSQL would refuse a longer one with all that comes with it."""

pulse = sa.Table(
    "pulse",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
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
    sa.Column("note", sa.Text),
    sa.Column("history_since", sa.Float),
)

latest = sa.Table(
    "latest",
    metadata,
    # Given by who writes, in the same transaction that counts the revision.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, nullable=False, index=True),
    # Their names, joined by commas.
    sa.Column("nodes", sa.Text, nullable=False),
    sa.Column("readings", sa.LargeBinary, nullable=False),
)

node_list = sa.Table(
    "node_list",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # Packed, with a checksum.
    sa.Column("document", sa.LargeBinary, nullable=False),
)

copies = sa.Table(
    "copies",
    metadata,
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    # JSON.
    sa.Column("document", sa.Text, nullable=False),
)

asks = sa.Table(
    "asks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # UNIQUE makes the same ask, sent twice, one.
    sa.Column("nonce", sa.String(64), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    # Empty once it is answered.
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("answered_at", sa.Float),
    # JSON.
    sa.Column("answer", sa.Text),
    sqlite_autoincrement=True,
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

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("node", NAME, nullable=False),
    sa.Column("subject", sa.String(64).with_variant(sa.Text, "postgresql"), nullable=False),
    sa.Column("old", sa.Text, nullable=False),
    sa.Column("new", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("is_bad", sa.Boolean(create_constraint=False), nullable=False),
    sa.Index("ix_changes_node", "node", "id"),
    # An id is a place in the timeline that clients hold on to: a deleted one is never given again.
    sqlite_autoincrement=True,
)

node_numbers = sa.Table(
    "node_numbers",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("node", NAME, nullable=False, unique=True),
)

samples = sa.Table(
    "samples",
    metadata,
    # The nodes with the numbers from chunk * CHUNK on, all their numbers of one moment in one row.
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("checks", sa.Text, nullable=False),
    sa.Column("numbers", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

durations = sa.Table(
    "durations",
    metadata,
    # Which of the buckets of `botd.store.durations`.
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sweeps", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)

tails = sa.Table(
    "tails",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("node", NAME, nullable=False),
    sa.Column("log", sa.String(32), nullable=False),
    sa.Column("begun_at", sa.Float, nullable=False),
    # When somebody last took its lines.
    sa.Column("heard_at", sa.Float, nullable=False),
    # Why it has ended, NULL while it has not.
    sa.Column("why", sa.Text),
    # Who reads the lines of one must not get those of a later one.
    sqlite_autoincrement=True,
)

tail_lines = sa.Table(
    "tail_lines",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tail", sa.Integer, nullable=False, index=True),
    # How many lines before these there was no room for.
    sa.Column("left_out", sa.Integer, nullable=False),
    # JSON: the lines of a moment.
    sa.Column("lines", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("node", NAME, nullable=False, index=True),
    # Packed, with a checksum.
    sa.Column("document", sa.LargeBinary, nullable=False),
    # A page that was opened long ago must not end another note than it showed.
    sqlite_autoincrement=True,
)
