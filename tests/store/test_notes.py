"""Notes on record, on both databases: bounded, begun and ended together with the change that says so."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from botd.documents import encode
from botd.errors import TooManyNotes, UnknownNote
from botd.model import Note, NoteKind
from botd.store import Store, notes
from botd.store.notes import DAMAGED, MOST_OF_A_NODE
from botd.store.packing import Packing
from tests.store.conftest import Open

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def note(node: str = "n1", text: str = "parts ordered", **more: Any) -> Note:
    return Note(node, **{"kind": NoteKind.SAY, "text": text, "by": "anna", "at": NOW, "diagnosis": "silent", **more})


def told(store: Store) -> list[tuple[str, str, str, str]]:
    return [(each.node, each.old, each.new, each.why) for each in reversed(store.changes.page(limit=99))]


def test_a_note_comes_back_whole(store: Store) -> None:
    snooze = note(text="", kind=NoteKind.SNOOZE, until=NOW + timedelta(hours=8))
    made = [store.notes.add(each) for each in (note(), snooze, note("n2", "'; DROP TABLE notes; -- \U0001f600"))]
    assert store.notes.of() == made
    assert store.notes.of(["n1"]) == made[:2]
    assert store.notes.get(made[1].id or 0) == made[1]
    assert made[1].until == NOW + timedelta(hours=8)


def test_the_history_says_what_was_noted_and_why_it_ended(store: Store) -> None:
    made = store.notes.add(note(kind=NoteKind.SNOOZE, until=NOW + timedelta(hours=8)))
    store.notes.end({made: "ended by bob"}, NOW)
    words = "anna, snooze until 2026-11-23 20:00 UTC: parts ordered"
    assert told(store) == [("n1", "", words, ""), ("n1", words, "", "ended by bob")]
    assert store.notes.of() == []


def test_of_two_who_end_a_note_one_does(store: Store, open_again: Open) -> None:
    made = store.notes.add(note())
    assert store.notes.end({made: "ended by bob"}, NOW) == [made]
    assert open_again().notes.end({made: "ended by eve"}, NOW) == []
    assert [why for *_, why in told(store)] == ["", "ended by bob"]
    with pytest.raises(UnknownNote):
        store.notes.get(made.id or 0)


def test_an_id_is_not_given_twice(store: Store) -> None:
    made = store.notes.add(note())
    store.notes.end({made: "ended by bob"}, NOW)
    assert (store.notes.add(note()).id or 0) > (made.id or 0)


def test_a_node_has_only_so_many_notes_however_many_write_at_once(store: Store, open_again: Open) -> None:
    refused: list[Exception] = []

    def write(writer: Store) -> None:
        for _ in range(MOST_OF_A_NODE):
            try:
                writer.notes.add(note())
            except TooManyNotes as error:
                refused.append(error)

    writers = [threading.Thread(target=write, args=(each,)) for each in (store, open_again())]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (len(store.notes.of()), len(refused)) == (MOST_OF_A_NODE, MOST_OF_A_NODE)
    store.notes.add(note("n2"))


def test_there_are_only_so_many_notes_of_all_nodes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "MOST", 2)
    for node in ("n1", "n2"):
        store.notes.add(note(node))
    with pytest.raises(TooManyNotes, match="2 notes already"):
        store.notes.add(note("n3"))


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**70])
def test_a_number_that_is_none_is_no_note(store: Store, number: int) -> None:
    with pytest.raises(UnknownNote):
        store.notes.get(number)


@pytest.mark.parametrize("damage", [b"", b"no zstd", None])
def test_a_damaged_note_says_that_it_is_and_can_be_ended(store: Store, database_url: str, damage: bytes | None) -> None:
    made = store.notes.add(note())
    whole = store.notes.add(note("n2"))
    engine = sa.create_engine(database_url)
    with engine.begin() as db:
        row = damage if damage is not None else db.scalar(sa.text("SELECT document FROM notes WHERE node = 'n2'"))
        db.execute(sa.text("UPDATE notes SET document = :row WHERE node = 'n1'"), {"row": row})
    engine.dispose()
    [found, other] = store.notes.of()
    assert (found.id, found.node, found.text, other) == (made.id, "n1", DAMAGED, whole)
    assert store.notes.end({found: "ended by bob"}, NOW) == [found]


FORGED: list[dict[str, Any]] = [
    {"node": "n2"},
    {"kind": "shout"},
    {"text": 7},
    {"by": ["eve"]},
    {"diagnosis": {"a": 1}},
    {"at": "2026-11-23T12:00:00"},
    {"at": "0001-01-01T00:00:00+23:00"},
    {"until": "2026-11-27T08:00:00"},
    {"until": "9999-12-31T23:59:59-23:00"},
    {"until": 7},
]
"""Rows with a sum that is right: who can write the database can make those too."""


@pytest.mark.parametrize("said", FORGED)
def test_a_forged_note_is_a_damaged_one(store: Store, database_url: str, said: dict[str, Any]) -> None:
    made = store.notes.add(note())
    document = {"node": "n1", "kind": "say", "text": "x", "by": "eve", "diagnosis": "silent", "until": None}
    row = Packing().pack(encode({**document, "at": NOW.isoformat(), **said}))
    engine = sa.create_engine(database_url)
    with engine.begin() as db:
        db.execute(sa.text("UPDATE notes SET document = :row"), {"row": row})
    engine.dispose()
    [found] = store.notes.of()
    assert (found.id, found.node, found.text) == (made.id, "n1", DAMAGED)
    assert not found.is_over(NOW)
    assert store.notes.end({found: "ended by bob"}, NOW) == [found]
