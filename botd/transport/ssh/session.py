"""Connections that are logged in: how one is closed under those who wait for it, and how they are kept.

Facts about paramiko 5.1 that this is built on: an open transport wakes ten times a second until its socket gets
a longer timeout; closing a socket does not wake the thread that reads it, shutting it down does; a transport
that is closed from outside sets none of the events that somebody waits for.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable
from typing import cast

import paramiko

from botd.transport.ssh.wire import Misbehaved, Transport, Wire

WINDOW = 262_144
"""Bytes that a node may send in one command; a very long one may need more."""

RESTING_BYTES = 65_536
"""What may come on a connection that rests, until its next command: some 1,200 keepalives of sshd. A node that never
falls silent is not kept: reading it would cost half a core."""

IDLE_S = 30.0
"""How often the thread of a kept connection wakes for nothing."""

LOST = (paramiko.SSHException, EOFError, OSError)
"""What paramiko raises when the other side, or our own clock, has closed the connection."""

Destination = tuple[str, int, str]
"""Address, port and user: a kept connection serves only who would log in to the same."""


class Session:
    """A paramiko transport that any thread can close without anybody waiting for ever.

    `channel` is the one for the next or running command.
    """

    def __init__(self, sock: socket.socket | paramiko.Channel, destination: Destination) -> None:
        self.destination = destination
        self.opened_s = time.monotonic()
        self.channel: paramiko.Channel | None = None
        self.transport = Transport(sock, packetizer_class=Wire)
        self._wire = cast(Wire, self.transport.packetizer)
        self._sock = sock
        self._event = threading.Event()
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return not self._closed and self.transport.is_active()

    def wait(self, begin: Callable[[threading.Event], object]) -> None:
        """Begins something that sets an event, and waits for it or for `close`."""
        self._event = event = threading.Event()
        begin(event)
        if not self._closed:
            event.wait()

    def open(self, timeout_s: float, window: int = WINDOW) -> paramiko.Channel:
        """A new channel for one command, on which the node may send `window` bytes. Raises one of `LOST`."""
        self._wire.allow(2 * window)  # as much again for what surrounds them
        self.channel = self.transport.open_session(window_size=window, timeout=timeout_s)
        return self.channel

    def rest(self) -> None:
        """Ends a command, and lets the transport's thread sleep while nothing comes, of which there may be little."""
        self._wire.allow(RESTING_BYTES)
        if self.channel:
            self.channel.close()
        self.channel = None
        self._sock.settimeout(IDLE_S)

    def go_on(self) -> None:
        """Lets the node send as much again in the command that runs."""
        self._wire.allow(2 * WINDOW)

    def carry(self) -> None:
        """From now on other connections go through this one, each of which has its own limits."""
        self._wire.allow(math.inf)

    def fault(self) -> str:
        """What the other side did for which the connection was ended: `: the host key changed ...`, else empty."""
        error = self.transport.get_exception()
        return f": {error}" if isinstance(error, Misbehaved) else ""

    def lost(self) -> bool:
        """Whether it was the connection that ended, and not a channel on it."""
        self.transport.join(0.1)  # it closes its channels first and says so afterwards
        return not self.alive

    def close(self) -> None:
        """Closes the connection and wakes whoever waits for it."""
        self._closed = True
        self._hang_up()
        if self.transport.ident is not None:
            self.transport.join(1)
        self.transport.close()
        self._sock.close()
        self._event.set()
        if self.channel:
            self.channel.event.set()

    def _hang_up(self) -> None:
        """Wakes the transport's thread: a socket does that when it is shut down, a jump's channel when closed."""
        with contextlib.suppress(*LOST):  # it is closed already
            if isinstance(self._sock, socket.socket):
                self._sock.shutdown(socket.SHUT_RDWR)
            else:
                self._sock.close()


class Kept:
    """Connections that stay open between runs: first come, first kept.

    With more nodes than room, throwing out the longest unused would throw out each one just before its next
    turn; so the first ones stay, and the others log in afresh each time. Taking one takes it out, so two runs
    never share one.
    """

    def __init__(self, room: int, keep_for_s: float) -> None:
        self._room = room
        self._keep_for_s = keep_for_s
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def take(self, node: str, destination: Destination) -> Session | None:
        """The node's connection, if it is open, not too old and leads where it should."""
        session = self._pop(node)
        if session and not (session.destination == destination and self._is_good(session)):
            session.close()
            return None
        return session

    def put(self, node: str, session: Session) -> None:
        """Keeps the connection instead of the one there was, or closes it when there is no room."""
        with self._lock:
            unwanted = [self._sessions.pop(node, None)]
            if len(self._sessions) < self._room:
                self._sessions[node] = session
            else:
                unwanted.append(session)
        for old in filter(None, unwanted):
            old.close()

    def drop(self, node: str) -> None:
        """Closes the node's connection, if there is one."""
        if session := self._pop(node):
            session.close()

    def purge(self) -> None:
        """Closes what is too old or has been closed from the other side."""
        with self._lock:
            bad = [node for node, session in self._sessions.items() if not self._is_good(session)]
        for node in bad:
            self.drop(node)

    def close(self) -> None:
        """Closes all."""
        for node in list(self._sessions):
            self.drop(node)

    def _pop(self, node: str) -> Session | None:
        with self._lock:
            return self._sessions.pop(node, None)

    def _is_good(self, session: Session) -> bool:
        return session.alive and time.monotonic() - session.opened_s < self._keep_for_s
