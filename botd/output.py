"""Standard output as a person or a program has it: a terminal, a file or a pipe, and what becomes of a full disk."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from botd.errors import BotdError

LEAST_WIDTH = 20
"""Columns below which no table can be read."""

CLOSED_PIPE = 141
"""The exit status where the reader has gone away: that of a program that SIGPIPE ends, as cat(1) is."""

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python writes into LC_CTYPE where the locale is C (PEP 538); a person hardly ever does."""


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def columns() -> int:
    """How wide the terminal is: COLUMNS wins over what it says of itself."""
    return max(LEAST_WIDTH, shutil.get_terminal_size().columns)


def is_colored(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether it is to be coloured: NO_COLOR, to any text, keeps colours away (no-color.org)."""
    return is_terminal() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def shows_unicode(environ: Mapping[str, str]) -> bool:
    """Whether the locale has UTF-8 (locale(7)), whatever Python made of a C locale for itself."""
    ctype = environ.get("LC_CTYPE", "")
    name = environ.get("LC_ALL") or ("" if ctype in _COERCED else ctype) or environ.get("LANG", "")
    return name.lower().replace("-", "").endswith("utf8")


def write_out(body: bytes) -> None:
    """Writes to standard output and flushes it.

    Raises BrokenPipeError where the reader has gone away, BotdError where it cannot be written for another reason.
    """
    if sys.stdout is None:
        raise BotdError("cannot write the answer: standard output is closed")
    try:
        sys.stdout.buffer.write(body)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise BotdError(f"cannot write the answer: {error.strerror}") from error


def forget_output() -> None:
    """Leaves what is still to be written to nobody, so that the end of the program does not try it again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
