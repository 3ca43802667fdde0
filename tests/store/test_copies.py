"""What the agent tells of its ledger."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from botd.config import parse_config
from botd.errors import StoreDamaged, StoreUnavailable
from botd.store import Store


def test_a_document_is_there_until_it_is_written_anew_or_dropped(store: Store) -> None:
    store.copies.put("session", {"a": {"login": "anna"}, "b": {"login": "kmf"}})
    store.copies.put("session", {"a": {"login": "bea"}})
    assert store.copies.get("session", "a") == {"login": "bea"}
    assert store.copies.all("session") == {"a": {"login": "bea"}, "b": {"login": "kmf"}}
    store.copies.drop("session", "a")
    assert store.copies.get("session", "a") is None
    assert store.copies.all("role") == {}


def test_what_is_no_json_is_damage_and_not_nothing(store: Store) -> None:
    with store._db.write() as db:
        db.execute(sa.text("INSERT INTO copies VALUES ('session', 'a', 'no json')"))
    for read in (lambda: store.copies.get("session", "a"), lambda: store.copies.all("session")):
        with pytest.raises(StoreDamaged):
            read()


def test_who_only_reads_sees_it_and_cannot_write(store: Store, database_url: str) -> None:
    store.copies.put("roles", {"now": 1})
    with closing(Store(parse_config({"store": {"url": database_url}}), read_only=True)) as reader:
        assert reader.copies.get("roles", "now") == 1
        with pytest.raises(StoreUnavailable):
            reader.copies.put("roles", {"now": 2})
    assert store.copies.get("roles", "now") == 1


def test_a_file_with_a_strange_name_can_be_only_read(tmp_path: Path) -> None:
    config = parse_config({"store": {"url": f"sqlite:///{tmp_path}/a b%%20#.db"}})
    with closing(Store(config)) as store:
        store.create()
        store.copies.put("roles", {"now": 1})
    with closing(Store(config, read_only=True)) as reader:
        assert reader.copies.get("roles", "now") == 1
