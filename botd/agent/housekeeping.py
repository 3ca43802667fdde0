"""How the history forgets: old changes and numbers go, a little at a time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from botd.agent.numbers import log
from botd.model import Clock
from botd.settings import HistorySettings
from botd.store import Store

DENSE = timedelta(days=1)
"""How long every moment is kept; of earlier ones, one an hour."""


PRUNE_S = 3600.0


LEAP = timedelta(hours=1)


LONG_AWAY = timedelta(days=2)


class Housekeeping:
    """Forgets what is too old, a little at a time: one step is one short transaction.

    A clock that was set far ahead makes everything look old. So after a leap, and after the agent was away for long,
    nothing is forgotten for a day, in which somebody may set the clock right.
    """

    def __init__(self, settings: HistorySettings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._idle_until = 0.0
        self._looked: tuple[datetime, float] | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to forget before the next look."""
        return time.monotonic() < self._idle_until

    def step(self) -> None:
        """Takes one step where there is something to do; looks for it once an hour. Raises StoreUnavailable."""
        if self.is_done:
            return
        now = self._clock()
        if self._has_leapt(now):
            log.warning("history nothing is forgotten for a day: the clock leapt ahead, or botd was away for long")
            self._idle_until = time.monotonic() + DENSE.total_seconds()
            return
        gone = self._store.changes.prune(
            good_before=now - timedelta(days=self._settings.keep_changes),
            bad_before=now - timedelta(days=self._settings.keep_failures),
        )
        gone += self._store.samples.prune(now - timedelta(days=self._settings.keep_numbers))
        gone += self._store.samples.thin(now - DENSE)
        if not gone:
            self._idle_until = time.monotonic() + PRUNE_S

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
