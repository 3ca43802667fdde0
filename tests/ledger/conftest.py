"""A ledger in a directory of its own, as the agent makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botd.config import parse_config
from botd.ledger import Ledger
from botd.model import utc_now
from botd.settings import Config

NOW = utc_now()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return parse_config({}, path=str(tmp_path / "botd.toml"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger lies."""
    return tmp_path / "ledger" / "ledger.db"


@pytest.fixture
def open_ledger(config: Config) -> Iterator[Callable[[], Ledger]]:
    """Opens the ledger once more, as another process would."""
    opened: list[Ledger] = []

    def open_one() -> Ledger:
        opened.append(Ledger(config))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    made = open_ledger()
    made.open(NOW)
    return made
