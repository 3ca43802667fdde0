"""The node list as Slurm gives it, each node once, by the most faithful way that this Slurm has.

There are three. `sinfo --json` of 21.08 to 22.05 lists `nodes[]`. From 23.02 on the same command lists groups
of nodes (`sinfo[]`), and `scontrol show nodes --json` has the nodes. Where neither works (an older Slurm, or
one built without its JSON plugin) a delimited format does, which has fewer fields.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from botd.errors import BadNodeset, SlurmFailed, SlurmTimeout
from botd.inventory import states
from botd.inventory.command import SEE_SLURMCTLD, NoAnswer, ask_slurm, token_rows, unreadable
from botd.inventory.problems import Problems
from botd.inventory.saved import parse_saved
from botd.inventory.times import parse_time
from botd.model import SlurmNode
from botd.nodeset import check_name, natural_key
from botd.settings import SlurmSettings
from botd.text import is_number, shown, whole

MAX_SAVED = 64 * 1024 * 1024
"""Bytes of a saved `sinfo -R` output; more is not one."""

FIELDS = "%N|%T|%U|%H|%P|%m|%f|%o|%n|%E"
"""name, state, who, when, partition, memory, features, address, host name, reason (sinfo(1)), any text at all."""

_DOCUMENT = re.compile(rb"\s*\{")

log = logging.getLogger(__name__)

T = TypeVar("T")


class Way(Enum):
    """A way to ask Slurm for its nodes."""

    SINFO_JSON = "sinfo --json"
    SCONTROL_JSON = "scontrol show nodes --json"
    DELIMITED = "sinfo --format"


class _NothingListed(NoAnswer):
    """Raised when Slurm answered in full, and with no node."""


class SlurmReader:
    """Reads the node list, and remembers which way worked, so that each later reading is one command.

    `problems` says what the last reading had to leave out. One reader belongs to one thread.
    """

    def __init__(self, settings: SlurmSettings, *, resolve: Callable[[str], Path] = Path) -> None:
        self._settings = settings
        self._resolve = resolve
        self._way: Way | None = None
        self.problems: tuple[str, ...] = ()

    def read(self) -> tuple[SlurmNode, ...]:
        """All nodes, each once, naturally sorted; from `slurm.sinfo_file` where that is set.

        Raises SlurmFailed when the command or file fails or lists no node, SlurmTimeout when it hangs.
        """
        if self._settings.sinfo_file:
            found, problems = _read_saved(self._resolve(self._settings.sinfo_file))
        else:
            found, problems = _with_good_names(self._ask())
        self.problems = tuple(problems)
        return tuple(sorted(found, key=lambda node: natural_key(node.node)))

    def read_some(self, names: Sequence[str]) -> Mapping[str, SlurmNode]:
        """These nodes as they are at this moment, by name; one that Slurm does not have is not there. From any thread.

        Raises as `read` does, and SlurmFailed where a saved list is read, which says nothing of now.
        """
        if self._settings.sinfo_file:
            raise SlurmFailed("[slurm] sinfo_file is a saved list, which does not say what a node is now")
        way, self._way = self._way, None
        only = (f"--nodes={','.join(names)}",)
        found, way = (_ask_by(self._settings, way, only), way) if way else _first_that_works(self._settings, only)
        self._way = way
        return {node.node: node for node in found if node.node in names}

    def _ask(self) -> list[SlurmNode]:
        way = self._way
        # Forgotten until it has worked again: after an upgrade of Slurm another way may be the right one.
        self._way = None
        nodes, way = (_ask_by(self._settings, way), way) if way else _first_that_works(self._settings)
        self._way = way
        return nodes


def parse_nodes(document: Mapping[str, Any]) -> list[SlurmNode]:
    """The nodes of a document with `nodes[]`: of sinfo and slurmrestd 22.05, of scontrol 23.02 to 25.11."""
    listed = document.get("nodes")
    entries = listed if isinstance(listed, list) else []
    return [_node(entry) for entry in entries if isinstance(entry, dict)]


def parse_delimited(text: str, token: str) -> list[SlurmNode]:
    """The nodes in the delimited format, whose rows start with the token. Raises SlurmFailed.

    sinfo prints a node once for each of its partitions; they are merged here.
    """
    nodes: dict[str, SlurmNode] = {}
    for row in token_rows(text, token, "sinfo"):
        node = _node_of_row(row)
        first = nodes.setdefault(node.node, node)
        if first is not node:
            nodes[node.node] = replace(first, partitions=tuple(sorted({*first.partitions, *node.partitions})))
    return list(nodes.values())


def _first_that_works(settings: SlurmSettings, only: Sequence[str] = ()) -> tuple[list[SlurmNode], Way]:
    for way in (Way.SINFO_JSON, Way.SCONTROL_JSON):
        try:
            return _ask_by(settings, way, only), way
        except (SlurmTimeout, _NothingListed):
            raise  # the next command would only hang, or come back empty, as well
        except SlurmFailed as error:
            log.debug("%s does not work here: %s", way.value, error)
    return _ask_by(settings, Way.DELIMITED, only), Way.DELIMITED


def _ask_by(settings: SlurmSettings, way: Way, only: Sequence[str] = ()) -> list[SlurmNode]:
    """The nodes by one way. Raises SlurmFailed when this Slurm does not have that way.

    `only` is an option of sinfo for some nodes. scontrol has none, and `sinfo --json` of 22.05 takes no notice of it.
    """
    if way is Way.DELIMITED:
        return _delimited(settings, only)
    tool, *options = way.value.split()
    if tool == "sinfo":
        options += only
    return ask_slurm(settings, tool, options, lambda output: _nodes_in(output, way))


def generate_sinfo(settings: SlurmSettings, options: Sequence[str], read: Callable[[bytes], T]) -> T:
    """What `read` makes of what `sinfo` prints with these options. Raises SlurmFailed, SlurmTimeout."""
    return ask_slurm(settings, "sinfo", options, read)


def _delimited(settings: SlurmSettings, only: Sequence[str]) -> list[SlurmNode]:
    """The nodes by their words, and those that `sinfo -R` lists: `inval` and `reboot` hide that a node is drained."""
    token = secrets.token_hex(8)
    every = ("-h", "-N", *only, f"--format={token}|{FIELDS}")
    out = ("-h", "-N", "-R", *only, f"--format={token}|%N")
    nodes = generate_sinfo(settings, every, lambda output: _rows_in(output, token))
    listed = generate_sinfo(settings, out, lambda output: frozenset(_rows(output, token)))
    return [replace(node, listed=node.node in listed) for node in nodes]


def _rows_in(output: bytes, token: str) -> list[SlurmNode]:
    """The nodes of the printed rows."""
    return _some(parse_delimited(output.decode("utf-8", "replace"), token), Way.DELIMITED)


def _rows(output: bytes, token: str) -> list[str]:
    return [row.strip() for row in token_rows(output.decode("utf-8", "replace"), token, "sinfo")]


def _nodes_in(output: bytes, way: Way) -> list[SlurmNode]:
    """The nodes of a printed document. Without slurmctld, 22.05 prints one with none and ends with 0."""
    if not _DOCUMENT.match(output):  # 50 MB of anything else are not even made a text
        raise unreadable(way.value, output[:200].decode("utf-8", "replace"))
    try:
        # Not strict: one raw control character in a reason must not cost the whole list.
        document = json.loads(output.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError) as error:
        raise unreadable(way.value, output[:200].decode("utf-8", "replace")) from error
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        keys = ", ".join(document) if isinstance(document, dict) else str(document)[:200]
        raise unreadable(way.value, keys)
    return _some(parse_nodes(document), way, _first_error(document))


def _some(nodes: list[SlurmNode], way: Way, why: str = "") -> list[SlurmNode]:
    if not nodes:
        raise _NothingListed(f"{way.value} listed no nodes{why}; {SEE_SLURMCTLD}")
    return nodes


def _first_error(document: Mapping[str, Any]) -> str:
    errors = document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    words = _text(first, "error") or _text(first, "description") if isinstance(first, dict) else ""
    return f": {shown(words, 200)}" if words else ""


def _node(entry: Mapping[str, Any]) -> SlurmNode:
    reason = _text(entry, "reason")
    base, flags, unrecognised = _state(entry)
    return SlurmNode(
        node=_text(entry, "name"),
        state=states.text(base, flags),
        base=base,
        flags=flags,
        unrecognised=unrecognised,
        reason=reason,
        reason_by=_text(entry, "reason_set_by_user") if reason else "",
        reason_at=_time(entry.get("reason_changed_at")) if reason else None,
        partitions=tuple(sorted(_words(entry.get("partitions")))),
        features=_words(entry.get("features")),
        address=_text(entry, "address"),
        hostname=_text(entry, "hostname"),
        memory_mb=_number(entry.get("real_memory")),
        cpus=_number(entry.get("cpus")),
        boot_at=_time(entry.get("boot_time")),
        slurmd_started_at=_time(entry.get("slurmd_start_time")),
        slurmd_version=_text(entry, "slurmd_version") or _text(entry, "version"),
    )


def _state(entry: Mapping[str, Any]) -> states.NodeState:
    """22.05 has `"state": "idle", "state_flags": ["DRAIN"]`, 23.02 and newer `"state": ["IDLE", "DRAIN"]`."""
    base, *flags = (*_words(entry.get("state")), *_words(entry.get("state_flags"))) or ("",)
    return states.from_document(base, flags)


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return whole(value) if isinstance(value, str) else ""


def _words(value: Any) -> tuple[str, ...]:
    """A list of words, which 22.05 writes with commas in places: `"features": "a,b"`."""
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(whole(item) for item in items if isinstance(item, str) and item)


def _number(value: Any) -> int | None:
    """22.05 writes `500`, newer ones `{"set": true, "infinite": false, "number": 500}` in places."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") and not value.get("infinite") else None
    is_whole = isinstance(value, int) and is_number(value)
    return int(value) if is_whole and -(2**63) <= value < 2**63 else None  # beyond it JSON cannot carry it on


