"""What came of actions, how long nodes were ill untouched, and when nodes were looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "outcomes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("action_id", sa.Integer, sa.ForeignKey("actions.id"), unique=True),
        sa.Column("node", sa.String(253), nullable=False),
        sa.Column("diagnosis", sa.String(32), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("hardware", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False, index=True),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("is_harm", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("p", sa.Float),
        sa.Column("ranked", sa.Text, nullable=False),
        sa.Column("marked_by", sa.String(64), nullable=False),
        sa.UniqueConstraint("source", "node", "action", "at"),
    )
    op.create_table(
        "spells",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("node", sa.String(253), nullable=False),
        sa.Column("diagnosis", sa.String(32), nullable=False),
        sa.Column("began_at", sa.Float, nullable=False),
        sa.Column("hours", sa.Float, nullable=False),
        sa.Column("healed", sa.Boolean(create_constraint=False), nullable=False),
        sa.UniqueConstraint("source", "node", "diagnosis", "began_at"),
    )
    op.create_table(
        "watches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("began_at", sa.Float, nullable=False),
        sa.Column("until_at", sa.Float, nullable=False, index=True),
    )
