"""`botd sweep`: one sweep without a server, which writes no store."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from botd import nodeset
from botd.advice.morning import NIGHT, judged_alone, next_morning, nobodys_past
from botd.advice.rules import ASIDE, FAMILIES, GLOSSES
from botd.advice.weighing import Scales
from botd.board.scales import BoardScales
from botd.checks import Checks
from botd.config import resolve_path
from botd.display.findings import survey
from botd.display.formats import Form, status_body
from botd.display.round import Families, round_document
from botd.display.round_text import round_text
from botd.display.terminal import Look
from botd.documents import (
    NodeDocument,
    NodeReadings,
    RecommendationDocument,
    StatusHead,
    encode,
    iso,
    node_document,
    reading_document,
    status_head,
)
from botd.errors import ConfigError, SlurmFailed, StoreUnavailable
from botd.inventory import Inventory, build
from botd.inventory.groups import read_groups
from botd.inventory.networks import networks_of
from botd.inventory.request import with_those_in_service
from botd.inventory.reservations import Surroundings
from botd.inventory.slurm import SlurmReader
from botd.inventory.states import out_since
from botd.model import Check, Reading, State, utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.store import Store
from botd.sweep import make_plan, run_sweep
from botd.workers.shares import probers_of, unasked

log = logging.getLogger(__name__)

_BAR = 30
_BESIDE = 26
"""Columns of the bar and of what stands beside it."""

WELL, WARNINGS, FAILURES, UNKNOWN = 0, 1, 2, 3
"""What `botd sweep --exit-code` says of the readings."""

Write = Callable[[bytes], None]


@dataclass(frozen=True)
class Swept:
    """What came of a sweep: `verdict` is one of the four exit statuses, `cut` says of what was interrupted how far
    it came."""

    verdict: int
    cut: str = ""


def sweep_once(
    config: Config,
    checks: Checks,
    groups: str,
    names: Sequence[str],
    form: Form,
    write: Write,
    *,
    matrix: bool = True,
) -> Swept:
    """Reads the node list, sweeps the groups once and writes the answer in one form: NDJSON node by node; the table
    without `matrix` is the morning round.

    Where it is interrupted, it writes what it has. Raises what the node list, the groups and `write` raise; where
    Slurm fails, groups from files still work.
    """
    inventory, problems = _read_inventory(config, groups)
    scales = scales_of(config)
    ordered = sorted(inventory.expand_groups(groups, max_nodes=config.server.max_nodes), key=nodeset.natural_key)
    wanted, readings = [checks[name] for name in names], dict[str, NodeReadings]()
    is_stream = form.name == "ndjson" and not form.fold
    bar, cut = ProgressBar(0 if is_stream else len(ordered)), ""

    def emit(node: str, found: Mapping[str, Reading]) -> None:
        readings[node] = {name: reading_document(reading) for name, reading in found.items()}
        if is_stream:
            advice = judged_alone(inventory, node, readings[node], checks, scales)
            write(encode(_document(inventory, node, readings[node], wanted, advice)) + b"\n")
        bar.show(len(readings))

    plan = make_plan(ordered, checks, names, inventory.nodes)
    networks, probes = networks_of(config), Probes(config)
    try:
        probers = probers_of(plan, networks, probes.probers, unasked)
        problems += run_sweep(plan, probers, emit, deadline_s=config.sweep.deadline, clock=utc_now)
    except KeyboardInterrupt:
        cut = f"interrupted; shown are the {len(readings)} of {len(ordered)} nodes that had begun to answer"
        problems, ordered = [*problems, cut], [node for node in ordered if node in readings]
    finally:
        bar.clear()
        probes.close()
    if not is_stream:
        documents = _documents(inventory, checks, wanted, ordered, readings, scales)
        write(_answer(inventory, checks, nodeset.split(groups), names, documents, problems, form, matrix))
    return Swept(verdict(readings.values(), names, problems), cut)


def verdict(nodes: Iterable[NodeReadings], names: Sequence[str], problems: Sequence[str]) -> int:
    """FAILURES where a reading of these checks is one; else UNKNOWN, where one is or something else went wrong; else
    WARNINGS or WELL."""
    states = {node[name]["state"] for node in nodes for name in names}
    if State.FAIL in states:
        return FAILURES
    if State.UNKNOWN in states or problems:
        return UNKNOWN
    return WARNINGS if State.WARN in states else WELL


class ProgressBar:
    """Done of total on standard error, where that is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr is not None and sys.stderr.isatty() and total > 0
        self._length = max(0, min(_BAR, shutil.get_terminal_size().columns - _BESIDE))

    def show(self, done: int) -> None:
        """Draws the bar as it is now."""
        if self._shown:
            filled = self._length * done // self._total
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (self._length - filled)}] {done} of {self._total} nodes")
            sys.stderr.flush()

    def clear(self) -> None:
        """Takes it away, so that it does not stand before the table."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _read_inventory(config: Config, wanted: str) -> tuple[Inventory, list[str]]:
    """The inventory and what is wrong with it. Raises SlurmFailed where the wanted groups need Slurm."""
    groups, problems = read_groups(config.groups, lambda path: resolve_path(config, path))
    try:
        reader = SlurmReader(config.slurm, resolve=lambda path: resolve_path(config, path))
        nodes = reader.read()
        around, now = Surroundings(config.slurm), utc_now()
        around.read(now)
    except SlurmFailed as error:
        if {"sinfo", "all"}.intersection(term for part in nodeset.split(wanted) for term in part.split("/")):
            raise
        return build((), groups, None, problems), [*problems, str(error)]
    inventory = build(around.mark(nodes, now), groups, now, problems, around.switches)
    return inventory, [*problems, *reader.problems]


def scales_of(config: Config) -> Scales:
    """What an agent has counted, where there is a database that has it; else the guesses, by the costs of the site."""
    try:
        with closing(Store(config, read_only=True)) as store:
            return BoardScales(config.advice, store, utc_now).now()
    except (ConfigError, ImportError, StoreUnavailable) as error:  # one sweep needs no database, nor what speaks to it
        log.debug("weighed by guesses: %s", error)
        return Scales.of(config.advice)


def _documents(
    inventory: Inventory,
    checks: Checks,
    wanted: Sequence[Check],
    nodes: Sequence[str],
    readings: Mapping[str, NodeReadings],
    scales: Scales,
) -> list[NodeDocument]:
    given = next_morning(NIGHT, inventory, readings, nodes, checks, nobodys_past, scales).given
    return [_document(inventory, node, readings.get(node, {}), wanted, given.get(node)) for node in nodes]


def _document(
    inventory: Inventory,
    node: str,
    readings: NodeReadings,
    wanted: Sequence[Check],
    advice: RecommendationDocument | None,
) -> NodeDocument:
    slurm = inventory.nodes.get(node)
    since = iso(out_since(slurm)) if slurm else None
    return node_document(node, inventory.groups_of(node), slurm, readings, wanted, advice, since)


def _answer(
    inventory: Inventory,
    checks: Checks,
    groups: Sequence[str],
    names: Sequence[str],
    documents: Sequence[NodeDocument],
    problems: Sequence[str],
    form: Form,
    matrix: bool,
) -> bytes:
    count, complete = len(documents), not problems
    head = status_head(groups, names, as_of=utc_now(), count=count, complete=complete, problems=problems)
    if form.name == "table" and not matrix:
        return _round(inventory, checks, head, documents, form.look)
    return status_body(form, head, lambda: list(documents), lambda: list(map(encode, documents)), checks, utc_now())


def _round(
    inventory: Inventory, checks: Checks, head: StatusHead, documents: Sequence[NodeDocument], look: Look
) -> bytes:
    """The round as text. Nothing of it is new: one sweep keeps no record."""
    nodes = {document["node"] for document in documents}
    scope = inventory.expand_groups(with_those_in_service(head["groups"]), max_nodes=len(inventory.names()))
    document = round_document(
        head,
        documents,
        Families(FAMILIES, GLOSSES, ASIDE),
        out=nodes.intersection(inventory.down()),
        total=len(scope),
        read=survey((document["readings"] for document in documents), head["checks"], checks),
        news=None,
    )
    return round_text(document, look, utc_now()).encode()
