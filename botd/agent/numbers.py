"""The numbers of readings over time, as the agent collects them for plots, and the housekeeping of the history."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from botd.checks import Checks
from botd.errors import StoreUnavailable
from botd.model import Clock, Reading
from botd.settings import HistorySettings
from botd.store import Store

SAMPLE_S = 60.0
"""The least time between two moments on record, however often somebody asks for fresh readings."""

DENSE = timedelta(days=1)
"""How long every moment is kept; of earlier ones, one an hour."""

PRUNE_S = 3600.0

LEAP = timedelta(hours=1)
LONG_AWAY = timedelta(days=2)

log = logging.getLogger(__name__)


class NumberCollector:
    """The numbers that sweeps have read since the last moment on record. Safe to use from many threads."""

    def __init__(self, checks: Checks, store: Store, clock: Clock) -> None:
        self._plotted = {name: check.plotted for name, check in checks.items() if check.plotted}
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers: dict[str, dict[str, float]] = {}
        self._written_at = 0.0

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
        if time.monotonic() - self._written_at < SAMPLE_S and self._written_at:
            return
        with self._lock:
            numbers, self._numbers = self._numbers, {}
        try:
            self._store.samples.write(numbers, self._clock())
        except StoreUnavailable:
            with self._lock:
                self._numbers = numbers | self._numbers
            raise
        self._written_at = time.monotonic()


class Housekeeping:
    """Forgets what is too old, a little at a time: one step is one short transaction.

    A clock that was set far ahead makes everything look old. So after a leap, and after the agent was away for long,
    nothing is forgotten for a day, in which somebody may set the clock right.
    """

    def __init__(self, settings: HistorySettings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._next = 0.0
        self._looked: tuple[datetime, float] | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to forget before the next look."""
        return time.monotonic() < self._next

    def step(self) -> None:
        """Takes one step where there is something to do; looks for it once an hour. Raises StoreUnavailable."""
        if self.is_done:
            return
        now = self._clock()
        if self._has_leapt(now):
            log.warning("history nothing is forgotten for a day: the clock leapt ahead, or botd was away for long")
            self._next = time.monotonic() + DENSE.total_seconds()
            return
        gone = self._store.changes.prune(
            good_before=now - timedelta(days=self._settings.keep_changes),
            bad_before=now - timedelta(days=self._settings.keep_failures),
        )
        gone += self._store.samples.prune(now - timedelta(days=self._settings.keep_numbers))
        gone += self._store.samples.thin(now - DENSE)
        if not gone:
            self._next = time.monotonic() + PRUNE_S

    def _has_leapt(self, now: datetime) -> bool:
        """Whether the clock went on by much more than the time that has passed since the last look."""
        if self._looked is None:
            last = self._store.pulse().revised_at
            allowed = LONG_AWAY
            gone_on = now - last if last else timedelta()
        else:
            allowed = LEAP + timedelta(seconds=time.monotonic() - self._looked[1])
            gone_on = now - self._looked[0]
        self._looked = (now, time.monotonic())
        return gone_on > allowed


def _number(value: object, key: str) -> float | None:
    """The number of a value: itself, or the one under `key` of an object."""
    if isinstance(value, Mapping):
        value = value.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
