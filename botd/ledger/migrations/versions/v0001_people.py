"""The first ledger: people and what they prove themselves with, what they hold, and the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "meta",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("login", sa.String(64), primary_key=True),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("added_at", sa.Float, nullable=False),
        sa.Column("locked_at", sa.Float),
        sa.Column("locked_why", sa.Text),
    )
    op.create_table(
        "credentials",
        sa.Column("login", sa.String(64), sa.ForeignKey("people.login", ondelete="CASCADE"), primary_key=True),
        sa.Column("password_hash", sa.Text),
        sa.Column("otp_secret", sa.Text),
        sa.Column("otp_step", sa.Integer, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("login", sa.String(64), nullable=False, index=True),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=False),
        sa.Column("until_at", sa.Float, nullable=False),
        sa.Column("proved_at", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tokens",
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
    op.create_table(
        "lockouts",
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("since_at", sa.Float, nullable=False),
        sa.Column("until_at", sa.Float),
        sa.Column("is_held", sa.Boolean(create_constraint=False), nullable=False),
    )
    op.create_table(
        "used_proofs",
        sa.Column("nonce", sa.String(128), primary_key=True),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("used_at", sa.Float, nullable=False, index=True),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
