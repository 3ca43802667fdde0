"""The first schema: the pulse, latest readings, the node list and sweeps."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "pulse",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("revised_at", sa.Float),
        sa.Column("list_revision", sa.Integer, nullable=False),
        sa.Column("list_as_of", sa.Float),
        sa.Column("list_tried_at", sa.Float),
        sa.Column("list_wanted_at", sa.Float),
        sa.Column("list_status", sa.Integer),
        sa.Column("list_error", sa.Text),
        sa.Column("agent_pid", sa.Integer),
        sa.Column("agent_name", sa.Text),
        sa.Column("agent_beat_at", sa.Float),
    )
    op.create_table(
        "latest",
        sa.Column("node", sa.String(253), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False, index=True),
        sa.Column("readings", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "node_list",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "sweeps",
        sa.Column("id", sa.Integer, primary_key=True),
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
