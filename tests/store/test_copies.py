"""What the agent tells of its ledger."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from botd.errors import StoreDamaged
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
