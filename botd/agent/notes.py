"""When notes end by themselves: a node's diagnosis became another one, or the time of a snooze is over."""

from __future__ import annotations

from collections.abc import Iterable

from botd.model import Change, Clock
from botd.store import Store


class NoteKeeper:
    """Ends notes, and has the history say why."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def settle(self, changes: Iterable[Change]) -> None:
        """Ends the notes of nodes whose diagnosis is another one by these changes than the note was written for.

        Raises StoreUnavailable.
        """
        now_so = {change.node: change.new for change in changes}
        if not now_so:
            return
        found = [note for note in self._store.notes.of(now_so.keys()) if note.diagnosis != now_so[note.node]]
        if found:
            why = {note: f"the diagnosis changed: {now_so[note.node] or 'the node is well'}" for note in found}
            self._store.notes.end(why, self._clock())

    def expire(self) -> None:
        """Ends the notes whose time is over. Raises StoreUnavailable."""
        now = self._clock()
        over = [note for note in self._store.notes.of() if note.is_over(now)]
        if over:
            self._store.notes.end(dict.fromkeys(over, "its time is over"), now)
