"""How late this process itself was: what no node may be blamed for."""

from __future__ import annotations

import time


class OwnDelay:
    """Tells one loop how late it came round. Used by the thread of the loop alone.

    `usual_s` is the longest that may pass between two looks while the loop is given time to run. What passes beyond
    that the machine did not give it, or the other threads of this process did not: an answer of that time waits
    unread, and whoever owes it is not late.
    """

    def __init__(self, usual_s: float) -> None:
        self._usual_s = usual_s
        self._looked_s = time.monotonic()

    def since_last(self, now_s: float) -> float:
        """Seconds by which this look came too late after the last one; 0 for one in time."""
        late_s = now_s - self._looked_s - self._usual_s
        self._looked_s = now_s
        return max(0.0, late_s)
