"""How many nodes are worked on at once, and how many files that may take."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable

SILENT_S = 1.0
"""After this long without a sign of life a node gives its place to the next. Waiting costs no CPU, so places are
for those who work: 500 nodes that hang in their login would else hold up the 501st for 500 / 64 node deadlines."""

SLOW_FACTOR = 4.0
"""A place is also kept for this many times as long as nodes that answer in full are silent at the most. Where all
are slow (a busy network, or this machine itself), taking on more of them would only make each one slower."""

SPARE_FILES = 64
"""File descriptors left to the rest of the program."""


CROWDED_S = 1.5
"""Where nodes that answer in full are typically silent for longer than this, fewer are worked on at once."""

LEAST = 8
"""Places that are always there."""


class Places:
    """How many nodes work at once, over all runs, and how long a silent one keeps its place.

    There are as many as asked for, but fewer while all nodes answer slowly: then it is the network, this machine or
    what the nodes share that is at its limit, and more at once would only let healthy nodes run into time limits.
    """

    def __init__(self, count: int) -> None:
        self.patience_s = SILENT_S
        self._most = self._count = count
        self._taken = 0
        self._typical_s = 0.0
        self._lock = threading.Lock()
        self._waiting: set[Callable[[], None]] = set()

    def take(self) -> bool:
        """Whether there was a free place, which now is taken."""
        with self._lock:
            if self._taken >= self._count:
                return False
            self._taken += 1
            return True

    def learn(self, silence_s: float) -> None:
        """Notes how long a node that answered in full was silent at the most."""
        with self._lock:
            self._typical_s = 0.95 * self._typical_s + 0.05 * silence_s
            self.patience_s = max(SILENT_S, SLOW_FACTOR * self._typical_s)
            step = -1 if self._typical_s > CROWDED_S else 1
            self._count = max(min(LEAST, self._most), min(self._most, self._count + step))

    def give(self) -> None:
        """Gives a place back, and tells every round."""
        with self._lock:
            self._taken -= 1
            waiting = list(self._waiting)
        for wake in waiting:
            wake()

    def join(self, wake: Callable[[], None]) -> None:
        """From now on `wake` is called when a place gets free."""
        with self._lock:
            self._waiting.add(wake)

    def leave(self, wake: Callable[[], None]) -> None:
        """Ends what `join` began."""
        with self._lock:
            self._waiting.discard(wake)


def spare_files() -> int:
    """How many more files this process may open, less a reserve; never below 0."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(0, limit - len(os.listdir("/proc/self/fd")) - SPARE_FILES)
