"""The stand-in for sinfo, Slurm 22.05: tables, `-R`, `-N`, `--format`, `--json`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

from botd.demo.machine import Node
from botd.demo.scenarios import DEFAULT_PARTITION, KINDS, SHARED_PARTITION
from botd.demo.state import ClusterState
from botd.demo.tools.base import VERSION, Arguments, Printed, Usage, failed, iso, printed, state_text
from botd.demo.tools.columns import Column, print_rows, read_format
from botd.demo.tools.sinfo_json import document

PARTITIONS = (*(kind.name for kind in KINDS), SHARED_PARTITION)

SUMMARY = "%#P %.5a %.10l %.6D %.6t %N"
NODE_ORIENTED = "%#N %.6D %.9P %6t"
REASONS = "%20E %9u %19H %N"


@dataclass(frozen=True)
class Row:
    """Nodes of one partition that print alike. `first` speaks for all of them."""

    state: ClusterState
    partition: str
    nodes: tuple[Node, ...]

    @property
    def first(self) -> Node:
        """Any one of the nodes."""
        return self.nodes[0]


def _cpus(row: Row) -> str:
    """Allocated, idle, other, total."""
    total = sum(node.cores for node in row.nodes)
    used = sum(row.state.used_cores(node.name) for node in row.nodes)
    other = sum(node.cores for node in row.nodes if node.standing.down or node.standing.drain)
    return f"{used}/{max(0, total - used - other)}/{other}/{total}"


def _reason(row: Row) -> str:
    # Newlines are all that sinfo takes out of a reason when %E has no width (22.05).
    return row.first.standing.reason.replace("\n", " ") or "none"


def _user(row: Row) -> str:
    return row.first.standing.reason_by or "Unknown"


def _long_user(row: Row) -> str:
    uid = 0 if _user(row) in ("root", "slurm") else 1000
    return f"{_user(row)}({uid})" if row.first.standing.reason_by else "Unknown"


COLUMNS: dict[str, Column[Row]] = {
    "P": Column("PARTITION", lambda row: row.partition + "*" * (row.partition == DEFAULT_PARTITION)),
    "R": Column("PARTITION", lambda row: row.partition),
    "a": Column("AVAIL", lambda _: "up"),
    "l": Column("TIMELIMIT", lambda _: "infinite"),
    "D": Column("NODES", lambda row: str(len(row.nodes))),
    "t": Column("STATE", lambda row: state_text(row.state, row.first, compact=True)),
    "T": Column("STATE", lambda row: state_text(row.state, row.first)),
    "N": Column("NODELIST", lambda row: ",".join(node.name for node in row.nodes)),
    "n": Column("HOSTNAMES", lambda row: row.first.name),
    "o": Column("NODE_ADDR", lambda row: row.first.address),
    "E": Column("REASON", _reason),
    "H": Column("TIMESTAMP", lambda row: iso(row.first.standing.reason_at)),
    "u": Column("USER", _user),
    "U": Column("USER", _long_user),
    "c": Column("CPUS", lambda row: str(row.first.cores)),
    "C": Column("CPUS(A/I/O/T)", _cpus),
    "m": Column("MEMORY", lambda row: str(row.first.memory_mb)),
    "f": Column("AVAIL_FEATURES", lambda row: row.first.features or "(null)"),
    "b": Column("ACTIVE_FEATURES", lambda row: row.first.features or "(null)"),
    "G": Column("GRES", lambda row: row.first.gres or "(null)"),
    "v": Column("VERSION", lambda _: VERSION.split()[1]),
}

_OF_GROUP = "NDC"
"""Letters whose text is made of all nodes of a row, and so keeps none of them apart."""


def sinfo(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `sinfo` with these arguments prints."""
    try:
        asked = _parser().parse_args(words)
        if asked.version:
            return printed(f"{VERSION}\n")
        if asked.json:
            return printed(document(state, _chosen(state, asked)))
        cells = read_format(asked.format or _default_format(asked), COLUMNS)
    except Usage as error:
        return failed("sinfo", str(error))
    rows = _rows(state, asked, "".join(cell.letter for cell in cells))
    return Printed(print_rows(cells, rows, heading=not asked.noheader))


def _parser() -> Arguments:
    parser = Arguments("sinfo")
    for flag, name in (("-h", "--noheader"), ("-N", "--Node"), ("-R", "--list-reasons"), ("-a", "--all")):
        parser.add_argument(flag, name, action="store_true")
    for flag, name in (("-o", "--format"), ("-S", "--sort"), ("-p", "--partition"), ("-n", "--nodes")):
        parser.add_argument(flag, name, default="")
    parser.add_argument("-t", "--states", default="")
    parser.add_argument("--json", action="store_true")
    return parser


def _default_format(asked: Namespace) -> str:
    if asked.list_reasons:
        return REASONS
    return NODE_ORIENTED if asked.Node else SUMMARY


def _chosen(state: ClusterState, asked: Namespace) -> list[Node]:
    """The nodes that the filters leave, sorted by name when listed one by one."""
    names = set(filter(None, asked.nodes.split(",")))
    states = set(filter(None, asked.states.lower().split(",")))
    nodes = [node for node in state.nodes.values() if not names or node.name in names]
    if asked.list_reasons:
        nodes = [node for node in nodes if node.standing.reason and (node.standing.down or node.standing.drain)]
    if states:
        nodes = [node for node in nodes if states & _state_words(state, node)]
    return sorted(nodes, key=attrgetter("name"))


def state_rank(state: ClusterState, node: Node) -> int:
    """The number by which sinfo sorts states, highest first: base state and flags as in slurm.h (22.05)."""
    base = {"DOWN": 1, "IDLE": 2, "ALLOCATED": 3, "MIXED": 5}[state.base(node)]
    return base + 0x200 * node.standing.drain + 0x400 * (not node.standing.responding)


def _state_words(state: ClusterState, node: Node) -> set[str]:
    """Every word by which `-t` finds the node (sinfo(1))."""
    texts = {state_text(state, node).rstrip("*"), state_text(state, node, compact=True).rstrip("*")}
    return {state.base(node).lower(), *texts, *(["drain"] if node.standing.drain else [])}


def _rows(state: ClusterState, asked: Namespace, letters: str) -> list[Row]:
    """One row per node and partition with -N; else nodes with equal texts fall into one row."""
    wanted = [name for name in PARTITIONS if not asked.partition or name in asked.partition.split(",")]
    nodes = _chosen(state, asked)
    nodes.sort(key=lambda node: -state_rank(state, node))
    singles = [Row(state, p, (n,)) for p in wanted for n in nodes if p in n.partitions]
    if asked.Node:
        rows = sorted(singles, key=lambda row: row.first.name)
    else:
        rows = _grouped(singles, [COLUMNS[x] for x in letters if x and x not in _OF_GROUP])
    for letter in reversed([x for x in asked.sort if x in COLUMNS]):
        rows.sort(key=COLUMNS[letter].text)
    return rows


def _grouped(singles: Iterable[Row], columns: list[Column[Row]]) -> list[Row]:
    groups: dict[tuple[str, ...], tuple[Row, dict[Node, None]]] = {}
    for row in singles:
        _, nodes = groups.setdefault(tuple(column.text(row) for column in columns), (row, {}))
        nodes[row.first] = None
    return [replace(row, nodes=tuple(nodes)) for row, nodes in groups.values()]
