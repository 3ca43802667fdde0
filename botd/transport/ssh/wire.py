"""What paramiko does with the bytes of a connection, with limits on what the other side may send.

Facts about paramiko 5.1 that this is built on: it hands over whatever comes, also past the window of a channel; it
asks the socket for as many bytes as a packet says that it has, up to 4 GiB; its login needs a line of any length to
begin; at a rekey any host key is taken that can sign. Every limit here is far above what sshd sends (OpenSSH 9.2).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import ClassVar

import paramiko
from paramiko.common import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA
from paramiko.packet import Packetizer

LOGIN_BYTES = 262_144
"""What may come until the login is done; some 5 kB do, and the banner of the site."""

_PIECE = 65_536


class Misbehaved(paramiko.SSHException):
    """Raised in the thread of a connection, which ends it, where the other side goes beyond what it may."""


class Wire(Packetizer):
    """paramiko's packets, with a limit on the bytes that come, and without the thread that it starts for each login
    only to keep a time limit.
    """

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        self._meter = _Meter(sock)
        super().__init__(self._meter)  # type: ignore[arg-type]  # it reads, writes and closes, no more

    def allow(self, count: float) -> None:
        """From now on at most so many bytes may come; one more ends the connection."""
        self._meter.limit = self._meter.received + count

    def start_handshake(self, timeout: float) -> None:
        """Does nothing: the clock of the round limits the login."""


class _Meter:
    """A socket that counts. Only the thread of the connection reads, and only another one moves the limit."""

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        self.received = 0
        self.limit: float = LOGIN_BYTES
        self.send = sock.send
        self.close = sock.close
        self._recv = sock.recv

    def recv(self, count: int) -> bytes:
        data = self._recv(min(count, _PIECE))
        self.received += len(data)
        if self.received > self.limit:
            raise Misbehaved("the node sent more than it may")
        return data


def _within_window(feed: Callable[[paramiko.Channel, paramiko.Message], None]) -> Callable[..., None]:
    """paramiko's way to take what comes on a channel, as long as no more waits there than its window allows."""

    def fed(channel: paramiko.Channel, message: paramiko.Message) -> None:
        feed(channel, message)
        if len(channel.in_buffer) + len(channel.in_stderr_buffer) > channel.in_window_size:
            raise Misbehaved("the node sent past the window of a channel")

    return fed


class Transport(paramiko.Transport):
    """paramiko's transport, which ends where the other side sends past a window or changes its host key at a rekey."""

    _channel_handler_table: ClassVar[dict[int, Callable[..., None]]] = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]
        MSG_CHANNEL_DATA: _within_window(paramiko.Channel._feed),  # type: ignore[attr-defined]
        MSG_CHANNEL_EXTENDED_DATA: _within_window(paramiko.Channel._feed_extended),  # type: ignore[attr-defined]
    }

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        before = self.host_key
        super()._verify_key(host_key, sig)  # type: ignore[misc]
        if before is not None and before != self.host_key:
            raise Misbehaved("the host key changed while connected")
