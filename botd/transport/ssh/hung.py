"""Login shells that hang before the script begins, as one does whose profile or home lies on a dead file server.

Closing the connection ends no process there: sshd leaves what runs without a terminal to itself (OpenSSH 9.2), and one
in an uninterruptible wait cannot be ended at all. So one more in each sweep would fill the node. While one hangs, no
other is started; its connection stays open, and tells when it goes on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Protocol

import paramiko

from botd.answers import Output
from botd.transport.ssh.session import LOST, Session

PAUSE_S = 3600.0
"""Until another shell is started where no connection could be kept: through a jump node, or without room."""


class Shell(Protocol):
    """A login shell that was asked for something."""

    @property
    def begun(self) -> bool:
        """Whether it has begun with that."""


@dataclass(frozen=True)
class _Hang:
    """A shell that has not begun. `session` and `channel` are those that it hangs on, where they are still open."""

    shell: Shell
    since_s: float
    session: Session | None
    channel: paramiko.Channel | None  # paramiko closes a channel that nobody holds any more

    def over(self) -> bool:
        """Whether another may be started: it went on, it ended, or the connection was lost, as by a reboot."""
        if not (self.session and self.channel):
            return time.monotonic() - self.since_s > PAUSE_S
        return self.shell.begun or self.channel.closed or not self.session.alive

    def close(self) -> None:
        if self.session:
            self.session.close()


class Hung:
    """The nodes whose login shell hangs, with up to `room` connections that stay open for it."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._hangs: dict[str, _Hang] = {}

    def note(self, node: str, session: Session, shell: Shell, *, direct: bool) -> None:
        """Notes that the shell of the session's command hangs; where there is room, the session is held here."""
        with self._lock:
            if node in self._hangs:  # another sweep's has hung at the same time
                return
            held = direct and sum(hang.session is not None for hang in self._hangs.values()) < self._room
            kept = (session, session.channel) if held else (None, None)
            self._hangs[node] = _Hang(shell, time.monotonic(), *kept)
        if held:
            session.channel = None
            session.rest()

    def holds(self, node: str, session: Session) -> bool:
        """Whether the session is held here."""
        with self._lock:
            return node in self._hangs and self._hangs[node].session is session

    def answer(self, node: str) -> Output | None:
        """What to say of the node's checks while its shell hangs, None when one may be started."""
        with self._lock:
            hang = self._hangs.get(node)
            if hang is None:
                return None
            if over := hang.over():
                del self._hangs[node]
        if over:
            hang.close()
            return None
        if hang.session is None:
            return Output(detail=f"an earlier login shell did not begin; none is started for {PAUSE_S / 3600:g} h")
        with contextlib.suppress(*LOST):
            hang.session.transport.send_ignore(1)  # a node that was rebooted answers it by a reset
        return Output(detail="an earlier login shell still hangs; none is started while it does")

    def close(self) -> None:
        """Closes what is held."""
        with self._lock:
            hangs, self._hangs = self._hangs, {}
        for hang in hangs.values():
            hang.close()
