"""gunicorn's threaded worker, ending when it is told to."""

from __future__ import annotations

import os
import signal
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

GRACE_S = 1.0
"""What an answer under way has left; who follows a sweep or waits for one would hold the end up for minutes."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """The same worker, gone a second after it is told to stop, or sees that gunicorn itself is gone.

    As it comes (gunicorn 27) it waits for its threads until gunicorn kills it, and then reads "out of memory?".
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: no more requests, and the end of those under way."""
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)
        super().handle_exit(sig, frame)

    def is_parent_alive(self) -> bool:
        """Looked at once a second."""
        alive = bool(super().is_parent_alive())
        if not alive:
            self.handle_exit(signal.SIGTERM, None)
        return alive

    def run(self) -> None:
        """Works until it is told to stop. Threads that are still at something do not hold up the end."""
        super().run()
        os._exit(0)