def _time(value: Any) -> datetime | None:
    """Seconds since 1970; 0 is never."""
    seconds = _number(value)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds and seconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


# n3|drained*|root(0)|2026-11-23T20:54:06|main*|500|a,b|10.0.0.3|n3|bad GPU 3, RMA open
def _node_of_row(row: str) -> SlurmNode:
    fields = row.split("|", 9)
    if len(fields) < 10:
        raise unreadable("sinfo", row)
    name, state, who, when, partition, memory, features, address, hostname, reason = fields
    base, flags, unrecognised = states.from_text(state)
    reason = "" if reason == "none" else reason
    return SlurmNode(
        node=name,
        state=state,
        base=base,
        flags=flags,
        unrecognised=unrecognised,
        reason=reason,
        reason_by=who.partition("(")[0] if reason else "",
        reason_at=parse_time(when) if reason else None,
        partitions=(partition.removesuffix("*"),) if partition else (),
        features=() if features == "(null)" else _words(features),
        address=address,
        hostname=hostname,
        memory_mb=int(memory) if memory.isascii() and memory.isdigit() and len(memory) < 16 else None,
    )


def _with_good_names(nodes: Iterable[SlurmNode]) -> tuple[Sequence[SlurmNode], list[str]]:
    """The nodes whose name is one, each once, and what is wrong with the others."""
    found: dict[str, SlurmNode] = {}
    problems = Problems()
    for node in nodes:
        try:
            found.setdefault(check_name(node.node), node)
        except BadNodeset as error:
            problems.add(f"Slurm lists a node that is left out: {error}")
    told = problems.told("Slurm")
    if not found:
        raise SlurmFailed(f"sinfo listed no nodes: {told[0]}")
    return list(found.values()), told


def _read_saved(path: Path) -> tuple[Sequence[SlurmNode], list[str]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SAVED + 1)
    except OSError as error:
        why = f"cannot read the saved node list {path}: {error.strerror}"
        raise SlurmFailed(f"{why}; see [slurm] sinfo_file") from error
    if len(data) > MAX_SAVED:
        raise SlurmFailed(f"{path} has more than {MAX_SAVED} bytes; see [slurm] sinfo_file")
    nodes, problems = parse_saved(data, str(path))
    if not nodes and (problems or not data.strip()):
        why = problems[0] if problems else "it is empty"
        raise SlurmFailed(f"the saved node list {path} holds no nodes: {why}; save it again with `sinfo -R`")
    return nodes, problems
