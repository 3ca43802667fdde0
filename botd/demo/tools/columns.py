"""The `--format` language of sinfo and squeue: `%[[.]width]letter`, with literal text between (sinfo(1))."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from botd.demo.tools.options import Usage

Row = TypeVar("Row")

_TOKEN = re.compile(r"%(#?)(\.?)(\d*)([A-Za-z])|%%|[^%]+|%")


NULL = b"(null)"

LEAST = 9
"""How wide a column is at least that takes its width from its texts."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One letter of the language: its heading and the text of a row."""

    title: str
    text: Callable[[Row], str]


@dataclass(frozen=True)
class Cell(Generic[Row]):
    """One piece of a format: a column with its width, or literal text (then `column` is None)."""

    letter: str
    column: Column[Row] | None
    literal: str = ""
    width: int = 0
    right: bool = False
    fit: bool = False


def read_format(text: str, columns: Mapping[str, Column[Row]], letters: str) -> tuple[list[Cell[Row]], list[str]]:
    """The pieces of a format, and the letters that the real tool does not have either: it prints those as they are.

    Raises Usage for a letter of the real one that has no column here. `%#P` is as wide as the longest text, as in
    sinfo's own formats.
    """
    cells: list[Cell[Row]] = []
    strange: list[str] = []
    for match in _TOKEN.finditer(text):
        fit, right, width, letter = match.groups()
        if letter in columns:
            cells.append(Cell(letter, columns[letter], "", int(width or 0), bool(right), bool(fit)))
        elif letter and letter in letters:
            raise Usage(f"the demo has no column %{letter}: it has {' '.join(columns)}")
        else:
            cells.append(Cell("", None, match[0].replace("%%", "")))
            strange += [letter] if letter else []
    return cells, strange


def print_rows(cells: Sequence[Cell[Row]], rows: Iterable[Row], *, heading: bool) -> bytes:
    """The rows as lines, under a heading when asked for."""
    table = [[cell.column.text(row) if cell.column else cell.literal for cell in cells] for row in rows]
    titles = [cell.column.title if cell.column else cell.literal for cell in cells]
    lines = [titles, *table] if heading else table
    widths = [_width(cell, [titles, *table], i) for i, cell in enumerate(cells)]
    return b"".join(_line(cells, widths, line) for line in lines)


def _width(cell: Cell[Row], lines: Sequence[Sequence[str]], place: int) -> int:
    return max(LEAST, *(len(line[place].encode()) for line in lines)) if cell.fit else cell.width


def _line(cells: Sequence[Cell[Row]], widths: Sequence[int], texts: Sequence[str]) -> bytes:
    padded = [_pad(text.encode(), width, cell.right) for cell, width, text in zip(cells, widths, texts, strict=True)]
    return b"".join(padded) + b"\n"


def _pad(text: bytes, width: int, right: bool) -> bytes:
    """Slurm counts bytes, so it cuts inside a UTF-8 character; the star of a partition stays; no text is all or none.

    The last is the C library's: "(null)" is what it prints for no text where that fits (22.05).
    """
    if not width:
        return text
    if text == NULL and width < len(NULL):
        text = b""
    cut = text[: width - 1] + b"*" if text.endswith(b"*") and len(text) > width else text[:width]
    return cut.rjust(width) if right else cut.ljust(width)
