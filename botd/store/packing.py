"""How bytes are packed into a column, and how damage shows that the database itself does not see."""

from __future__ import annotations

import zstandard

from botd.errors import StoreDamaged

FAST = 1
"""The level of zstd. JSON of readings is a twentieth of its size with it, and the next ones gain little."""

LARGEST = 2**28
"""Bytes that may come out of a column. The readings of 20,000 nodes are some 40 MB; ten bytes that somebody forged may
promise any number, and keep it.
"""


class Packing:
    """Packs and unpacks bytes. To be made for each use: it belongs to one thread, and many columns share its cost."""

    def __init__(self) -> None:
        # With a checksum: half of what a broken bit does would pass for something read otherwise.
        self._packer = zstandard.ZstdCompressor(level=FAST, write_checksum=True)
        self._unpacker = zstandard.ZstdDecompressor()

    def pack(self, data: bytes) -> bytes:
        """The bytes as a column has them."""
        return self._packer.compress(data)

    def unpack(self, packed: bytes) -> bytes:
        """The bytes that were packed. Raises ValueError where these are others."""
        try:
            if zstandard.frame_content_size(packed) > LARGEST:
                raise ValueError(f"more than {LARGEST} bytes")
            return self._unpacker.decompress(packed)
        except (zstandard.ZstdError, MemoryError) as error:  # a broken header may promise any size
            raise ValueError(str(error) or "not a possible size") from error


def unpacked(packed: bytes, noun: str, mended_by: str) -> bytes:
    """The bytes of a column, which `noun` names. Raises StoreDamaged, which says by what they are mended."""
    try:
        return Packing().unpack(packed)
    except ValueError as error:
        raise StoreDamaged(f"{noun} are damaged ({error}); {mended_by}") from error
