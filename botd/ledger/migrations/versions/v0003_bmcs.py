"""Which BMC has answered for each node."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "bmcs",
        sa.Column("node", sa.String(253), primary_key=True),
        sa.Column("guid", sa.String(32), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
