"""How bytes are packed: they come back whole, or it is said that they do not."""

from __future__ import annotations

import pytest

from botd.store import packing
from botd.store.packing import Packing


@pytest.mark.parametrize("data", [b"", b"x", bytes(100_000)])
def test_bytes_come_back_whole(data: bytes) -> None:
    assert Packing().unpack(Packing().pack(data)) == data


@pytest.mark.parametrize("packed", [b"", b"no zstd", Packing().pack(b"abc")[:-1]])
def test_what_was_not_packed_so_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Packing().unpack(packed)


def test_more_than_any_column_has_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes of zstd can be gigabytes of memory."""
    monkeypatch.setattr(packing, "LARGEST", 1000)
    assert Packing().unpack(Packing().pack(bytes(1000))) == bytes(1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        Packing().unpack(Packing().pack(bytes(1001)))
