"""What changed, and numbers over time. Alembic's own table says from here on which schema a database has."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables, and drops the version number of the first schema."""
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.Float, nullable=False, index=True),
        sa.Column("node", sa.String(253), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("old", sa.Text, nullable=False),
        sa.Column("new", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("is_bad", sa.Boolean, nullable=False),
        sa.Index("ix_changes_node", "node", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "node_numbers",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("node", sa.String(253), nullable=False, unique=True),
    )
    op.create_table(
        "samples",
        sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("checks", sa.Text, nullable=False),
        sa.Column("numbers", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.drop_column("pulse", "schema_version")
    op.add_column("pulse", sa.Column("note", sa.Text))
    op.add_column("pulse", sa.Column("history_since", sa.Float))
