"""The newest readings in rows of many nodes: always whole and newest, never much more than that. On both databases."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
import zstandard

from botd.documents import NodeReadings
from botd.errors import StoreDamaged, StoreUnavailable
from botd.model import Change
from botd.store import Store
from botd.store.readings import BATCH, SPARSE
from botd.store.schema import latest
from tests.store.conftest import Open

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NODES = [f"n{number:04}" for number in range(BATCH * 2 + 3)]
BROKEN = Change("n0000", None, "ok", "fail", NOW)  # type: ignore[arg-type]
"""A change that no database takes: what is written with it fails at its end."""

Reading = NodeReadings


def reading(turn: int) -> Reading:
    return {"ping": {"state": "ok", "value": turn}, "load": {"state": "fail", "value": {"of": [turn, None]}}}


@pytest.fixture
def table(database_url: str, store: Store) -> Iterator[sa.Connection]:
    """The tables as they are, past the program."""
    engine = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        yield db
    engine.dispose()


def sizes(table: sa.Connection) -> list[int]:
    """The nodes in each row."""
    return [len(nodes) for nodes in rows(table).values()]


def rows(table: sa.Connection) -> dict[int, list[str]]:
    """The nodes in each row, oldest readings first."""
    query = sa.select(latest.c.id, latest.c.nodes).order_by(latest.c.revision)
    return {row.id: row.nodes.split(",") for row in table.execute(query)}


def is_dense(table: sa.Connection) -> bool:
    """Whether each row has the newest readings of as many of its nodes as it must to stay."""
    newest = Counter({node: row for row, nodes in rows(table).items() for node in nodes}.values())
    return all(newest[row] * SPARSE >= len(nodes) for row, nodes in rows(table).items())


class Sweeps:
    """Random writes of many sizes, and what must be there after them."""

    def __init__(self, seed: int) -> None:
        self.newest: dict[str, Reading] = {}
        self._chance = random.Random(seed)
        self._turn = 0

    def next(self) -> dict[str, Reading]:
        self._turn += 1
        most = self._chance.choice([1, 3, 30, len(NODES)])
        some = self._chance.sample(NODES, self._chance.randint(1, most))
        self.newest |= (found := {node: reading(self._turn) for node in some})
        return found


@pytest.mark.parametrize("seed", range(3))
def test_however_few_nodes_each_write_is_of_the_rows_stay_few_and_hold_the_newest(
    store: Store, table: sa.Connection, seed: int
) -> None:
    sweeps = Sweeps(seed)
    for turn in range(150):
        store.readings.write(sweeps.next(), NOW)
        assert is_dense(table)
        assert sum(sizes(table)) <= SPARSE * len(sweeps.newest)
        if turn % 10 == 0:
            assert store.readings.since(0) == sweeps.newest


def test_a_reader_that_follows_reads_what_was_written_since_and_no_more(store: Store, open_again: Open) -> None:
    sweeps, chance, reader = Sweeps(7), random.Random(7), open_again()
    known, revision = dict[str, Any](), 0
    written: set[str] = set()
    for _ in range(150):
        written |= (found := sweeps.next()).keys()
        store.readings.write(found, NOW)
        if chance.random() < 0.3:
            assert reader.readings.nodes_since(revision) == written
            new = reader.readings.since(revision)
            assert new.keys() == written
            known |= new
            assert known == sweeps.newest
            revision, written = reader.pulse().revision, set()


def test_no_reader_misses_a_node_while_rows_are_dissolved(store: Store, open_again: Open) -> None:
    sweeps, reader, over = Sweeps(3), open_again(), threading.Event()
    store.readings.write(sweeps.newest | {node: reading(0) for node in NODES}, NOW)
    found: list[int] = []

    def read() -> None:
        while not over.is_set() or not found:
            found.append(len(reader.readings.since(0)))

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(100):
        store.readings.write(sweeps.next(), NOW)
    over.set()
    thread.join()
    assert set(found) == {len(NODES)}


def test_a_row_has_at_most_so_many_nodes(store: Store, table: sa.Connection) -> None:
    store.readings.write({node: reading(0) for node in NODES}, NOW)
    assert sizes(table) == [BATCH, BATCH, 3]


def test_writers_in_turns_take_nothing_from_each_other(store: Store, table: sa.Connection, open_again: Open) -> None:
    sweeps, chance, writers = Sweeps(5), random.Random(5), [store, open_again()]
    for _ in range(100):
        chance.choice(writers).readings.write(sweeps.next(), NOW)
    assert store.readings.since(0) == sweeps.newest
    assert is_dense(table)


def test_a_write_that_failed_at_its_end_leaves_the_next_one_right(store: Store, table: sa.Connection) -> None:
    sweeps = Sweeps(9)
    for turn in range(60):
        if turn % 3 == 0:
            with pytest.raises(StoreUnavailable):
                store.readings.write({node: reading(-turn) for node in NODES[turn:]}, NOW, changes=[BROKEN])
        store.readings.write(sweeps.next(), NOW)
    assert store.readings.since(0) == sweeps.newest
    assert is_dense(table)


# ---- damage that the database itself does not see ----


def flipped(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes([packed[middle] ^ 1]) + packed[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda packed: b"",
    "cut": lambda packed: packed[:-9],
    "one bit": flipped,
    "something else": lambda packed: b"{}",
    "no JSON": lambda packed: zstandard.ZstdCompressor().compress(b'{"n0000": '),
    "a size that no memory has": lambda packed: packed[:4] + b"\xe0" + b"\x7f" * 8 + packed[7:],
}


def damage(table: sa.Connection, how: str) -> None:
    """Damages the row of the first nodes."""
    first = latest.c.id == sa.select(sa.func.min(latest.c.id)).scalar_subquery()
    packed = bytes(table.scalars(sa.select(latest.c.readings).where(first)).one())
    table.execute(sa.update(latest).where(first).values(readings=DAMAGES[how](packed)))


@pytest.fixture
def filled(store: Store) -> Store:
    store.readings.write({node: reading(0) for node in NODES}, NOW)
    return store


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_readings_are_an_error_that_says_so(filled: Store, table: sa.Connection, how: str) -> None:
    damage(table, how)
    with pytest.raises(StoreDamaged, match=r"readings in the database are damaged \(.+next sweep of all nodes"):
        filled.readings.since(0)


@pytest.mark.parametrize("how", DAMAGES)
def test_an_agent_that_starts_goes_on_without_damaged_readings_and_says_so(
    filled: Store, table: sa.Connection, open_again: Open, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    damage(table, how)
    open_again().create(NOW)
    assert filled.readings.since(0) == {node: reading(0) for node in NODES[BATCH:]}
    assert f"nodes={','.join(NODES[:BATCH])}" in caplog.text
    some = {node: reading(1) for node in NODES[: BATCH - 9]}
    filled.readings.write(some, NOW)
    assert filled.readings.since(0) == {node: reading(0) for node in NODES[BATCH:]} | some


def test_a_sweep_of_all_nodes_replaces_damaged_readings(filled: Store, table: sa.Connection) -> None:
    damage(table, "one bit")
    new = {node: reading(1) for node in NODES}
    filled.readings.write(new, NOW)
    assert filled.readings.since(0) == new


def test_damage_that_a_write_meets_is_said_and_nothing_is_half_written(filled: Store, table: sa.Connection) -> None:
    damage(table, "one bit")
    revision = filled.pulse().revision
    with pytest.raises(StoreDamaged):
        filled.readings.write({node: reading(1) for node in NODES[: BATCH - 9]}, NOW)
    assert filled.pulse().revision == revision
    assert filled.readings.nodes_since(0) == set(NODES)
