"""The `--format` language of sinfo and squeue: `%[[.]width]letter`, with literal text between (sinfo(1))."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from botd.demo.tools.base import Usage

Row = TypeVar("Row")

_TOKEN = re.compile(r"%(#?)(\.?)(\d*)([A-Za-z])|%%|[^%]+|%")


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


def read_format(text: str, columns: Mapping[str, Column[Row]]) -> list[Cell[Row]]:
    """The pieces of a format. Raises Usage for a letter that no column has.

    `%#9P` takes the width of the longest text in place of the number, as sinfo does for its own default format.
    """
    cells: list[Cell[Row]] = []
    for match in _TOKEN.finditer(text):
        fit, right, width, letter = match.groups()
        if not letter:
            cells.append(Cell("", None, "%" if match[0] == "%%" else match[0]))
        elif letter in columns:
            cells.append(Cell(letter, columns[letter], "", int(width or 0), bool(right), bool(fit)))
        else:
            raise Usage(f"error: Invalid node format specification: {letter}")
    return cells


def print_rows(cells: Sequence[Cell[Row]], rows: Iterable[Row], *, heading: bool) -> bytes:
    """The rows as lines, under a heading when asked for."""
    table = [[cell.column.text(row) if cell.column else cell.literal for cell in cells] for row in rows]
    titles = [cell.column.title if cell.column else cell.literal for cell in cells]
    lines = [titles, *table] if heading else table
    widths = [_width(cell, [titles, *table], i) for i, cell in enumerate(cells)]
    return b"".join(_line(cells, widths, line) for line in lines)


def _width(cell: Cell[Row], lines: Sequence[Sequence[str]], place: int) -> int:
    return max(len(line[place].encode()) for line in lines) if cell.fit else cell.width


def _line(cells: Sequence[Cell[Row]], widths: Sequence[int], texts: Sequence[str]) -> bytes:
    padded = [_pad(text.encode(), width, cell.right) for cell, width, text in zip(cells, widths, texts, strict=True)]
    return b"".join(padded) + b"\n"


def _pad(text: bytes, width: int, right: bool) -> bytes:
    """Slurm counts bytes, so it cuts inside a UTF-8 character (22.05)."""
    if not width:
        return text
    return text[:width].rjust(width) if right else text[:width].ljust(width)
