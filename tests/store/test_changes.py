"""Changes on record: pages that stay, retention. On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from botd.errors import StoreUnavailable
from botd.model import Change
from botd.store import Store
from botd.store.changes import MAX_NAMES, PRUNE_ROWS

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


def test_what_is_new_since_an_id_is_told_by_node(store: Store) -> None:
    assert store.changes.touched(["ssh"], None) == (0, frozenset())
    record(store, change("n1"), change("n2"))
    assert store.changes.touched(["ssh"], None) == (2, frozenset())
    record(store, change("n2", new="ok"), change("n3", subject="ping"), change("n2"), change("n4"))
    assert store.changes.touched(["ssh"], 2) == (6, {"n2", "n4"})
    assert store.changes.touched(["ssh"], 6) == (6, frozenset())
    assert [(each.node, each.id) for each in store.changes.newest("ssh", 2)] == [("n2", 5), ("n4", 6)]


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
