"""The newest readings, as the agent holds them: in memory, and in the store as soon as it can be written."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime

from botd.documents import Document, decode, encode, iso, oldest, reading_document
from botd.errors import StoreUnavailable
from botd.model import Clock, Reading
from botd.store import Store


class LatestReadings:
    """The newest reading of every check on every node, in memory and, once flushed, in the store.

    Sweeps put finished nodes from their threads; what cannot be written stays and is tried again.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._documents: dict[str, dict[str, Document]] = {}
        self._unwritten: set[str] = set()

    def load(self) -> None:
        """Takes up what an earlier agent left in the store."""
        self._documents = {node: decode(data) for node, data in self._store.readings_since(0).items()}

    def put(self, node: str, readings: Mapping[str, Reading]) -> None:
        """Replaces these readings of a node; its other checks keep theirs."""
        new = {name: reading_document(reading) for name, reading in readings.items()}
        with self._lock:
            self._documents[node] = {**self._documents.get(node, {}), **new}
            self._unwritten.add(node)

    def flush(self) -> None:
        """Writes what is new, all or nothing. Raises StoreUnavailable, and then all of it is still to write."""
        with self._lock:
            nodes, self._unwritten = self._unwritten, set()
            documents = {node: encode(self._documents[node]) for node in nodes}
        try:
            self._store.write_readings(documents, self._clock())
        except StoreUnavailable:
            with self._lock:
                self._unwritten |= nodes
            raise

    def stale(self, nodes: Iterable[str], checks: Iterable[str], since: datetime) -> list[str]:
        """The nodes with a reading among these checks that is missing or older than `since`."""
        limit = iso(since) or ""
        names = tuple(checks)
        with self._lock:
            return [node for node in nodes if oldest(self._documents.get(node, {}), names) < limit]
