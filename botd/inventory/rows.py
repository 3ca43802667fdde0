"""The rows of a saved list: tables below their headers, without comments, and rows that go over several lines.

A reason may hold a newline, and so may a time; a node list may be wrapped by whoever saved it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from botd.inventory.columns import FREE, Layout, Row, Ruler, UnreadableError, Words, header
from botd.inventory.problems import Problems
from botd.inventory.times import NEVER, is_standard

LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("NODELIST", "STATE", "TIMESTAMP", "USER", "REASON"),
    ("USER", "TIMESTAMP", "STATE", "NODELIST", "REASON"),
    ("REASON", "USER", "TIMESTAMP", "STATE", "NODELIST"),
    ("REASON", "USER", "TIMESTAMP", "NODELIST"),
)
"""The orders of columns that a file without a header may have: `sinfo -R`, `sinfo -lR`, and two site habits.
Of two that fit as many lines the earlier one is taken; where none fits, the last."""

HEADLESS: tuple[Layout, ...] = (
    Ruler(LAYOUTS[2], (21, 34, 54, 61), (20, 33, 53, 60)),
    Ruler(LAYOUTS[3], (21, 31, 51), (20, 30, 50)),
    *(Ruler(columns, tuple(range(20, 20 * len(columns), 20))) for columns in LAYOUTS),
    *map(Words, LAYOUTS),
)
"""The ways to cut a row without a header: the widths of `sinfo -lR` and `sinfo -R` (opts.c, 14.03 to 25.11), the
20 bytes of each field of `-O`, and words."""

SAMPLE = 200
"""Lines from which the way to cut a table is told."""

MAX_BROKEN = 20
"""Lines over which one row may be broken: a reason of 20 bytes has no more newlines."""

_NODES = re.compile(rb"[A-Za-z0-9_.,\[\]-]+")
# The first line of `sinfo -l`: Mon Nov 23 20:59:53 2026; and what `sinfo -M` prints above each cluster
_HEADING = re.compile(rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}|CLUSTER: \S+")


@dataclass
class Record:
    """One row, and the node list as far as it has been read."""

    number: int
    row: Row
    nodes: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether the node list ends with a comma and so goes on in the next line."""
        return self.nodes[-1].endswith(",")


@dataclass(frozen=True)
class Table:
    """The numbered lines below one header, and the ways to cut them, the best first."""

    layouts: tuple[Layout, ...]
    lines: list[tuple[int, bytes]]

    def records(self, path: str, problems: Problems) -> Iterator[Record]:
        """The rows; what is none goes to the problems as `path:line: why`."""
        record: Record | None = None
        broken = _Broken(path, problems)
        for number, line in self.lines:
            if record and _continues(record, line):
                record.nodes.append(line.strip().decode())
            elif row := self._row(line, broken):
                if record:
                    yield record
                record = Record(number, row, [row.cells["NODELIST"]])
            elif not line.startswith(b"#"):
                broken.add(number, line, self._why(line))
            elif self._may_be_row(line):
                problems.add(f'{path}:{number}: it begins with "#" and may be a row; if it is, remove the "#"')
        if record:
            yield record
        broken.end()

    def _row(self, line: bytes, broken: _Broken) -> Row | None:
        """The row that a line is, by itself or as the end of broken ones."""
        if broken.is_node_list and (row := self._by_any(broken.with_end(line))):
            broken.clear()
            return row
        first = _cut(self.layouts[0], line)
        if first and first.sure and not first.hashed and not broken:
            return first  # as nearly all are
        alone = self._cuts(line)
        if not (row := self._by_ruler(alone)) and broken and (row := self._by_ruler(self._cuts(broken.with_end(line)))):
            broken.clear()
        elif row := row or self._by_any(line, alone):
            broken.tell()
        return row

    def _cuts(self, line: bytes) -> dict[Layout, Row]:
        """The line as each layout cuts it that it fits."""
        return {layout: row for layout in self.layouts if (row := _cut(layout, line))}

    def _by_any(self, line: bytes, cuts: dict[Layout, Row] | None = None) -> Row | None:
        """The row by the first layout that is sure of it, else by the best; a comment is only cut by its words."""
        cuts = self._cuts(line) if cuts is None else cuts
        sure = next((row for row in cuts.values() if row.sure), None)
        if line.startswith(b"#"):
            return sure if sure and self._is_plain(sure) else None
        return sure or cuts.get(self.layouts[0])

    def _by_ruler(self, cuts: dict[Layout, Row]) -> Row | None:
        rows = (row for layout, row in cuts.items() if not isinstance(layout, Words))
        # no comment has blanks and nodes where the columns have them
        return next((row for row in rows if row.sure or (row.hashed and _has_number(row))), None)

    def _is_plain(self, row: Row) -> bool:
        """Whether nobody would write such a row as a comment."""
        in_form = is_standard(row.cells.get("TIMESTAMP", ""))
        return self.layouts[0].columns[0] in FREE and in_form and _has_number(row)

    def _may_be_row(self, line: bytes) -> bool:
        """Whether a comment fits the columns, so that somebody should look at it."""
        return self.layouts[0].columns[0] in FREE and any(row.sure for row in self._cuts(line).values())

    def _why(self, line: bytes) -> str:
        try:
            self.layouts[0].row(line)
        except UnreadableError as why:
            return str(why)
        return "it does not fit the columns"


