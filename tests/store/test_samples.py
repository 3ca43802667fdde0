"""Numbers on record: by check and time, thinned and forgotten. On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from botd.store import Store
from botd.store.samples import CHUNK
from botd.store.schema import samples

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def test_numbers_come_back_by_check_and_time(store: Store) -> None:
    store.samples.write({"n1": {"load": 0.5, "df_tmp": 4e12}, "n2": {"load": 2.0}}, NOW - HOUR)
    store.samples.write({"n1": {"load": 0.75}, "n2": {"ping": 0.25}}, NOW)
    since = NOW - 2 * HOUR
    first, second = int((NOW - HOUR).timestamp()), int(NOW.timestamp())
    found = store.samples.of_node("n1", since, NOW)
    assert found["load"] == [(first, 0.5), (second, 0.75)]
    assert found["df_tmp"][0][1] == pytest.approx(4e12, rel=1e-6)  # 32-bit floats
    assert store.samples.of_node("n2", since, NOW) == {"load": [(first, 2.0)], "ping": [(second, 0.25)]}
    assert store.samples.of_node("n2", NOW - 2 * HOUR, NOW - HOUR) == {"load": [(first, 2.0)]}
    assert store.samples.of_node("never", since, NOW) == {}


def test_numbers_of_many_nodes_keep_apart(store: Store) -> None:
    count = CHUNK * 2 + 3
    store.samples.write({f"n{i}": {"load": float(i)} for i in range(count)}, NOW)
    store.samples.write({"new": {"load": -1.0}, "n700": {"load": -2.0}}, NOW + HOUR)
    for i in (0, CHUNK - 1, CHUNK, count - 1):
        assert store.samples.of_node(f"n{i}", NOW, NOW)["load"] == [(int(NOW.timestamp()), float(i))]
    assert [value for _, value in store.samples.of_node("new", NOW, NOW + HOUR)["load"]] == [-1.0]


def test_a_day_later_an_hour_is_one_number_its_mean(store: Store) -> None:
    for minutes, numbers in (
        (0, {"load": 1.0}),
        (20, {"load": 3.0, "ping": 5.0}),
        (40, {"ping": 7.0}),
        (60, {"load": 9.0}),
    ):
        store.samples.write({"n1": numbers, "n2": {"load": 0.0}}, NOW + timedelta(minutes=minutes))
    assert store.samples.thin(NOW + DAY) == 3
    assert store.samples.thin(NOW + DAY) == 0
    found = store.samples.of_node("n1", NOW, NOW + DAY)
    assert [value for _, value in found["load"]] == [2.0, 9.0]
    assert [value for _, value in found["ping"]] == [6.0]


def test_numbers_of_the_last_day_are_not_thinned_and_old_ones_go(store: Store) -> None:
    for minutes in (0, 5, 10):
        store.samples.write({"n1": {"load": 1.0}}, NOW + timedelta(minutes=minutes))
    assert store.samples.thin(NOW) == 0
    assert store.samples.prune(NOW + timedelta(minutes=5)) == 1
    assert len(store.samples.of_node("n1", NOW, NOW + HOUR)["load"]) == 2


def test_a_moment_that_is_damaged_is_missing_and_nothing_else(store: Store, database_url: str) -> None:
    for minutes in (0, 20, 40):
        store.samples.write({"n1": {"load": float(minutes)}}, NOW + timedelta(minutes=minutes))
    engine = sa.create_engine(database_url)
    with engine.begin() as db:
        middle = samples.c.at == int((NOW + timedelta(minutes=20)).timestamp())
        packed = bytearray(db.scalars(sa.select(samples.c.numbers).where(middle)).one())
        packed[len(packed) // 2] ^= 1
        db.execute(sa.update(samples).where(middle).values(numbers=bytes(packed)))
    engine.dispose()
    assert [value for _, value in store.samples.of_node("n1", NOW, NOW + HOUR)["load"]] == [0.0, 40.0]
    assert store.samples.thin(NOW + DAY) == 3
    assert [value for _, value in store.samples.of_node("n1", NOW, NOW + HOUR)["load"]] == [20.0]
