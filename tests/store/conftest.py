"""The store on both databases: an SQLite file, and a PostgreSQL server that the tests start."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from botd.config import parse_config
from botd.documents import NodeReadings
from botd.store import Store
from tests.store.postgres import run_sql, running_postgres


def noise(size: int) -> NodeReadings:
    """Readings of a node that stay at least `size` bytes long however they are compressed."""
    return {"ping": {"detail": os.urandom(size).hex()}}


Open = Callable[[], Store]
"""Opens the database of the test once more, as another process would."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/botd.db"
        return
    server, name = request.getfixturevalue("postgres"), f"botd_{uuid.uuid4().hex}"
    run_sql(server, f"CREATE DATABASE {name} TEMPLATE template0")
    yield f"{server}/{name}"
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def open_again(database_url: str) -> Iterator[Open]:
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(Store(parse_config({"store": {"url": database_url, "timeout": 5.0}})))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: Open) -> Store:
    made = open_again()
    made.create()
    return made


@dataclass
class Flips:
    """What became of databases that were damaged."""

    tried: int = 0
    survived: int = 0


FLIPS = pytest.StashKey[Flips]()


@pytest.fixture(scope="session")
def flips(request: pytest.FixtureRequest) -> Flips:
    """Where the tests of damage count."""
    return request.config.stash.setdefault(FLIPS, Flips())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the figures of the damage, where any was done."""
    if found := config.stash.get(FLIPS, None):
        terminalreporter.section("damage")
        terminalreporter.write_line(f"flips and cuts of a database: tried {found.tried}, survived {found.survived}")
