"""Actions: where each stands, every move of it, what was spent, and which nodes are locked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "actions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("nonce", sa.String(320), nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("batch", sa.String(64), nullable=False, index=True),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("weight", sa.String(16), nullable=False),
        sa.Column("node", sa.String(253), nullable=False, index=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence", sa.String(64), nullable=False),
        sa.Column("proof", sa.String(32), nullable=False),
        sa.Column("is_dry", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("sent_at", sa.Float),
        sa.Column("is_certain", sa.Boolean(create_constraint=False)),
        sa.Column("seen_by", sa.String(64), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "moves",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), nullable=False, index=True),
        sa.Column("source", sa.String(16)),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "budgets",
        sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), primary_key=True),
        sa.Column("role", sa.String(128), nullable=False),
        sa.Column("incident", sa.String(64), nullable=False),
        sa.Column("is_free", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("is_dry", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("at", sa.Float, nullable=False, index=True),
    )
    op.create_table(
        "locks",
        sa.Column("node", sa.String(253), primary_key=True),
        sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), nullable=False, unique=True),
        sa.Column("at", sa.Float, nullable=False),
    )
