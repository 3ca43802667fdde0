"""Changes and numbers on record: pages that stay, retention, thinning. On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from botd.errors import StoreUnavailable
from botd.model import Change
from botd.store import Store
from botd.store.changes import MAX_NAMES, PRUNE_ROWS
from botd.store.samples import CHUNK
from botd.store.schema import samples

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def change(node: str = "n1", *, age: timedelta = timedelta(), **more: Any) -> Change:
    return Change(node, **{"subject": "ssh", "old": "ok", "new": "fail: timeout", "at": NOW - age, **more})


def record(store: Store, *found: Change) -> None:
    store.readings.write({"n1": {}}, NOW, changes=found)


def nodes(found: list[Change]) -> list[str]:
    return [entry.node for entry in found]


def test_changes_come_back_whole_and_newest_first(store: Store) -> None:
    nasty = "'; DROP TABLE changes; -- \x1b[31m \U0001f600 " + "x" * 5000
    record(store, change(old="", why=nasty, is_bad=True), change("n2", new="ok"))
    second, first = store.changes.page(limit=9)
    assert (first.node, first.old, first.new, first.at, first.why, first.is_bad) == (
        *("n1", "", "fail: timeout", NOW, nasty),
        True,
    )
    assert (second.node, second.is_bad) == ("n2", False)
    assert second.id > first.id


def test_a_page_goes_on_where_the_last_one_ended_whatever_was_recorded_meanwhile(store: Store) -> None:
    record(store, *(change(f"n{i}") for i in range(6)))
    first = store.changes.page(limit=2)
    record(store, change("late"))
    second = store.changes.page(limit=2, before=first[-1].id)
    assert nodes(first + second) == ["n5", "n4", "n3", "n2"]


def test_a_page_is_of_the_nodes_and_the_time_asked_for(store: Store) -> None:
    record(store, change("n1", age=3 * HOUR), change("n2", age=2 * HOUR), change("n1", age=HOUR), change("n1"))
    assert nodes(store.changes.page(nodes=["n2"], limit=9)) == ["n2"]
    found = store.changes.page(nodes=["n1", "n2"], since=NOW - 2 * HOUR, until=NOW, limit=9)
    assert [(entry.node, entry.at) for entry in found] == [("n1", NOW - HOUR), ("n2", NOW - 2 * HOUR)]


def test_a_page_may_be_of_more_nodes_than_a_query_can_name(store: Store) -> None:
    record(store, change("other"), *(change(f"n{i}") for i in range(3)), change("other"))
    wanted = {f"n{i}" for i in range(2 * MAX_NAMES)}
    assert nodes(store.changes.page(nodes=wanted, limit=2)) == ["n2", "n1"]


def test_readings_and_their_changes_are_written_together_or_not_at_all(store: Store) -> None:
    broken = change(subject=None)
    with pytest.raises(StoreUnavailable):
        store.readings.write({"n9": {}}, NOW, changes=[change(), broken])
    assert store.readings.since(0) == {}
    assert store.changes.page(limit=9) == []


def test_the_last_word_of_each_subject_is_known(store: Store) -> None:
    record(store, change(new="fail: refused"), change(subject="load", new="warn"), change(new="ok"), change("n2"))
    assert store.changes.last_words() == {("n1", "ssh"): "ok", ("n1", "load"): "warn", ("n2", "ssh"): "fail: timeout"}


def test_changes_for_the_worse_are_kept_longer(store: Store) -> None:
    ages = (400 * DAY, 100 * DAY, DAY)
    record(store, *(change(f"bad{age.days}", age=age, is_bad=True) for age in ages))
    record(store, *(change(f"good{age.days}", age=age) for age in ages))
    assert store.changes.prune(good_before=NOW - 90 * DAY, bad_before=NOW - 365 * DAY) == 3
    assert sorted(nodes(store.changes.page(limit=9))) == ["bad1", "bad100", "good1"]


def test_one_step_of_pruning_is_bounded_and_an_id_is_never_given_twice(store: Store) -> None:
    record(store, *(change(age=DAY) for _ in range(PRUNE_ROWS + 10)))
    newest = store.changes.page(limit=1)[0].id
    assert store.changes.prune(good_before=NOW, bad_before=NOW) == PRUNE_ROWS
    assert store.changes.prune(good_before=NOW, bad_before=NOW) == 10
    record(store, change())
    assert store.changes.page(limit=1)[0].id > newest


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
