"""`botd agent`: the agent until it is told to end, and begun anew in the same process when it is told to reload."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from botd.agent.loop import Agent
from botd.commands.check_config import check_config
from botd.commands.ending import hang_up_waits, stop_event
from botd.commands.places import Level
from botd.config import load_config
from botd.manager import Manager
from botd.transport.local import end_commands

log = logging.getLogger(__name__)

STOP_S = 2.0
"""What the agent has to write down its last readings."""


def run_agent(path: str | None) -> int:
    """Works until SIGINT or SIGTERM; the exit status. SIGHUP ends it too, or has a service manager's agent reload.

    Raises ConfigError or StoreUnavailable when the agent cannot work.
    """
    manager = Manager(os.environ)
    stop = stop_event(within_s=STOP_S)  # before it says that it is there
    reload = Reload(path, manager, stop)
    if manager.is_there:
        reload.listen()
    Agent(load_config(path), manager=manager).run(stop)
    if reload.is_on:
        begin_anew()
    return 0


class Reload:
    """What SIGHUP asks for: all of the configuration anew or, where any of it cannot be used, the old as it was."""

    def __init__(self, path: str | None, manager: Manager, stop: threading.Event) -> None:
        self._path = path
        self._manager = manager
        self._stop = stop
        self._asked = threading.Event()
        self.is_on = False  # whether the agent ends to begin anew

    def listen(self) -> None:
        """Takes SIGHUP from now on, also one that came while the process began anew."""
        signal.signal(signal.SIGHUP, lambda *_: self._asked.set())
        hang_up_waits(False)
        threading.Thread(target=self._wait, name="reload", daemon=True).start()

    def _wait(self) -> None:
        while self._asked.wait() and not self.is_on:
            self._asked.clear()
            self._manager.reloading()
            self.is_on = self._is_well()
            if self.is_on:
                self._stop.set()
            else:
                self._manager.ready("the new configuration cannot be used; the old one stays")

    def _is_well(self) -> bool:
        """Whether an agent could work with the files as they are now; the log says what is wrong with them."""
        try:
            told = list(check_config(self._path, offline=True))
        except Exception:  # whatever it is, the agent that works is worth more
            log.exception("not reloaded, the old configuration stays")
            return False
        wrong = [one.line(self._path or "") for one in told if one.level == Level.FAIL]
        for line in wrong:
            log.error("not reloaded, the old configuration stays: %s", line)
        return not wrong


def begin_anew() -> None:
    """Puts a new agent in the place of this one that has ended: the same process, words and environment.

    A SIGHUP meanwhile waits, since by itself it would end the process.
    """
    log.info("agent begins anew with a new configuration")
    end_commands()
    hang_up_waits(True)
    signal.setitimer(signal.ITIMER_REAL, 0)  # it would outlive the change
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself
