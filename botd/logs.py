"""One line per event on standard error, whatever the event holds."""

from __future__ import annotations

import logging
import sys
import time

LEVELS = ("debug", "info", "warning", "error")


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
        return " | ".join("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line) for line in lines)


def set_up(level: str) -> None:
    """Sends botd's events to standard error. The libraries below speak only of what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("paramiko", "pyghmi", "sqlalchemy", "werkzeug"):
        logging.getLogger(name).setLevel(logging.CRITICAL if name == "paramiko" else logging.WARNING)
