"""Saved `sinfo -R` outputs, in every layout that sites have lying about.

::

    REASON               USER      TIMESTAMP           NODELIST
    bad GPU 3, RMA open  root      2026-11-23T20:16:37 n[0000-0003].savio2,n0007.savio3

Which column is which comes from the header; without one, from the layout of `LAYOUTS` that most lines fit.
Every column but the reason is one word, so the reason is what is left when the words before it and behind it
are taken away, whatever it holds. `sinfo -R` cuts it after 20 bytes, also inside a UTF-8 character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

from botd.errors import BadNodeset
from botd.inventory import states
from botd.inventory.problems import Problems
from botd.model import SlurmNode
from botd.nodeset import MAX_NODES, expand

LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("NODELIST", "STATE", "TIMESTAMP", "USER", "REASON"),
    ("USER", "TIMESTAMP", "STATE", "NODELIST", "REASON"),
    ("REASON", "USER", "TIMESTAMP", "STATE", "NODELIST"),
    ("REASON", "USER", "TIMESTAMP", "NODELIST"),
)
"""The orders of columns that a file without a header may have: `sinfo -R`, `sinfo -lR`, and two site habits.
Of two that fit as many lines the earlier one is taken; where none fits, the last."""

SAMPLE = 200
"""Lines of a file without a header from which its layout is told."""

MAX_HEADER = 1000
"""Characters of a line that may be a header. Words of megabytes would take twenty times the room of their line."""

_TITLES = {"NODELIST": "NODELIST", "HOSTNAMES": "NODELIST", "TIMESTAMP": "TIMESTAMP", "USER": "USER"}
_TITLE = re.compile(r"[A-Z][A-Z0-9_:/()*-]*")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|Unknown", re.ASCII)
_NODES = re.compile(r"[A-Za-z0-9_.,\[\]-]+")
# The first line of `sinfo -l`: Mon Nov 23 20:59:53 2026
_DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}")


@dataclass
class _Record:
    """One line's cells, and the node list as far as it has been read."""

    number: int
    cells: dict[str, str]
    nodes: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether the node list ends with a comma and so goes on in the next line."""
        return self.nodes[-1].endswith(",")


class _UnreadableError(Exception):
    """Raised when a line does not fit the columns; the text says why."""


def parse_saved(text: str, path: str) -> tuple[tuple[SlurmNode, ...], list[str]]:
    """The nodes of a saved output, each once, in its order, and `path:line: why` for each line left out.

    A file without a column of states gives nodes whose `state` is empty: that they are out is all it says.
    Times are taken to be in this machine's time zone.
    """
    problems = Problems()
    nodes: dict[str, SlurmNode] = {}
    for record in _records(text, path, problems):
        try:
            _add(nodes, record)
        except BadNodeset as error:
            problems.add(f"{path}:{record.number}: {error}")
    return tuple(nodes.values()), problems.told(path)


def parse_time(text: str) -> datetime | None:
    """A time that Slurm printed, local and without a zone, in UTC; None for `Unknown` and the like."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if _TIMESTAMP.fullmatch(text) else None
    except (ValueError, OverflowError, OSError):
        return None


def _add(nodes: dict[str, SlurmNode], record: _Record) -> None:
    cells = record.cells
    state = cells.get("STATE", "")
    base, flags, unrecognised = states.from_text(state)
    partition = cells.get("PARTITION", "").removesuffix("*")
    reason = "" if cells.get("REASON") == "none" else cells.get("REASON", "")
    for name in expand("".join(record.nodes), max_nodes=MAX_NODES - len(nodes)):
        node = SlurmNode(
            node=name,
            state=states.text(base, flags) if state and not unrecognised else state,
            base=base,
            flags=flags,
            unrecognised=unrecognised,
            reason=reason,
            reason_by=cells.get("USER", "").partition("(")[0],
            reason_at=parse_time(cells.get("TIMESTAMP", "")),
            partitions=(partition,) if partition else (),
        )
        nodes[name] = _merged(nodes[name], node) if name in nodes else node


def _merged(first: SlurmNode, again: SlurmNode) -> SlurmNode:
    """`sinfo -N` prints a node once per partition."""
    return replace(first, partitions=tuple(sorted({*first.partitions, *again.partitions})))