class _Broken:
    """Lines that are no row by themselves: the beginning of one, or none."""

    def __init__(self, path: str, problems: Problems) -> None:
        self._path, self._problems = path, problems
        self._lines: list[tuple[int, bytes, str]] = []

    def __bool__(self) -> bool:
        return bool(self._lines)

    @property
    def is_node_list(self) -> bool:
        """Whether they hold only the beginning of a node list."""
        return bool(self._lines) and all(_NODES.fullmatch(line) and line.endswith(b",") for _, line, _ in self._lines)

    def with_end(self, line: bytes) -> bytes:
        """The row that they are together with a line."""
        joint = b"" if self.is_node_list else b"\n"
        return joint.join([*(text for _, text, _ in self._lines), line])

    def add(self, number: int, line: bytes, why: str) -> None:
        """Keeps a line for what may follow. The first is told when there are too many."""
        self._lines.append((number, line, why))
        if len(self._lines) > MAX_BROKEN and not self.is_node_list:
            self._tell(self._lines.pop(0))

    def tell(self) -> None:
        """They were no row."""
        for line in self._lines:
            self._tell(line)
        self.clear()

    def clear(self) -> None:
        """They were one."""
        self._lines = []

    def end(self) -> None:
        """Nothing follows."""
        if self.is_node_list:
            self._problems.add(f"{self._path}: the last node list ends with a comma and does not go on")
        else:
            self.tell()

    def _tell(self, line: tuple[int, bytes, str]) -> None:
        self._problems.add(f"{self._path}:{line[0]}: {line[2]}")


def tables(data: bytes) -> Iterator[Table]:
    """The tables of a file, of which the first may have no header."""
    layouts: tuple[Layout, ...] = HEADLESS
    lines: list[tuple[int, bytes]] = []
    for number, line in _lines(data):
        if found := header(line):
            if lines:
                yield _table(layouts, lines)
            layouts, lines = found, []
        else:
            lines.append((number, line))
    yield _table(layouts, lines)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The numbered lines that say something. A reason may hold what splitlines() takes for an end."""
    for number, ended in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = ended.rstrip(b"\r")
        if line.strip() and not _HEADING.fullmatch(line.strip()):
            yield number, line


def _table(layouts: tuple[Layout, ...], lines: list[tuple[int, bytes]]) -> Table:
    """The lines, with the layouts of those columns that most of the first of them fit."""
    sample = [line for _, line in lines[:SAMPLE]]
    has_header = layouts is not HEADLESS
    scores = {layout: sum(_fits(layout, line, has_header) for line in sample) for layout in layouts}
    best = max(scores, key=scores.__getitem__)
    columns = best.columns if scores[best] else layouts[-1].columns
    found = (layout for layout in layouts if layout.columns == columns)
    return Table(tuple(sorted(found, key=lambda layout: -scores[layout])), lines)


def _fits(layout: Layout, line: bytes, has_header: bool) -> int:
    """How well a line fits: 2 where its state and time are such, 1 where not, 0 where it does not fit.

    Without a header words tell only by a time, and `Unknown` is none: it may be a state or a user as well.
    """
    row = _cut(layout, line)
    if row is None:
        return 0
    if has_header or isinstance(layout, Ruler):
        return 1 + row.sure
    return 2 if row.sure and row.cells["TIMESTAMP"] not in NEVER else 0


def _has_number(row: Row) -> bool:
    return any(map(str.isdigit, row.cells["NODELIST"]))


def _cut(layout: Layout, line: bytes) -> Row | None:
    try:
        return layout.row(line)
    except UnreadableError:
        return None


def _continues(record: Record, line: bytes) -> bool:
    """Whether a line is nothing but more of the record's node list: indented, or after a comma."""
    rest = line.strip()
    if not _NODES.fullmatch(rest):
        return False
    looks_like_nodes = any(48 <= byte < 58 or byte == 91 for byte in rest)
    return record.open or (line[:1].isspace() and looks_like_nodes)
