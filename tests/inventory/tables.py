"""Tables as sinfo prints them, byte for byte: print.c of Slurm 22.05, with each way to say which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Fields = Mapping[str, str]
"""One row, by the titles of sinfo's columns."""


@dataclass(frozen=True)
class Column:
    """A field: its title, its width in bytes (0 is as much as it needs), and what stands behind it."""

    title: str
    width: int = 0
    behind: str = " "
    right: bool = False

    def text(self, value: str) -> bytes:
        """As `_print_str` pads and cuts it."""
        data = value.encode()
        if self.width:
            data = data[: self.width]
            data = data.rjust(self.width) if self.right else data.ljust(self.width)
        return data + self.behind.encode()


def shape(*columns: tuple[str, int], behind: str = " ") -> tuple[Column, ...]:
    """Columns of these widths."""
    return tuple(Column(title, width, behind) for title, width in columns)


REASONS = shape(("REASON", 20), ("USER", 9), ("TIMESTAMP", 19), ("NODELIST", 0))
LONG_REASONS = shape(("REASON", 20), ("USER", 12), ("TIMESTAMP", 19), ("STATE", 6), ("NODELIST", 0))
TOUCHING = shape(("REASON", 20), ("USER", 20), ("TIMESTAMP", 20), ("STATE", 20), ("NODELIST", 40), behind="")
NODE_FIRST = shape(("NODELIST", 0), ("STATE", 0), ("TIMESTAMP", 0), ("USER", 0), ("REASON", 0))
USER_FIRST = shape(("USER", 9), ("TIMESTAMP", 19), ("STATE", 6), ("NODELIST", 0), ("REASON", 0))
MARKED = shape(("NODELIST", 0), ("STATE", 0), ("USER", 0), ("TIMESTAMP", 0), ("REASON", 0), behind="|")


def printed(columns: Sequence[Column], rows: Sequence[Fields], *, header: bool = True) -> bytes:
    """The table."""
    lines = [{column.title: column.title for column in columns}] if header else []
    return b"".join(b"".join(column.text(row[column.title]) for column in columns) + b"\n" for row in [*lines, *rows])
