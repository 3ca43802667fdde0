"""Text from outside, made harmless: each way in one place.

A node, a tool, a BMC, a person who types a reason or a request may send anything: escapes that a terminal obeys, marks
that turn a line around, lines that look like another's, half a character, a formula. Which way is right depends on
where the text goes: `clean` and `one_line` for what is kept of it, `shown` for what an error repeats, `plain` for a
screen, `in_numbers` for JSON, `escaped` for a log, `unformulated` for a spreadsheet.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, TypeGuard

WIDTH = 500
"""Characters of one text of a node that are kept."""

LOG_WIDTH = 2000
"""Characters of one line of a log that is followed."""

_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.")
"""CSI sequences, OSC sequences (window titles, links) and two-character ones (ECMA-48, xterm's ctlseqs)."""

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_OBEYED = re.compile(rb"\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
"""In UTF-8: the C1 controls, which a terminal obeys as it does escapes (U+0080 to U+009F); the bidi marks (U+061C,
U+200E, U+202A and U+2066 and on); and what is the end of a line to some readers and none to JSON (U+2028, U+2029)."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What makes a spreadsheet read a text as a formula, also in full width."""


def clean(text: str) -> str:
    """A node's text on one line, at most 500 characters, without terminal escapes and other unprintable characters."""
    # An escape begins with an unprintable character, and most texts have none.
    return " ".join((text if text.isprintable() else _printable(_ESCAPE.sub("", text), " ")).split())[:WIDTH]


def log_line(text: str) -> str:
    """A line of a log with nothing that a terminal or a reader could be fooled by, its blanks as they are."""
    return plain(_ESCAPE.sub("", text.expandtabs())).rstrip()[:LOG_WIDTH]


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


def one_line(text: str, limit: int = 200) -> str:
    """Text as a detail repeats it: one line of at most `limit` characters, with nothing unprintable."""
    return _cut(" ".join(_printable(text[: 4 * limit], " ").split()), limit)


def shown(text: str, limit: int = 60) -> str:
    """A piece of text as an error repeats it: at most `limit` characters, with `?` for what is not printable."""
    return _printable(_cut(text, limit), "?")


def plain(text: str) -> str:
    """The text on one line with nothing that a terminal or a reader could be fooled by: no controls, no bidi marks."""
    if text.isprintable():  # then it holds no bidi mark either: those are of category Cf
        return text
    return _printable(_BIDI.sub("", text), " ")


def in_numbers(data: bytes) -> bytes:
    r"""JSON in UTF-8 with what `plain` would take away as JSON writes a character by its number: `\u009b`.

    RFC 8259, section 7: below U+0020 they are always written so; the text that a program reads is the same.
    """
    return _OBEYED.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), data)


def escaped(text: str) -> str:
    """The text as a line of the log has it: what is not printable as its number, so that nobody writes own lines."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def unformulated(text: str) -> str:
    """Plain text for a spreadsheet: what it would run as a formula gets an apostrophe before it."""
    shown_text = plain(text)
    return "'" + shown_text if shown_text.lstrip().startswith(_FORMULA) else shown_text


def whole(text: str) -> str:
    r"""The text without lone surrogates, which JSON may hold (`"\ud800"`) and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode()


def width(text: str) -> int:
    """The columns that plain text takes on a terminal: two for a wide character, none for a combining one (UAX #11)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def fit(text: str, columns: int, mark: str = "…") -> str:
    """Plain text in exactly this many columns: filled up with blanks, or cut with a mark at its end."""
    missing = columns - width(text)
    if missing >= 0:
        return text + " " * missing
    mark = mark[:columns]
    kept, room = "", columns - len(mark)
    for char in text:
        room -= _columns(char)
        if room < 0:
            break
        kept += char
    return fit(kept + mark, columns)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number, which true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _printable(text: str, instead: str) -> str:
    return text if text.isprintable() else "".join(char if char.isprintable() else instead for char in text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
