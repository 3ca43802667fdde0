"""The stand-in for sinfo, Slurm 22.05: tables, `-R`, `-N`, `--format`, `--json`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from botd.demo.machine import Node, Partition
from botd.demo.state import ClusterState
from botd.demo.tools.base import VERSION, Printed, failed, iso, node_list, printed, state_text, unseen
from botd.demo.tools.columns import Cell, Column, print_rows, read_format
from botd.demo.tools.options import Asked, Option, Usage, read_options
from botd.demo.tools.sinfo_json import document

OPTIONS: tuple[Option, ...] = (
    Option("V", "version"),
    Option("h", "noheader"),
    Option("N", "Node"),
    Option("R", "list-reasons"),
    Option("a", "all"),
    Option("", "local"),
    Option("o", "format", takes=True),
    Option("S", "sort", takes=True),
    Option("p", "partition", takes=True),
    Option("n", "nodes", takes=True),
    Option("t", "states", takes=True),
    Option("", "json"),
)

SUMMARY = "%#P %.5a %.10l %.6D %.6t %N"
NODE_ORIENTED = "%#N %.6D %#.9P %6t"
REASONS = "%20E %9u %19H %N"

LETTERS = "aAbBcCdDeEfFgGhHiIlLmMnNoOpPrRsStTuUvVwXYZz"
"""All that the real one has (sinfo(1))."""


VALID_STATES = (
    "unknown,down,idle,allocated,?,mixed,future,drain,drained,draining,no_respond,reserved,perfctrs,cloud,completing,"
    "powering_down,powered_down,power_down,powering_up,fail,maint,reboot,reboot^,unknown"
)
"""What the real one names when it is asked for another state."""

STATES = frozenset({*VALID_STATES.split(","), "alloc", "mix", "drng", "comp", "futr", "resv", "unk", "npc"})


@dataclass(frozen=True)
class Row:
    """Nodes of one partition that print alike; none when the filters leave none."""

    state: ClusterState
    partition: Partition
    nodes: tuple[Node, ...]

    @property
    def first(self) -> Node:
        """Any one of the nodes, which speaks for all."""
        return self.nodes[0]


def _cpus(row: Row) -> str:
    """Allocated, idle, other, total."""
    total = sum(node.cores for node in row.nodes)
    used = sum(row.state.used_cores(node.name) for node in row.nodes)
    out = [node for node in row.nodes if node.standing.down or node.standing.drain]
    other = sum(node.cores - row.state.used_cores(node.name) for node in out)
    return f"{used}/{total - used - other}/{other}/{total}"


def _reason(row: Row) -> str:
    # Newlines are all that sinfo takes out of a reason when %E has no width (22.05).
    return row.first.standing.reason.replace("\n", " ") or "none"


def _user(row: Row) -> str:
    return row.first.standing.reason_by or "Unknown"


def _long_user(row: Row) -> str:
    uid = 0 if _user(row) in ("root", "slurm") else 1000
    return f"{_user(row)}({uid})" if row.first.standing.reason_by else "Unknown"


def _per_node(title: str, text: Callable[[Row], str], empty: str = "") -> Column[Row]:
    """A column whose text any one of the nodes tells; a row without nodes has the empty one."""
    return Column(title, lambda row: text(row) if row.nodes else empty)


COLUMNS: dict[str, Column[Row]] = {
    "P": Column("PARTITION", lambda row: row.partition.name + "*" * row.partition.usual),
    "R": Column("PARTITION", lambda row: row.partition.name),
    "a": Column("AVAIL", lambda _: "up"),
    "l": Column("TIMELIMIT", lambda _: "infinite"),
    "D": Column("NODES", lambda row: str(len(row.nodes))),
    "N": Column("NODELIST", lambda row: node_list(node.name for node in row.nodes)),
    "C": Column("CPUS(A/I/O/T)", _cpus),
    "t": _per_node("STATE", lambda row: state_text(row.state, row.first, compact=True), "n/a"),
    "T": _per_node("STATE", lambda row: state_text(row.state, row.first), "n/a"),
    "n": _per_node("HOSTNAMES", lambda row: row.first.name),
    "o": _per_node("NODE_ADDR", lambda row: row.first.address),
    "E": _per_node("REASON", _reason),
    "H": _per_node("TIMESTAMP", lambda row: iso(row.first.standing.reason_at)),
    "u": _per_node("USER", _user),
    "U": _per_node("USER", _long_user),
    "c": _per_node("CPUS", lambda row: str(row.first.cores)),
    "m": _per_node("MEMORY", lambda row: str(row.first.memory_mb)),
    "f": _per_node("AVAIL_FEATURES", lambda row: row.first.features or "(null)"),
    "b": _per_node("ACTIVE_FEATURES", lambda row: row.first.features or "(null)"),
    "G": _per_node("GRES", lambda row: row.first.gres or "(null)"),
    "v": _per_node("VERSION", lambda _: VERSION.split()[1]),
}

OF_ROW = "NDC"
"""Letters whose text is made of all nodes of a row, and so keeps none of them apart."""

OF_PARTITION = "PR"
"""Letters that show a partition also when the filters leave none of its nodes."""


def state_rank(state: ClusterState, node: Node) -> int:
    """The number by which sinfo sorts states, highest first: base state and flags as in slurm.h (22.05)."""
    base = {"DOWN": 1, "IDLE": 2, "ALLOCATED": 3, "MIXED": 5}[state.base(node)]
    return base + 0x200 * node.standing.drain + 0x400 * (not node.standing.responding)


def _rank(row: Row) -> int:
    return state_rank(row.state, row.first) if row.nodes else -1


SORT_KEYS: dict[str, Callable[[Row], Any]] = {
    **{letter: column.text for letter, column in COLUMNS.items()},
    "#P": lambda row: row.state.partitions.index(row.partition),
    "P": lambda row: row.partition.name,
    "E": lambda row: row.first.standing.reason if row.nodes else "",
    "t": _rank,
    "T": _rank,
    "D": lambda row: len(row.nodes),
    "c": lambda row: row.first.cores if row.nodes else 0,
    "m": lambda row: row.first.memory_mb if row.nodes else 0,
}
"""By what a letter sorts; `#P` is the order of Slurm's configuration."""


