"""Where a request waits: until the sweep that it asked for has ended, or until the agent has read a newer node list."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botd.errors import TooMany, UnknownSweep
from botd.model import ENDED
from botd.store import Store

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5


class Places:
    """Where requests wait, each in a thread of its own: fewer than there are threads, so that others are answered."""

    def __init__(self, threads: int) -> None:
        self._count = max(1, threads // 2)
        self._free = threading.BoundedSemaphore(self._count)

    @contextmanager
    def one(self, wait_s: float) -> Iterator[None]:
        """A place for who waits at all. Raises TooMany where all are taken."""
        if wait_s <= 0:
            yield
            return
        if not self._free.acquire(blocking=False):
            raise TooMany(f"{self._count} requests wait for readings already; ask again, or without waiting: wait=0")
        try:
            yield
        finally:
            self._free.release()


def wait_for_sweep(store: Store, sweep: int, wait_s: float, gone: Callable[[], bool]) -> None:
    """Returns when the sweep has ended, when the time is up, or when the agent is `gone`. Raises StoreUnavailable."""

    def over() -> bool:
        try:
            return store.sweeps.stage(sweep).state in ENDED
        except UnknownSweep:  # the database is another one now
            return True

    wait_until(lambda: over() or gone(), wait_s)


def wait_until(done: Callable[[], bool], wait_s: float) -> None:
    """Returns when `done` says so, or when the time is up. It looks ever more seldom."""
    until, pause_s = time.monotonic() + wait_s, _FIRST_PAUSE_S
    while time.monotonic() < until and not done():
        time.sleep(min(pause_s, max(0.0, until - time.monotonic())))
        pause_s = min(pause_s * 1.2, _LONGEST_PAUSE_S)
