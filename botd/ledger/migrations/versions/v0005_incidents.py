"""When nodes were out of service before botd looked at them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("node", sa.String(253), nullable=False),
        sa.Column("began_at", sa.Float, nullable=False, index=True),
        sa.Column("ended_at", sa.Float, nullable=False),
        sa.UniqueConstraint("node", "began_at"),
    )
