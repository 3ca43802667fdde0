"""How a command draws a table on standard output."""

from __future__ import annotations

import os
from collections.abc import Mapping

from botd.display.terminal import Look
from botd.output import columns, is_colored, is_terminal, shows_unicode


def look_of(width: int | None, environ: Mapping[str, str] = os.environ) -> Look:
    """As wide as asked for, else as the terminal; coloured on a terminal alone."""
    if width is None and is_terminal():
        width = columns()
    return Look(width, is_colored(environ), ascii=not shows_unicode(environ))


def as_shown(body: bytes, look: Look) -> bytes:
    """A text as the terminal's locale can show it: with `?` for what is beyond ASCII where it must be."""
    return body.decode().encode("ascii", "replace") if look.ascii else body
