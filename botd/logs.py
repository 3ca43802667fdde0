"""One line per event on standard error, whatever the event holds."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable

from botd.text import escaped

LEVELS = ("debug", "info", "warning", "error")

DAY_S = 86_400.0


class OneLine(logging.Formatter):
    """Time, level, logger, event. What is not printable is escaped, so that no node can write lines of its own."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line. The lines of a traceback are joined by " | "."""
        lines = super().format(record).splitlines()
        return " | ".join(escaped(line) for line in lines)


class Faults:
    """What stays wrong, as the log tells it: once, again when it changes or after a day, and when it is over.

    Safe to use from many threads.
    """

    def __init__(self, log: logging.Logger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, dict[str, float]] = {}

    def tell(self, subject: str, wrong: Iterable[str] = (), *, level: int = logging.WARNING) -> None:
        """Takes all that is wrong with the subject now, and logs what of it is news. Nothing wrong ends what was."""
        now, faults = self._clock(), dict.fromkeys(wrong)
        with self._lock:
            before = self._told.pop(subject, {})
            known = {fault: told for fault, told in before.items() if fault in faults and now - told < DAY_S}
            new = [fault for fault in faults if fault not in known]
            if faults:
                self._told[subject] = known | dict.fromkeys(new, now)
        for fault in before:
            if fault not in faults:
                self._log.info("over: %s error=%s", subject, fault)
        for fault in new:
            self._log.log(level, "%s error=%s", subject, fault)


def set_up(level: str) -> None:
    """Sends botd's events to standard error. The libraries below speak only of what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("alembic", "paramiko", "pyghmi", "sqlalchemy", "werkzeug"):
        logging.getLogger(name).setLevel(logging.CRITICAL if name == "paramiko" else logging.WARNING)
