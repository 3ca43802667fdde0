"""Rows of sinfo's tables cut into cells: by the words in them, by the columns of the header, or by a mark.

::

    REASON              USER                TIMESTAMP           NODELIST
    NHC: check_fs_mount:root                2026-11-20T08:11:12 n0003

`-O` gives each field 20 bytes and puts nothing between two, so their words may touch; there the bytes of the
titles cut. `-o "%N %E"` gives a field what it needs; there the words cut, and the reason is what is left when those
before it and behind it are taken away. Both are bytes: sinfo counts them, also inside a UTF-8 character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from botd.inventory import states
from botd.inventory.times import MAX_WORDS, looks_like_time, words_of_time

MAX_HEADER = 1000
"""Bytes of a line that may be a header. Words of megabytes would take twenty times the room of their line."""

MEANINGS = {
    "NODELIST": ("NODELIST", "HOSTNAMES", "NODEHOST", "NODE_ADDR", "NODEADDR"),
    "STATE": ("STATECOMPLETE", "STATELONG", "STATE", "STATECOMPACT"),
    "USER": ("USERLONG", "USER"),
    "TIMESTAMP": ("TIMESTAMP",),
    "REASON": ("REASON",),
    "PARTITION": ("PARTITIONNAME", "PARTITION"),
}
"""The columns that are read, and the titles that they may have, the best first: what sinfo prints above them (13.12 to
25.11), and the names of the fields of `-O`."""

FREE = ("REASON", "COMMENT", "EXTRA")
"""Columns that may hold several words."""

_TITLES = {title: meaning for meaning, titles in MEANINGS.items() for title in titles}
_TITLE = re.compile(rb"S:C:?T?|[A-Z][A-Z0-9_]*(?:\([A-Z/]*\)?)?")
_TOUCHING = re.compile("|".join(sorted((*_TITLES, "NODES", "CPUS", "WEIGHT"), key=len, reverse=True)))
_NODES = re.compile(rb"[A-Za-z0-9_.,\[\]-]+")
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")


class UnreadableError(Exception):
    """Raised when a line does not fit the columns; the text says why."""

    def __init__(self, why: str, columns: tuple[str, ...]) -> None:
        super().__init__(why, columns)

    def __str__(self) -> str:
        why, columns = self.args
        return f"{why}; the columns are {' '.join(columns)}"


@dataclass(frozen=True)
class Row:
    """The text of each column. `sure` where state and time are such; `full` where the node list fills its column;
    `hashed` where the line begins as a comment does."""

    cells: Mapping[str, str]
    sure: bool
    full: bool
    hashed: bool


@dataclass(frozen=True)
class Layout:
    """The columns of a table in their order."""

    columns: tuple[str, ...]

    def row(self, line: bytes) -> Row:
        """The line cut into cells. Raises UnreadableError."""
        cells = dict(zip(self.columns, self._cut(line), strict=True))
        self._check(cells)
        texts = {name: cell.decode("utf-8", "replace").strip() for name, cell in cells.items()}
        state, time = texts.get("STATE"), texts.get("TIMESTAMP")
        known = state is None or not states.from_text(state).unrecognised
        sure = known and (time is None or looks_like_time(time))
        return Row(texts, sure, self._full(line), line.startswith(b"#"))

    def _check(self, cells: Mapping[str, bytes]) -> None:
        nodes = cells["NODELIST"].strip()
        if not _NODES.fullmatch(nodes) or _DATE.fullmatch(nodes):
            raise self._unreadable("there is no node list where one belongs")
        for name, cell in cells.items():
            if name in ("USER", "STATE") and not cell.strip():
                raise self._unreadable(f"there is nothing in column {name}")
            if name not in (*FREE, "TIMESTAMP") and len(cell.split(None, 1)) > 1:
                raise self._unreadable(f"there are several words in column {name}")

    def _cut(self, line: bytes) -> list[bytes]:
        raise NotImplementedError

    def _full(self, line: bytes) -> bool:
        return False

    def _unreadable(self, why: str) -> UnreadableError:
        return UnreadableError(why, self.columns)

    @property
    def _free(self) -> int:
        """The column that takes what the others leave."""
        return next((self.columns.index(name) for name in FREE if name in self.columns), len(self.columns) - 1)


@dataclass(frozen=True)
class Ruler(Layout):
    """Columns that begin at the same bytes in each row. `ends` is where the last one ends, if it does;
    `right` says that their words stand at the right.

    No word goes over one of the `blanks`: a title with one blank behind it may have a column of any width.
    """

    cuts: tuple[int, ...]
    blanks: tuple[int, ...] = ()
    ends: int | None = None
    right: bool = False

    def _cut(self, line: bytes) -> list[bytes]:
        if len(line) <= (0, *self.cuts)[self.columns.index("NODELIST")]:
            raise self._unreadable("there are too few words")
        if any(line[byte : byte + 1].strip() for byte in self.blanks):
            raise self._unreadable("a word goes over the end of its column")
        return [line[start:end] for start, end in pairwise((0, *self.cuts, None))]

    def _full(self, line: bytes) -> bool:
        column = self.columns.index("NODELIST")
        if self.right:
            start = (0, *self.cuts)[column]
            return not line[start : start + 1].isspace()
        end = (*self.cuts, self.ends)[column]
        return end is not None and len(line) >= end and not line[end - 1 : end].isspace()


@dataclass(frozen=True)
class Words(Layout):
    """Columns with blanks between them, of one word each but for the free one and the time."""

    def row(self, line: bytes) -> Row:
        """The line cut into cells. Raises UnreadableError, also where neither time nor nodes look like such."""
        row = super().row(line)
        if not row.sure and not re.search(r"[\d\[]", row.cells["NODELIST"]):
            raise self._unreadable("there is no time stamp where one belongs (does SLURM_TIME_FORMAT change it?)")
        return row

    def _cut(self, line: bytes) -> list[bytes]:
        left, right, rest = [], [], line.strip()
        for name in self.columns[: self._free]:
            *words, rest = self._padded(rest.split(None, _count(name, rest)), name, rest)
            left.append(b" ".join(words))
        for name in reversed(self.columns[self._free + 1 :]):
            count = _count(name, rest, at_end=True)
            found = rest.rsplit(None, count)
            if len(found) < count:
                raise self._unreadable("there are too few words")
            right.append(b" ".join(found[-count:]))
            rest = found[0] if len(found) > count else b""
        return [*left, rest, *reversed(right)]

    def _padded(self, found: list[bytes], name: str, rest: bytes) -> list[bytes]:
        """At least one word and a rest, which is empty where the line ends here."""
        if not found:
            raise self._unreadable("there are too few words")
        return found if len(found) > _count(name, rest) else [*found, b""]


@dataclass(frozen=True)
class Marked(Layout):
    """Columns with the same mark between them: `%N|%T|%E`."""

    mark: bytes
    first: bytes = b""
    last: bytes = b""

    def _cut(self, line: bytes) -> list[bytes]:
        behind = len(self.columns) - self._free - 1
        *left, rest = line.strip().removeprefix(self.first).removesuffix(self.last).split(self.mark, self._free)
        found = [*left, *rest.rsplit(self.mark, behind)]
        if len(found) != len(self.columns):
            raise self._unreadable("there are too few marks between columns")
        return found


def header(line: bytes) -> tuple[Layout, ...]:
    """The ways to cut the rows below a header, the likeliest first; none when the line is no header."""
    if len(line) > MAX_HEADER or not line.isupper():
        return ()
    return _header(line)


@lru_cache(maxsize=64)
def _header(line: bytes) -> tuple[Layout, ...]:
    found = list(_titles(line))
    columns = _columns([title for title, _, _ in found])
    if "NODELIST" not in columns or {"REASON", "STATE", "TIMESTAMP"}.isdisjoint(columns):
        return ()
    gaps = [line[end:start] for (_, _, end), (_, start, _) in pairwise(found)]
    first, last = line[: found[0][1]].strip(), line[found[-1][2] :].strip()
    mark = b"\t" if set(gaps) == {b"\t"} else gaps[0].strip()
    if any(gap.strip() != mark.strip() for gap in gaps) or mark.isalnum() or not {first, last} <= {b"", mark}:
        return ()
    if mark:
        return (Marked(columns, mark, first, last),)
    width = len(line) if line[-1:].isspace() else None
    by_words = Words(columns)
    blanks = tuple(end for (_, _, end), gap in zip(found, gaps, strict=False) if len(gap) == 1)
    on_the_left = Ruler(columns, tuple(start for _, start, _ in found[1:]), blanks, width)
    on_the_right = Ruler(columns, tuple(end for _, _, end in found[:-1]), blanks, right=True)
    one_blank = all(len(gap) == 1 for gap in gaps)  # what a format without widths gives is no ruler
    return (by_words, on_the_left, on_the_right) if one_blank else (on_the_left, on_the_right, by_words)


def _titles(line: bytes) -> Iterator[tuple[str, int, int]]:
    """The titles in a line, and where each begins and ends; two that fill their columns touch."""
    for match in _TITLE.finditer(line):
        word, start = match.group().decode(), match.start()
        pieces = _TOUCHING.findall(word)
        for piece in pieces if word not in _TITLES and "".join(pieces) == word else [word]:
            yield piece, start, start + len(piece)
            start += len(piece)


def _columns(titles: list[str]) -> tuple[str, ...]:
    """What each title means. A column beside a better one of the same meaning keeps a name of its own."""
    whole = [_uncut(title) for title in titles]
    names = [f"{title}.{i}" if title in _TITLES else title for i, title in enumerate(whole)]
    for meaning, known in MEANINGS.items():
        if best := next((title for title in known if title in whole), ""):
            names[whole.index(best)] = meaning
    return tuple(name if names.count(name) == 1 else f"{name}.{i}" for i, name in enumerate(names))


def _uncut(title: str) -> str:
    """The title, or the one that it is the beginning of: sinfo cuts titles to the width of their column."""
    if title in _TITLES or title == "NODES" or len(title) < 4:
        return title
    return next((known for known in _TITLES if known.startswith(title)), title)


def _count(name: str, text: bytes, *, at_end: bool = False) -> int:
    """How many words the cell of this column has at this side of the text."""
    if name != "TIMESTAMP":
        return 1
    words = text.rsplit(None, MAX_WORDS)[-MAX_WORDS:] if at_end else text.split(None, MAX_WORDS)[:MAX_WORDS]
    return words_of_time([word[:64].decode("utf-8", "replace") for word in words], at_end=at_end)
