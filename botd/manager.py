"""What the service manager is told of this process: sd_notify(3), as systemd 252 has it.

Fifteen lines of our own in place of a library: the protocol is one datagram, and promised to stay as it is.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Manager:
    """The manager that an environment names, for its main process. Where there is none, nobody is told."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` names the socket in NOTIFY_SOCKET, and the patience of the watchdog in WATCHDOG_USEC."""
        self._address = environment.get("NOTIFY_SOCKET", "")
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        text = environment.get("WATCHDOG_USEC", "")
        self._patience_s = int(text) / 1e6 if watched and text.isdecimal() else 0.0
        self._told_s = 0.0
        self._is_reloading = False

    @property
    def is_there(self) -> bool:
        """Whether somebody listens, so that SIGHUP is a wish to reload and no terminal that was closed."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Tells that the process does its work, at first or again. `status` is what systemctl(1) shows of it."""
        self._is_reloading = False
        self._tell(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Tells that the configuration is read anew; `ready` tells the end of it."""
        self._is_reloading = True
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tells that the process ends as it was asked to, and not in order to begin anew."""
        if not self._is_reloading:
            self._tell("STOPPING=1")

    def alive(self) -> None:
        """Tells the watchdog that the loop goes round, four times within its patience; to be called often."""
        now_s = time.monotonic()
        if self._patience_s and now_s >= self._told_s + self._patience_s / 4:
            self._told_s = now_s
            self._tell("WATCHDOG=1")

    def _tell(self, state: str) -> None:
        """Sends it. What cannot be sent is logged and no more: the work does not depend on who looks at it."""
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address  # an abstract socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(state.encode(), name)
        except OSError as error:
            log.warning("the service manager cannot be told address=%s error=%s", self._address, error)
