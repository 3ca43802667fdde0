"""How long sweeps took: a count for each bucket of a histogram."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "durations",
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sweeps", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
