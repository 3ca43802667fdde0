"""Notes of people on nodes, and what becomes of each in the history of its node.

A note begins and ends in one transaction with the change that says so. Documents are packed, with a checksum.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from botd.documents import decode, encode
from botd.errors import TooManyNotes, UnknownNote
from botd.model import NOTE, Change, Note, NoteKind
from botd.sql.database import EPOCH, Database
from botd.store.changes import MAX_NAMES, Changes
from botd.store.packing import Packing
from botd.store.schema import notes, pulse

MOST = 5000
"""Notes of all nodes together."""

MOST_OF_A_NODE = 20

MAX_ID = 2**31 - 1
"""What an integer column holds (PostgreSQL)."""

DAMAGED = "this note is damaged in the database; end it"


class Notes:
    """The notes on record. Every method is one transaction."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._db = database
        self._changes = changes

    def add(self, note: Note) -> Note:
        """Records a note, and gives it back with its id. Raises TooManyNotes."""
        count, mine = sa.select(sa.func.count()).select_from(notes), notes.c.node == note.node
        with self._db.write() as db:
            db.execute(sa.select(pulse.c.id).with_for_update())  # of two at once, PostgreSQL counts one after the other
            if (db.scalar(count.where(mine)) or 0) >= MOST_OF_A_NODE:
                raise TooManyNotes(f"{note.node} has {MOST_OF_A_NODE} notes already; end one of them first")
            if (db.scalar(count) or 0) >= MOST:
                raise TooManyNotes(f"there are {MOST} notes already; end some of them first")
            made = db.execute(sa.insert(notes).values(**_row(note)).returning(notes.c.id)).scalar_one()
            self._changes.add(db, [Change(note.node, NOTE, "", note.words(), note.at)])
        return replace(note, id=made)

    def of(self, nodes: Collection[str] | None = None) -> list[Note]:
        """The notes of these nodes, of all where it is None, oldest first. A damaged one says that it is."""
        query = sa.select(notes).order_by(notes.c.id)
        if nodes is not None and len(nodes) <= MAX_NAMES:
            query = query.where(notes.c.node.in_(sorted(nodes)))
        with self._db.read() as db:
            found = list(map(_note, db.execute(query)))
        return [note for note in found if nodes is None or note.node in nodes]

    def get(self, note_id: int) -> Note:
        """One note. Raises UnknownNote."""
        query, row = sa.select(notes).where(notes.c.id == note_id), None
        if note_id <= MAX_ID:
            with self._db.read() as db:
                row = db.execute(query).one_or_none()
        if row is None:
            raise UnknownNote(f"there is no note {str(note_id)[:20]}, or it has ended")
        return _note(row)

    def end(self, why: Mapping[Note, str], now: datetime) -> list[Note]:
        """Ends notes, each for its reason, which the history then has; those that did: of two who end one, one does."""
        with self._db.write() as db:
            gone = sa.delete(notes).where(notes.c.id.in_([note.id for note in why])).returning(notes.c.id)
            ids = set(db.execute(gone).scalars())
            ended = [note for note in why if note.id in ids]
            self._changes.add(db, [Change(note.node, NOTE, note.words(), "", now, why[note]) for note in ended])
        return ended


def _row(note: Note) -> dict[str, Any]:
    times = {"at": note.at.isoformat(), "until": note.until.isoformat() if note.until else None}
    return {"node": note.node, "document": Packing().pack(encode({**asdict(note), **times}))}


def _note(row: Any) -> Note:
    """The note of a row, or what stands in the place of one that cannot be read."""
    node = row.node if isinstance(row.node, str) else repr(row.node)
    try:
        found = decode(Packing().unpack(row.document))
        if found["node"] != node:
            raise ValueError("a note of another node")
        text, by, diagnosis = (_text(found[name]) for name in ("text", "by", "diagnosis"))
        until = _time(found["until"]) if found["until"] else None
        return Note(node, NoteKind(found["kind"]), text, by, _time(found["at"]), diagnosis, until, row.id)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return Note(node, NoteKind.SAY, DAMAGED, by="", at=EPOCH, diagnosis="", id=row.id)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _time(text: str) -> datetime:
    """A time in UTC, as notes are written with. Raises ValueError for one of no zone: it compares with no other."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time of no zone")
    return at.astimezone(UTC)
