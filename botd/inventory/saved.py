"""Saved `sinfo -R` outputs, in every layout that sites have lying about.

::

    REASON               USER      TIMESTAMP           NODELIST
    bad GPU 3, RMA open  root      2026-11-23T20:16:37 n[0000-0003].savio2,n0007.savio3

Which column is which comes from the header; without one, from the layout of `LAYOUTS` that most lines fit.
A node is in the list if its name can be read: a reason, a time or a state that cannot costs it nothing, and is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from botd.errors import BadNodeset
from botd.inventory import states
from botd.inventory.problems import Problems
from botd.inventory.rows import Record, tables
from botd.inventory.times import NEVER, parse_time
from botd.model import SlurmNode
from botd.nodeset import MAX_NODES, expand
from botd.text import shown


@dataclass
class _Doubt:
    """One thing that could not be read in some rows, told once with the first of them."""

    words: str
    first: str = ""
    number: int = 0
    count: int = 0

    def add(self, text: str, number: int) -> None:
        """Counts a text that could not be read."""
        if not self.count:
            self.first, self.number = shown(text, 80), number
        self.count += 1

    def told(self, path: str) -> list[str]:
        """The sentence, if there is anything to tell."""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return [f'{path}:{self.number}: "{self.first}"{more} {self.words}'] if self.count else []


NOT_READ = {
    "TIMESTAMP": "cannot be read as a time; save the list with SLURM_TIME_FORMAT=standard",
    "STATE": "is no state that botd knows",
    "NODELIST": "fills its column, so sinfo may have cut it; save the list with a wider one",
}
"""What is told of a text that could not be read, by its column."""


class _Doubts:
    """What could not be read though its node could."""

    def __init__(self) -> None:
        self._by_column = {column: _Doubt(words) for column, words in NOT_READ.items()}

    def add(self, column: str, record: Record) -> None:
        """The record's text in this column could not be read."""
        self._by_column[column].add(record.row.cells[column], record.number)

    def told(self, path: str) -> list[str]:
        """A sentence for each kind."""
        return [text for doubt in self._by_column.values() for text in doubt.told(path)]


def parse_saved(data: bytes, path: str) -> tuple[tuple[SlurmNode, ...], list[str]]:
    """The nodes of a saved output, each once, in its order, and `path:line: why` for each thing not read.

    A file without a column of states gives nodes whose `state` is empty: that they are out is all it says.
    Times are taken to be in this machine's time zone.
    """
    problems, doubts = Problems(), _Doubts()
    nodes: dict[str, SlurmNode] = {}
    for table in tables(data):
        found: dict[str, SlurmNode] = {}
        for record in table.records(path, problems):
            try:
                _add(found, record, doubts, MAX_NODES - len(nodes))
            except BadNodeset as error:
                problems.add(f"{path}:{record.number}: {error}")
        for name, node in _listed(found).items():
            nodes[name] = _merged(nodes[name], node) if name in nodes else node
    return tuple(nodes.values()), [*doubts.told(path), *problems.told(path)]


def _add(nodes: dict[str, SlurmNode], record: Record, doubts: _Doubts, room: int) -> None:
    cells = record.row.cells
    text, stamp = cells.get("STATE", ""), cells.get("TIMESTAMP", "")
    state, at = states.from_text(text), parse_time(stamp)
    names = _whole("".join(record.nodes)) if record.row.full else "".join(record.nodes)
    partition = cells.get("PARTITION", "").removesuffix("*")
    for name in expand(names, max_nodes=room - len(nodes)):
        node = SlurmNode(
            node=name,
            state=text,
            base=state.base,
            flags=state.flags,
            unrecognised=state.unrecognised,
            listed=not text or states.hides_drain(text),
            reason="" if cells.get("REASON") == "none" else cells.get("REASON", ""),
            reason_by=cells.get("USER", "").partition("(")[0],
            reason_at=at,
            partitions=(partition,) if partition else (),
        )
        nodes[name] = _merged(nodes[name], node) if name in nodes else node
    if at is None and stamp not in NEVER:
        doubts.add("TIMESTAMP", record)
    if state.unrecognised:
        doubts.add("STATE", record)
    if record.row.full:
        doubts.add("NODELIST", record)


def _listed(nodes: dict[str, SlurmNode]) -> dict[str, SlurmNode]:
    """The nodes of one table; of `sinfo -R`, which has no row of a node in service, all are out whatever their word."""
    found = (states.NodeState(node.base, node.flags, node.unrecognised) for node in nodes.values() if node.state)
    if not all(map(states.may_be_listed, found)):
        return nodes
    return {name: replace(node, listed=True) for name, node in nodes.items()}


def _merged(first: SlurmNode, again: SlurmNode) -> SlurmNode:
    """`sinfo -N` prints a node once per partition."""
    partitions = tuple(sorted({*first.partitions, *again.partitions}))
    return replace(first, partitions=partitions, listed=first.listed or again.listed)


def _whole(nodes: str) -> str:
    """The part of a node list cut by its column that is sure: `n[1-4,6-1` to `n[1-4]`, `n1.savio2,n2.s` to `n1.savio2`.

    A single name stays, for most that fill their column are whole.
    """
    head, comma, last = nodes.rpartition(",")
    if nodes.count("[") > nodes.count("]"):
        return f"{head}]" if comma and head.count("[") > head.count("]") else head
    first = head.partition(",")[0]
    return head if comma and not last.endswith("]") and len(last) != len(first) else nodes
