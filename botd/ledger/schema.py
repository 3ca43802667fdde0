"""The tables of the ledger. What they look like in one that exists is the work of the migrations beside this file.

Times are seconds since the epoch, UTC. Of a secret that only needs to be compared there is a hash; what a code is
worked out from stands in clear, which is why nobody but the agent reads this file.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from botd.sql.migrate import Schema
from botd.sql.words import Words

LEDGER = Words("the ledger", "[ledger] url", "acting stays off until it is restored from a backup, see docs/ledger.rst")

metadata = sa.MetaData()

SCHEMA = Schema(metadata, Path(__file__).parent / "migrations", LEDGER)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("login", sa.String(64), primary_key=True),
    # Their names, joined by commas.
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("added_at", sa.Float, nullable=False),
    # Since when somebody has locked them, and why.
    sa.Column("locked_at", sa.Float),
    sa.Column("locked_why", sa.Text),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("login", sa.String(64), sa.ForeignKey("people.login", ondelete="CASCADE"), primary_key=True),
    # As argon2 writes it, with its parameters and salt.
    sa.Column("password_hash", sa.Text),
    # In base 32.
    sa.Column("otp_secret", sa.Text),
    # The step of 30 s of the last code that was accepted: neither that nor an earlier one is accepted again.
    sa.Column("otp_step", sa.Integer, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("login", sa.String(64), nullable=False, index=True),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Column("used_at", sa.Float, nullable=False),
    sa.Column("until_at", sa.Float, nullable=False),
    # When a code was last given within it.
    sa.Column("proved_at", sa.Float),
    # An id stands in the audit: one that is over is never given again.
    sqlite_autoincrement=True,
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("login", sa.String(64), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scope", sa.String(8), nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Column("used_at", sa.Float),
    sa.Column("until_at", sa.Float, nullable=False),
    sqlite_autoincrement=True,
)

lockouts = sa.Table(
    "lockouts",
    metadata,
    # `login anna` or `address 10.0.0.7`.
    sa.Column("subject", sa.String(128), primary_key=True),
    # Failures in a row of a login, or in the window of an address that began at `since_at`.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("since_at", sa.Float, nullable=False),
    # Until when it is locked for them, and whether only a person may unlock it.
    sa.Column("until_at", sa.Float),
    sa.Column("is_held", sa.Boolean(create_constraint=False), nullable=False),
)

used_proofs = sa.Table(
    "used_proofs",
    metadata,
    sa.Column("nonce", sa.String(128), primary_key=True),
    sa.Column("login", sa.String(64), nullable=False),
    sa.Column("used_at", sa.Float, nullable=False, index=True),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    # Canonical JSON, exactly as it was hashed.
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

actions = sa.Table(
    "actions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # Of a batch's member that is the batch's and the node's name.
    sa.Column("nonce", sa.String(320), nullable=False, unique=True),
    # What two presses of one button have in common.
    sa.Column("digest", sa.String(64), nullable=False),
    # The nonce of the batch; empty for none.
    sa.Column("batch", sa.String(64), nullable=False, index=True),
    sa.Column("login", sa.String(64), nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("weight", sa.String(16), nullable=False),
    sa.Column("node", sa.String(253), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", sa.String(64), nullable=False),
    # Their names, joined by commas.
    sa.Column("proof", sa.String(32), nullable=False),
    sa.Column("is_dry", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    # Of what refused it or why it failed.
    sa.Column("code", sa.String(32), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    # Written ahead of the packet.
    sa.Column("sent_at", sa.Float),
    # Whether an answer says that it was done.
    sa.Column("is_certain", sa.Boolean(create_constraint=False)),
    # Who has looked at what may have happened; empty for nobody yet.
    sa.Column("seen_by", sa.String(64), nullable=False),
    sqlite_autoincrement=True,
)

moves = sa.Table(
    "moves",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), nullable=False, index=True),
    sa.Column("source", sa.String(16)),
    sa.Column("target", sa.String(16), nullable=False),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("code", sa.String(32), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), primary_key=True),
    sa.Column("role", sa.String(128), nullable=False),
    # When the incident of the node began; empty where that is not known.
    sa.Column("incident", sa.String(64), nullable=False),
    sa.Column("is_free", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("is_dry", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("at", sa.Float, nullable=False, index=True),
)

bmcs = sa.Table(
    "bmcs",
    metadata,
    sa.Column("node", sa.String(253), primary_key=True),
    # The System GUID that answered first, in hexadecimal digits.
    sa.Column("guid", sa.String(32), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

locks = sa.Table(
    "locks",
    metadata,
    sa.Column("node", sa.String(253), primary_key=True),
    sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), nullable=False, unique=True),
    sa.Column("at", sa.Float, nullable=False),
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # Who acted: `own`, `observed` or `imported`.
    sa.Column("source", sa.String(16), nullable=False),
    # Of botd's own; of others there is none.
    sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), unique=True),
    sa.Column("node", sa.String(253), nullable=False),
    sa.Column("diagnosis", sa.String(32), nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("hardware", sa.String(64), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    # `open`, `good`, `bad` or `not counted`, and why.
    sa.Column("verdict", sa.String(16), nullable=False, index=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("is_harm", sa.Boolean(create_constraint=False), nullable=False),
    # The chance that was told before it, and the whole list, as JSON.
    sa.Column("p", sa.Float),
    sa.Column("ranked", sa.Text, nullable=False),
    # Who said that it did harm, or was not it; empty for nobody.
    sa.Column("marked_by", sa.String(64), nullable=False),
    sa.UniqueConstraint("source", "node", "action", "at"),
)

spells = sa.Table(
    "spells",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("node", sa.String(253), nullable=False),
    sa.Column("diagnosis", sa.String(32), nullable=False),
    sa.Column("began_at", sa.Float, nullable=False),
    # How long it was so untouched, and whether it was over then by itself.
    sa.Column("hours", sa.Float, nullable=False),
    sa.Column("healed", sa.Boolean(create_constraint=False), nullable=False),
    sa.UniqueConstraint("source", "node", "diagnosis", "began_at"),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("node", sa.String(253), nullable=False),
    # When a node was out of service, by slurmdbd. One that goes on is not here.
    sa.Column("began_at", sa.Float, nullable=False, index=True),
    sa.Column("ended_at", sa.Float, nullable=False),
    sa.UniqueConstraint("node", "began_at"),
)

watches = sa.Table(
    "watches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # From when until when nodes were looked at, sweep after sweep.
    sa.Column("began_at", sa.Float, nullable=False),
    sa.Column("until_at", sa.Float, nullable=False, index=True),
)
