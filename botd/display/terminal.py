"""Aligned tables for a terminal: no wider than asked for, and without colours unless they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from botd.text import fit, plain, width

_GAP = "  "
_MAX_CELL = 40
"""Columns of a cell that is not in the first or last column."""

_SGR = {"fail": "1;31", "warn": "33", "unknown": "35", "skipped": "2", "header": "1", "do": "36"}
"""Select graphic rendition by state (ECMA-48, 8.3.117): bold red, yellow, magenta, faint; bold for the header;
cyan for what is to be done."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a table is drawn: at most so many columns of the terminal wide, None for as wide as it is.

    With `ascii` nothing of botd's own is beyond ASCII.
    """

    width: int | None = None
    color: bool = False
    ascii: bool = False

    @property
    def mark(self) -> str:
        """What stands where a text is cut."""
        return "..." if self.ascii else "…"


WIDE = Look()
"""As wide as it needs to be, without colours."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of text. `states` colour it. One that is `quiet` has nothing to tell and is the first to go."""

    title: str
    texts: Sequence[str]
    states: Sequence[str] = ()
    quiet: bool = False
    kept: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it."""
        return not any(self.texts)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The lines of a table, and the columns that had no room."""

    lines: list[str]
    left_out: list[Column]

    def text(self) -> str:
        """The lines as one text."""
        return "".join(line + "\n" for line in self.lines)


def draw(columns: Sequence[Column], look: Look) -> Drawn:
    """The table, two blanks between columns. The last column is as long as it needs to be, or as there is room.

    Where it has to be narrower, columns are left out until the last one has what it needs or a third of the width:
    the empty ones first, then the quiet ones, each time the rightmost, and never the first, one that is `kept`, or the
    last unless nothing stands in it.
    """
    sizes = {column: _size(column, columns) for column in columns}
    shown = list(columns)
    while look.width is not None and (column := _next_to_go(shown, sizes, look.width)):
        shown.remove(column)
    widths = _widths([sizes[column] for column in shown], look.width)
    lines = [_line(shown, widths, row, look) for row in range(-1, len(columns[0].texts))]
    return Drawn(lines, [column for column in columns if column not in shown])


def notes(sentences: Iterable[str], look: Look) -> str:
    """Lines that begin with `#`, wrapped where a width is asked for."""
    room = None if look.width is None else look.width - 2
    lines = [f"# {line}\n" for text in sentences for line in wrapped(plain(text), room)]
    return "".join(lines)


def wrapped(text: str, room: int | None) -> list[str]:
    """Plain text in lines of at most so many columns; a word that is longer is cut into pieces."""
    if room is None:
        return [text]
    room = max(1, room)
    lines: list[str] = []
    for word in _pieces(text, room):
        if lines and width(lines[-1]) + 1 + width(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def colored(text: str, state: str) -> str:
    """The text in its state's colour, the blanks that fill it up left plain."""
    code, bare = _SGR.get(state), text.rstrip()
    return f"\x1b[{code}m{bare}\x1b[0m{text[len(bare) :]}" if code and bare else text


def left_out(drawn: Drawn) -> list[str]:
    """Which columns had no room, and how to see them."""
    quiet = [column.title for column in drawn.left_out if column.quiet]
    others = [column.title for column in drawn.left_out if not column.quiet and not column.is_empty]
    told = [f"nothing wrong in, and left out: {', '.join(quiet)}"] if quiet else []
    told += [f"no room for: {', '.join(others)}"] if others else []
    return [*told, "ask with a larger width, or without one, to see all columns"] if told else []


def _size(column: Column, columns: Sequence[Column]) -> int:
    """The columns of the terminal that it needs."""
    widest = max(map(width, (column.title, *map(plain, column.texts))))
    return widest if column in (columns[0], columns[-1]) else min(widest, _MAX_CELL)


def _next_to_go(shown: Sequence[Column], sizes: Mapping[Column, int], limit: int) -> Column | None:
    """The column to leave out next, None when the rest fits or may not go."""
    *others, last = shown
    needed = sum(sizes[column] + len(_GAP) for column in others) + min(sizes[last], max(limit // 3, 1))
    if needed <= limit:
        return None
    may_go = [column for column in others[1:] if not column.kept]
    empty = [column for column in (*may_go, *([] if last.kept else [last])) if column.is_empty]
    quiet = [column for column in may_go if column.quiet]
    chosen = empty or quiet or may_go
    return chosen[-1] if chosen else None


def _widths(sizes: Sequence[int], limit: int | None) -> list[int]:
    """The width of each column; the last one gets what is left of the limit, the first is cut where nothing is."""
    if limit is None:
        return list(sizes)
    room, widths = limit, []
    for size in sizes:
        widths.append(max(0, min(size, room)))
        room -= widths[-1] + len(_GAP)
    return widths


def _line(columns: Sequence[Column], widths: Sequence[int], row: int, look: Look) -> str:
    """One row of the table; -1 is the header."""
    cells = []
    for column, columns_wide in zip(columns, widths, strict=True):
        if columns_wide:
            text = fit(plain(column.texts[row] if row >= 0 else column.title), columns_wide, look.mark)
            cells.append(colored(text, _state(column, row)) if look.color else text)
    return _GAP.join(cells).rstrip()


def _state(column: Column, row: int) -> str:
    if row < 0:
        return "header"
    return column.states[row] if column.states else ""


def _pieces(text: str, room: int) -> Iterable[str]:
    for word in text.split():
        while width(word) > room:
            longest = min(len(word), 4 * room)  # a character may take no column
            head = next(word[:end] for end in range(longest, 0, -1) if width(word[:end]) <= room or end == 1)
            yield head
            word = word[len(head) :]
        if word:
            yield word
