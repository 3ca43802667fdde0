"""How often somebody may try: a login makes the agent work out an argon2 hash."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from botd.errors import TooMany

MOST = 10
WITHIN_S = 60.0
MAX_KEYS = 10_000


class Rates:
    """Attempts of the last minute, by who makes them. Safe to use from many threads; each process counts its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tried: dict[str, deque[float]] = {}

    def take(self, key: str) -> None:
        """Counts an attempt. Raises TooMany, and counts none, for more than ten in a minute."""
        now = self._clock()
        with self._lock:
            tried = self._tried.setdefault(key, deque())
            while tried and tried[0] <= now - WITHIN_S:
                tried.popleft()
            if len(tried) >= MOST:
                raise TooMany(f"more than {MOST} attempts in a minute; wait for one")
            tried.append(now)
            self._forget(now)

    def _forget(self, now: float) -> None:
        if len(self._tried) > MAX_KEYS:
            old = [key for key, tried in self._tried.items() if not tried or tried[-1] <= now - WITHIN_S]
            for key in old or list(self._tried)[: MAX_KEYS // 2]:
                del self._tried[key]