def _records(text: str, path: str, problems: Problems) -> Iterator[_Record]:
    lines = _lines(text)
    columns = _layout(line for _, line in lines)
    record: _Record | None = None
    begun = ""  # a line that held only the beginning of a node list
    for number, line in lines:
        if header := _header(line):
            columns = header
        elif record and _continues(record, line):
            record.nodes.append(line.strip())
        elif _NODES.fullmatch(line) and line.endswith(","):
            begun += line
        else:
            try:
                new = _Record(number, _cells(begun + line, columns))
            except _UnreadableError as why:
                problems.add(f"{path}:{number}: {why}")
            else:
                new.nodes.append(new.cells["NODELIST"])
                if record:
                    yield record
                record = new
            begun = ""
    if record:
        yield record
    if begun:
        problems.add(f"{path}: the last node list ends with a comma and does not go on")


def _lines(text: str) -> list[tuple[int, str]]:
    """The numbered lines that say something. A reason may hold what splitlines() takes for an end."""
    numbered = ((number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1))
    return [
        (number, line)
        for number, line in numbered
        if line.strip() and not line.startswith("#") and not _DATE.fullmatch(line.strip())
    ]


def _header(line: str) -> tuple[str, ...]:
    """The columns that a line names, or none when it is not a header."""
    words = line[:MAX_HEADER].split()
    if len(line) > MAX_HEADER or not all(_TITLE.fullmatch(word) for word in words):
        return ()
    titles = tuple(_TITLES.get(word, word) for word in words)
    named = "NODELIST" in titles and len({"REASON", "STATE", "TIMESTAMP"}.intersection(titles)) > 0
    return titles if named and len(set(titles)) == len(titles) else ()


def _layout(lines: Iterable[str]) -> tuple[str, ...]:
    """The layout that most of the first lines fit."""
    sample = list(islice(lines, SAMPLE))
    scores = {columns: sum(_fits(line, columns) for line in sample) for columns in LAYOUTS}
    return max(LAYOUTS, key=scores.__getitem__) if any(scores.values()) else LAYOUTS[-1]


def _fits(line: str, columns: tuple[str, ...]) -> bool:
    try:
        cells = _cells(line, columns)
    except _UnreadableError:
        return False
    # `Unknown` may stand for a time, but it is a state as well and so tells no column.
    return cells["TIMESTAMP"] != "Unknown" and not states.from_text(cells.get("STATE", "")).unrecognised


def _continues(record: _Record, line: str) -> bool:
    """Whether a line is nothing but more of the record's node list: indented, or after a comma."""
    rest = line.strip()
    if not _NODES.fullmatch(rest):
        return False
    looks_like_nodes = any(char.isdigit() or char == "[" for char in rest)
    return record.open or (line[0].isspace() and looks_like_nodes)


def _cells(line: str, columns: tuple[str, ...]) -> dict[str, str]:
    """The cell of each column. Raises _UnreadableError."""
    cells = dict(zip(columns, _words(line, columns), strict=True))
    stamp, nodes = cells.get("TIMESTAMP", "Unknown"), cells["NODELIST"]
    if not _TIMESTAMP.fullmatch(stamp):
        raise _UnreadableError(f"there is no time stamp where one belongs; the columns are {' '.join(columns)}")
    if not _NODES.fullmatch(nodes):
        raise _UnreadableError(f"there is no node list where one belongs; the columns are {' '.join(columns)}")
    return cells


def _words(line: str, columns: tuple[str, ...]) -> list[str]:
    """As many texts as columns, the reason's with its blanks inside. An empty reason may be missing."""
    before = columns.index("REASON") if "REASON" in columns else len(columns) - 1
    behind = len(columns) - before - 1
    left = line.split(None, before)
    rest = left.pop() if len(left) > before else ""
    right = rest.rsplit(None, behind) if behind else [rest.rstrip()]
    if behind and len(right) == behind:
        right.insert(0, "")
    if len(left) != before or len(right) != behind + 1:
        raise _UnreadableError(f"there are too few words; the columns are {' '.join(columns)}")
    return [*left, *right]
