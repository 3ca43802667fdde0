"""The newest readings of many nodes in one row, where each node had one of its own; and zstd in place of zlib."""

import zlib
from typing import Any

import orjson
import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0003"
down_revision = "0002"

BATCH = 256


def upgrade() -> None:
    """Carries over all that is there."""
    _batch_readings()
    _repack_numbers()


def _batch_readings() -> None:
    old = op.get_bind().execute(sa.text("SELECT revision, node, readings FROM latest ORDER BY revision, node")).all()
    op.drop_table("latest")
    new = op.create_table(
        "latest",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("revision", sa.Integer, nullable=False, index=True),
        sa.Column("nodes", sa.Text, nullable=False),
        sa.Column("readings", sa.LargeBinary, nullable=False),
    )
    of_revision: dict[int, list[tuple[str, bytes]]] = {}
    for row in old:
        of_revision.setdefault(row.revision, []).append((row.node, bytes(row.readings)))
    rows = [
        _row(number, found[begin : begin + BATCH])
        for number, found in of_revision.items()
        for begin in range(0, len(found), BATCH)
    ]
    op.bulk_insert(new, [{"id": place, **row} for place, row in enumerate(rows, 1)])


def _row(number: int, readings: list[tuple[str, bytes]]) -> dict[str, Any]:
    document = orjson.dumps({node: orjson.Fragment(each) for node, each in readings})
    return {"revision": number, "nodes": ",".join(node for node, _ in readings), "readings": _pack(document)}


def _repack_numbers() -> None:
    """A chunk at a time, which is some megabytes."""
    samples = sa.table("samples", sa.column("chunk"), sa.column("at"), sa.column("numbers"))
    db = op.get_bind()
    moment = (samples.c.chunk == sa.bindparam("of_chunk")) & (samples.c.at == sa.bindparam("of_time"))
    repack = sa.update(samples).where(moment).values(numbers=sa.bindparam("packed"))
    for chunk in db.scalars(sa.select(samples.c.chunk).distinct()).all():
        rows = db.execute(sa.select(samples.c.at, samples.c.numbers).where(samples.c.chunk == chunk)).all()
        db.execute(repack, [{"of_chunk": chunk, "of_time": at, "packed": _repacked(numbers)} for at, numbers in rows])


def _repacked(numbers: bytes) -> bytes:
    try:
        return _pack(zlib.decompress(numbers))
    except zlib.error:  # damaged: it stays so, and is left out where it is read
        return numbers


def _pack(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)
