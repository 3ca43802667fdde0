"""The newest readings, as the agent holds them: in memory, and in the store as soon as it can be written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from botd.checks import Checks
from botd.documents import NodeReadings, reading_document, stale_nodes
from botd.errors import StoreUnavailable
from botd.history.changes import Words, boot_changes, reading_changes, word
from botd.model import Change, Clock, Reading
from botd.store import Store

log = logging.getLogger(__name__)

MAX_UNWRITTEN = 100_000
"""Changes that wait for a store which cannot be written; of more, the oldest are given up."""


class Begun(NamedTuple):
    """When a sweep began: its turn among all of this process, which no clock that is set back changes, and the time."""

    turn: int
    at: datetime


class LatestReadings:
    """The newest reading of every check on every node, in memory and, once flushed, in the store.

    Sweeps put finished nodes from their threads; what cannot be written stays and is tried again. What a reading
    changes is written with it, so that neither is ever there without the other.
    """

    def __init__(self, checks: Checks, store: Store, clock: Clock) -> None:
        self._checks = checks
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._turns = 0
        self._begun: dict[str, dict[str, Begun]] = {}  # of each reading, but those of an earlier agent
        self._documents: dict[str, NodeReadings] = {}
        self._unwritten: dict[str, NodeReadings] = {}
        self._words: dict[str, Words] = {}
        self._changes: list[Change] = []

    def load(self) -> None:
        """Takes up what an earlier agent left in the store."""
        self._documents = self._store.readings.since(0)
        for (node, subject), last in self._store.changes.last_words().items():
            if subject in self._checks:
                self._words.setdefault(node, {})[subject] = last
        for node, readings in self._documents.items():
            of_checks = {name: word(self._checks[name], readings[name]) for name in readings if name in self._checks}
            words = self._words.setdefault(node, {})
            words.update({name: said for name, said in of_checks.items() if said})
            list(boot_changes(node, words, readings, self._clock()))  # when it booted, by then: that is no news

    def begin(self) -> Begun:
        """What a sweep that begins now puts its readings with."""
        with self._lock:
            self._turns += 1
            return Begun(self._turns, self._clock())

    def put(self, node: str, readings: Mapping[str, Reading], begun: Begun) -> Mapping[str, Reading]:
        """Takes what is newer of a node's readings, and gives that back; its other checks keep theirs.

        A reading of a sweep that began later is the newer one, also where an earlier sweep heard its answer after it:
        who asked in between must not get what was sent for before.
        """
        with self._lock:
            known = self._begun.setdefault(node, {})
            newer = {name: reading for name, reading in readings.items() if known.get(name, begun) <= begun}
            known.update(dict.fromkeys(newer, begun))
            new = {name: reading_document(reading) for name, reading in newer.items()}
            if new:
                self._documents[node] = self._unwritten[node] = {**self._documents.get(node, {}), **new}
            words = self._words.setdefault(node, {})
            self._changes += reading_changes(node, words, new, self._checks, self._clock())
            self._changes += boot_changes(node, words, new, self._clock())
            del self._changes[:-MAX_UNWRITTEN]
        return newer

    def all(self) -> dict[str, NodeReadings]:
        """The newest readings of every node."""
        with self._lock:
            return dict(self._documents)

    def flush(self) -> set[str]:
        """Writes what is new, all or nothing; the nodes that it is of.

        Raises StoreUnavailable, and then all of it is still to write.
        """
        with self._lock:
            readings, self._unwritten = self._unwritten, {}
            changes, self._changes = self._changes, []
        try:
            self._store.readings.write(readings, self._clock(), changes=changes)
        except StoreUnavailable:
            with self._lock:
                self._unwritten = readings | self._unwritten
                self._changes = changes + self._changes
            raise
        return set(readings)

    def rewrite(self) -> None:
        """Has all readings written anew, because the store lost some."""
        with self._lock:
            self._unwritten = dict(self._documents)

    def mend(self) -> None:
        """Has written anew what is damaged in the store, or missing there. Raises StoreUnavailable."""
        with self._lock:
            written = self._documents.keys() - self._unwritten.keys()
        lost = self._store.readings.drop_damaged(self._clock())
        if lost or not written <= self._store.readings.nodes_since(0):
            log.error("readings in the database are damaged, and are written anew from memory")
            self.rewrite()

    def stale(self, nodes: Iterable[str], checks: Iterable[str], since: datetime) -> list[str]:
        """The nodes with a reading among these checks that is missing, of before `since`, or of a time to come.

        One that was asked for before `since` and answered after it is of before.
        """
        asked, names = tuple(nodes), tuple(checks)
        with self._lock:
            old = set(stale_nodes(self._documents, asked, names, since, self._clock()))
            return [node for node in asked if node in old or self._was_begun_before(node, names, since)]

    def _was_begun_before(self, node: str, checks: Iterable[str], since: datetime) -> bool:
        known = self._begun.get(node, {})
        return any(known[name].at < since for name in checks if name in known)
