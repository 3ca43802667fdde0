"""Logs that are followed, and their lines until somebody has read them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "tails",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("node", sa.String(253).with_variant(sa.Text, "postgresql"), nullable=False),
        sa.Column("log", sa.String(32), nullable=False),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("heard_at", sa.Float, nullable=False),
        sa.Column("why", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tail_lines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tail", sa.Integer, nullable=False, index=True),
        sa.Column("left_out", sa.Integer, nullable=False),
        sa.Column("lines", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
