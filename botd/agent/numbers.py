"""The numbers of readings over time, as the agent collects them for plots, and the housekeeping of the history."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from botd.checks import Checks
from botd.errors import StoreUnavailable
from botd.model import Clock, Reading
from botd.store import Store
from botd.text import is_number

SAMPLE_S = 60.0
"""The least time between two moments on record, however often somebody asks for fresh readings."""


log = logging.getLogger(__name__)


class NumberCollector:
    """The numbers that sweeps have read since the last moment on record. Safe to use from many threads."""

    def __init__(self, checks: Checks, store: Store, clock: Clock) -> None:
        self._plotted = {name: check.plotted for name, check in checks.items() if check.plotted}
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers: dict[str, dict[str, float]] = {}
        self._written_s = 0.0

    def put(self, node: str, readings: Mapping[str, Reading]) -> None:
        """Takes the numbers of a node's new readings."""
        found = {
            name: number
            for name, key in self._plotted.items()
            if name in readings and (number := _number(readings[name].value, key)) is not None
        }
        if found:
            with self._lock:
                self._numbers.setdefault(node, {}).update(found)

    def flush(self) -> None:
        """Writes what was collected as one moment, where the last one is a minute ago. Raises StoreUnavailable."""
        if time.monotonic() - self._written_s < SAMPLE_S and self._written_s:
            return
        with self._lock:
            numbers, self._numbers = self._numbers, {}
        try:
            self._store.samples.write(numbers, self._clock())
        except StoreUnavailable:
            with self._lock:
                self._numbers = numbers | self._numbers
            raise
        self._written_s = time.monotonic()


def _number(value: object, key: str) -> float | None:
    """The number of a value: itself, or the one under `key` of an object."""
    if isinstance(value, Mapping):
        value = value.get(key)
    return float(value) if is_number(value) else None
