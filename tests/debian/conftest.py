"""Bare Debians: one is made by debootstrap for all tests, and each test has a copy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.debian.chroot import Debian


@contextmanager
def in_memory(folder: Path) -> Iterator[Path]:
    """A folder whose files are in memory: of a Debian half a gigabyte, in 20,000 files that a disk is long at."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g,mode=0755", "debian", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="package")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """One that nobody changes."""
    with in_memory(tmp_path_factory.mktemp("bare")) as place:
        yield Debian.new(place)


@pytest.fixture
def debian(bare: Debian, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """One of the test's own."""
    with in_memory(tmp_path_factory.mktemp("debian")) as place:
        yield bare.copy(place)