def sinfo(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `sinfo` with these arguments prints."""
    try:
        asked = read_options("sinfo", OPTIONS, words, hint='Try "sinfo --help" for more information')
        cells, strange = read_format(asked.text("format") or _default_format(asked), COLUMNS, LETTERS)
        nodes = _chosen(state, asked)
    except Usage as error:
        return failed(str(error))
    if asked.has("version"):
        return printed(f"{VERSION}\n")
    if asked.has("json"):
        return printed(document(state, nodes))
    rows = _rows(state, asked, nodes, cells)
    complaints = "".join(f"Invalid node format specification: {letter}\n" for letter in strange)
    return Printed(print_rows(cells, rows, heading=not asked.has("noheader")), complaints.encode())


def _default_format(asked: Asked) -> str:
    if asked.has("Node"):
        return NODE_ORIENTED
    return REASONS if asked.has("list-reasons") else SUMMARY


def _chosen(state: ClusterState, asked: Asked) -> list[Node]:
    """The nodes that the filters leave, sorted by name. Raises Usage for a state that is none."""
    names = set(asked.words("nodes"))
    states = {word.lower() for word in asked.words("states")}
    if strange := sorted(states - STATES):
        raise Usage(f'sinfo: error: Bad state string: "{strange[0]}"\nsinfo: error: valid states: {VALID_STATES}')
    nodes = [node for node in state.nodes.values() if not names or node.name in names]
    if asked.has("list-reasons"):
        nodes = [node for node in nodes if node.standing.reason and (node.standing.down or node.standing.drain)]
    if states:
        nodes = [node for node in nodes if states & _state_words(state, node)]
    return sorted(nodes, key=attrgetter("name"))


def _state_words(state: ClusterState, node: Node) -> set[str]:
    """Every word by which `-t` finds the node (sinfo(1)); one with jobs is found as allocated, all or in part."""
    texts = {state_text(state, node).rstrip("*"), state_text(state, node, compact=True).rstrip("*")}
    also = {"ALLOCATED": {"alloc"}, "MIXED": {"mix", "allocated", "alloc"}}.get(state.base(node), set())
    return {state.base(node).lower(), *also, *texts, *(["drain"] if node.standing.drain else [])}


def _rows(state: ClusterState, asked: Asked, nodes: list[Node], cells: Sequence[Cell[Row]]) -> list[Row]:
    """One row per node and partition with -N; else nodes with equal texts fall into one row."""
    wanted = _partitions(state, asked)
    singles = [Row(state, each, (node,)) for each in wanted for node in nodes if each.name in node.partitions]
    if asked.has("Node"):
        return _in_order(singles, asked.text("sort", "N"))
    empty: list[Row] = []
    if {cell.letter for cell in cells}.intersection(OF_PARTITION):
        empty = [Row(state, each, ()) for each in wanted if not any(row.partition is each for row in singles)]
    rows = _grouped([*singles, *empty], [cell.column for cell in cells if cell.column and cell.letter not in OF_ROW])
    return _in_order(rows, asked.text("sort", "#P,-t"))


def _partitions(state: ClusterState, asked: Asked) -> list[Partition]:
    """Those that are named, also hidden ones; without names all that are not hidden from who asks."""
    if asked.has("partition"):
        return [each for each in state.partitions if each.name in asked.words("partition")]
    return [each for each in state.partitions if each.name not in unseen(state, asked)]


def _in_order(rows: list[Row], sort: str) -> list[Row]:
    """Sorted by `-S`: letters in order of weight, those behind a minus downwards; `%` does not matter."""
    for sign, letter in reversed(re.findall(r"(-?)%?(#?[A-Za-z])", sort)):
        if letter in SORT_KEYS:
            rows = sorted(rows, key=SORT_KEYS[letter], reverse=sign == "-")
    return rows


def _grouped(rows: Iterable[Row], columns: list[Column[Row]]) -> list[Row]:
    groups: dict[tuple[str, ...], tuple[Row, dict[Node, None]]] = {}
    for row in rows:
        _, nodes = groups.setdefault(tuple(column.text(row) for column in columns), (row, {}))
        nodes.update(dict.fromkeys(row.nodes))
    return [replace(row, nodes=tuple(nodes)) for row, nodes in groups.values()]
