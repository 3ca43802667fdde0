"""Text of a node made harmless: the same way for every value and detail, whatever check it belongs to."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

WIDTH = 500
"""Characters of one text that are kept."""

_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.")
"""CSI sequences, OSC sequences (window titles, links) and two-character ones (ECMA-48, xterm's ctlseqs)."""

_PRELOAD = re.compile(r"^ERROR: ld\.so: object .*? cannot be preloaded.*\n?", re.MULTILINE)


def clean(text: str) -> str:
    """The text on one line, at most 500 characters, without terminal escapes and other unprintable characters."""
    # An escape begins with an unprintable character, and most texts have none.
    plain = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in _ESCAPE.sub("", text))
    return " ".join(plain.split())[:WIDTH]


def clean_value(value: Any) -> Any:
    """The value with every text in it cleaned, at any depth.

    Raises ValueError for a number that JSON cannot carry: not finite, or beyond 64 bits.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: clean_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number beyond 64 bits")
    return value


def without_loader_errors(text: str) -> str:
    """The output without what ld.so says, before each program, of a library that it cannot preload.

    A stale /etc/ld.so.preload or LD_PRELOAD makes every program print it (ld.so(8)), and hides the answer.
    """
    # ERROR: ld.so: object '/opt/xalt/lib64/libxalt_init.so' from LD_PRELOAD cannot be preloaded (cannot open ...
    return _PRELOAD.sub("", text) if "ld.so" in text else text
