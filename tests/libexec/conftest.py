"""A helper for Slurm, installed anew for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.libexec.helper import Helper, make_helper


@pytest.fixture
def helper(tmp_path: Path) -> Helper:
    return make_helper(tmp_path / "slurm")
