"""Where a request waits: until the sweep that it asked for has ended, or until the agent has read a newer node list."""

from __future__ import annotations

import time
from collections.abc import Callable

from botd.errors import UnknownSweep
from botd.model import ENDED
from botd.store import Store

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5


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
