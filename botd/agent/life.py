"""The agent's claim on its database: one agent works on it, and says again and again that it lives."""

from __future__ import annotations

import logging
import os
import socket
import time
from datetime import timedelta

from botd.errors import ConfigError
from botd.model import Clock
from botd.store import ALIVE_S, Pulse, Store

log = logging.getLogger(__name__)

HOLD_S = 3600.0
"""How often at most the database is taken back from what cannot be another agent."""


class Due:
    """Says once per interval, and at the first time, that something is due. An interval of 0 is never."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._idle_until = 0.0

    def now(self) -> bool:
        """Whether it is due; asked again, it is not until the interval is over."""
        if not self._interval_s or time.monotonic() < self._idle_until:
            return False
        self._idle_until = time.monotonic() + self._interval_s
        return True


class Life:
    """This process as the agent of a database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._me = os.getpid(), socket.gethostname()
        self._beaten_s = 0.0
        self._hold = Due(HOLD_S)

    def claim(self) -> None:
        """Raises ConfigError while another agent works on this database: two would ask every node twice."""
        other = self._store.claim(*self._me, self._clock(), self._is_gone)
        if other:
            raise ConfigError(
                f"an agent is running already (process {other.agent_pid} on {other.agent_name}); stop it first, "
                f"or wait {ALIVE_S:.0f} s if it is gone"
            )
        self._beaten_s = time.monotonic()

    def beat(self) -> None:
        """Says that it lives. Raises ConfigError when another agent has taken this database, as after a sleep.

        Who has beaten lately is followed by nobody: another name in its place was written by somebody else, or is
        damage, and is written over. Not twice in an hour, though: two agents must not take turns.
        """
        if not self._store.beat(*self._me, self._clock()):
            was_asleep = time.monotonic() - self._beaten_s > ALIVE_S
            if was_asleep or not self._hold.now():
                raise ConfigError("another agent works on this database now; this one stops")
            log.error("the name of the agent in the database is not this one's, and of no other; it is written anew")
            self._store.claim(*self._me, self._clock(), lambda _: True)
        self._beaten_s = time.monotonic()

    def _is_gone(self, found: Pulse) -> bool:
        """Whether the agent of a pulse is dead: it has not beaten lately, or was a process of here that is no more."""
        if found.agent_beat_at is None or abs(self._clock() - found.agent_beat_at) > timedelta(seconds=ALIVE_S):
            return True
        return found.agent_name == self._me[1] and not _process_exists(found.agent_pid)


def _process_exists(pid: object) -> bool:
    """Whether there is such a process besides this one. What is no number is none: that row is damaged."""
    if not isinstance(pid, int) or pid <= 0 or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
