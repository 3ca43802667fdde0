"""The log of slurmd on a simulated node, as whoever follows it sees it grow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Protocol

_NONCE = re.compile(r"printf '[^']*' (\S+)\n")
_LAST = "exec 3<&0; follow\n"
"""The end of the script of `botd.transport.ssh.follow`; standard input stays open behind it."""

MOST = 8192
"""Bytes of a script; botd's have some 400."""

GROWS_S = 2.0

# [2026-11-27T03:20:16.211] debug:  _handle_node_reg_resp: slurmctld sent back 9 TRES.
GROWTH = "debug:  _handle_node_reg_resp: slurmctld sent back 9 TRES."


class Channel(Protocol):
    """A channel of ssh, on the side of the node."""

    def recv(self, nbytes: int) -> bytes:
        """What the client sent; empty where nothing more will come. Raises TimeoutError."""

    def sendall(self, s: bytes) -> None:
        """Sends."""

    def settimeout(self, timeout: float | None) -> None:
        """How long `recv` waits."""

    def send_exit_status(self, status: int) -> None:
        """Says how the command ended."""

    def close(self) -> None:
        """Ends it."""


def follow(channel: Channel, log: str, stamp: Callable[[], str]) -> None:
    """Answers the script on a channel: with the log as it is, then with a line now and then, until its input ends."""
    script = ""
    while _LAST not in script:
        data = channel.recv(4096)
        script += data.decode("utf-8", "replace")
        if not data or len(script) > MOST:
            return
    nonce = _NONCE.search(script)
    channel.sendall(f"\x1e{nonce[1] if nonce else ''}\n{log}".encode())
    channel.settimeout(0.2)
    grows_at = time.monotonic() + GROWS_S
    while not _has_ended(channel):
        if time.monotonic() > grows_at:
            grows_at += GROWS_S
            channel.sendall(f"[{stamp()}] {GROWTH}\n".encode())
    channel.send_exit_status(143)  # as the shell has it of what was ended by SIGTERM
    channel.close()


def _has_ended(channel: Channel) -> bool:
    try:
        return not channel.recv(1024)
    except TimeoutError:
        return False
