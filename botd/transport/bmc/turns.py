"""Whose turn it is at each BMC: a sweep's session and an action never meet at one. Many BMCs hold one session well."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from botd.transport.addresses import SocketAddress


class Turns:
    """The BMCs that somebody has a session with now. Used from any thread."""

    def __init__(self) -> None:
        self._taken: set[SocketAddress] = set()
        self._wanted: Counter[SocketAddress] = Counter()
        self._changed = threading.Condition()

    def try_take(self, peer: SocketAddress) -> bool:
        """Whether the BMC is the caller's now, who gives it back."""
        with self._changed:
            if peer in self._taken:
                return False
            self._taken.add(peer)
            return True

    def give(self, peer: SocketAddress) -> None:
        """Gives a BMC back that was taken."""
        with self._changed:
            self._taken.discard(peer)
            self._changed.notify_all()

    def is_wanted(self, peer: SocketAddress) -> bool:
        """Whether somebody waits for it: who can do without the rest gives it back."""
        with self._changed:
            return self._wanted[peer] > 0

    @contextmanager
    def taken(self, peer: SocketAddress, limit_s: float) -> Iterator[bool]:
        """Waits for a BMC: inside, whether it is the caller's, which it is not after `limit_s`."""
        with self._changed:
            self._wanted[peer] += 1
            mine = self._changed.wait_for(lambda: peer not in self._taken, limit_s)
            self._wanted -= Counter((peer,))
            if mine:
                self._taken.add(peer)
        try:
            yield mine
        finally:
            if mine:
                self.give(peer)
