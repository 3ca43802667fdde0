"""Notes as visitors write and end them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from botd.errors import BadRequest, NotAllowed, UnknownNode
from botd.model import Note, NoteKind
from botd.text import clean, whole
from botd.web.here import board, config, store
from botd.web.questions import moment_to_come
from botd.web.rights import policy_of
from botd.web.who import Who, who

LONGEST = timedelta(days=365)
"""How far ahead a snooze may end."""

MAX_TEXT = 500

MAX_NAME = 40


def may_write() -> bool:
    """Whether this visitor is to be shown how to write a note."""
    return config().notes.writers == "anyone" or _known_writer() is not None


def known_name() -> str:
    """The login as which this visitor writes; empty for who has to give a name."""
    known = _known_writer()
    return known.login if known else ""


def _known_writer() -> Who | None:
    """Who asks, where they are logged in with the right `note`, and not by a token for reading."""
    found = who()
    may = found is not None and found.holder["scope"] == "ask" and "note" in policy_of(found)["rights"]
    return found if may else None


def note_writer(named: str) -> str:
    """As whom this visitor writes and ends notes: who is logged in and has the right to, as themselves; under the name
    that it gives, where anyone may.

    Raises NotAllowed where it may not, BadRequest for a name that is none.
    """
    if known := _known_writer():
        return known.login
    if not may_write():
        raise NotAllowed(
            'notes take the right "note"; [notes] writers = "anyone" lets everybody write who reaches botd'
        )
    name = _line("by", named, MAX_NAME)
    if not name:
        raise BadRequest('say who you are: "by" is the name that stands at the note')
    return name


def write_note(args: Mapping[str, Any]) -> Note:
    """Records the note that a request asks for. Raises NotAllowed, BadRequest, UnknownNode or TooManyNotes."""
    by = note_writer(args.get("by", ""))
    kind, now = NoteKind(args["kind"]), board().now()
    text = _line("text", args.get("text", ""), MAX_TEXT)
    if kind in (NoteKind.SAY, NoteKind.TICKET) and not text:
        raise BadRequest(f'a note of the kind "{kind}" needs a "text"')
    until = _until(kind, args.get("until", ""), now)
    node = _one_node(args["node"])
    advice = board().known().morning.given.get(node)
    diagnosis = advice["title"] if advice else ""
    return store().notes.add(Note(node, kind, text, by, now, diagnosis, until))


def end_note(note_id: int, named: str, *, node: str | None = None) -> None:
    """Ends a note, of this node where one is named. Raises NotAllowed, BadRequest or UnknownNote."""
    by = note_writer(named)
    note = store().notes.get(note_id)
    if node is not None and note.node != node:
        raise BadRequest(f"note {note_id} is not of {node}; load its page again")
    store().notes.end({note: f"ended by {by}"}, board().now())


def notes_of(nodes: Iterable[str] | None = None) -> list[Note]:
    """The notes of these nodes, or of all, that are not over, oldest first. Raises StoreUnavailable."""
    now = board().now()
    return [note for note in store().notes.of(None if nodes is None else frozenset(nodes)) if not note.is_over(now)]


def _line(name: str, given: str, most: int) -> str:
    """What somebody wrote, on one line and with nothing that fools a terminal. Raises BadRequest where it is long."""
    if len(given) > most:
        raise BadRequest(f'parameter "{name}": at most {most} characters, not {len(given)}')
    return clean(whole(given))


def _until(kind: NoteKind, given: str, now: datetime) -> datetime | None:
    """When a snooze ends. Raises BadRequest for one without an end, and for an end of another kind."""
    if (kind is NoteKind.SNOOZE) != bool(given.strip()):
        raise BadRequest('a note of the kind "snooze" needs "until", and no other has it; give 8h or a time')
    if not given.strip():
        return None
    until = moment_to_come("until", given, now)
    if not now < until <= now + LONGEST:
        raise BadRequest('parameter "until": give a time to come, at most a year ahead')
    return until


def _one_node(given: str) -> str:
    """The one node that is named. Raises UnknownNode, BadNodeset, or BadRequest for several."""
    found = board().question(groups=None, nodes=given, checks=None, max_age_s=None, wait_s=0).nodes if given else ()
    if len(found) != 1:
        raise UnknownNode(f'"{given[:60]}" names {len(found)} nodes; a note is of one')
    return found[0]
