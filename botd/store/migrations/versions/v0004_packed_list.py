"""The node list packed, with a checksum; and names of any length on PostgreSQL."""

import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Carries over all that is there."""
    db = op.get_bind()
    node_list = sa.table("node_list", sa.column("id"), sa.column("document", sa.LargeBinary))
    for row in db.execute(sa.select(node_list)).all():
        packed = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(bytes(row.document))
        db.execute(sa.update(node_list).where(node_list.c.id == row.id).values(document=packed))
    if db.dialect.name == "postgresql":
        for table, column in (("changes", "node"), ("changes", "subject"), ("node_numbers", "node")):
            op.alter_column(table, column, type_=sa.Text)
