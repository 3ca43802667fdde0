"""`botd sweep`: one sweep without a server and without a store."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence

from botd import nodeset
from botd.advice.morning import NIGHT, next_morning, nobodys_past
from botd.advice.rules import ASIDE, FAMILIES, GLOSSES
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
    StatusHead,
    encode,
    iso,
    node_document,
    reading_document,
    status_head,
)
from botd.errors import SlurmFailed
from botd.inventory import Inventory, build
from botd.inventory.groups import read_groups
from botd.inventory.request import with_those_in_service
from botd.inventory.slurm import SlurmReader
from botd.inventory.states import out_since
from botd.model import Reading, utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import make_plan, run_sweep

log = logging.getLogger(__name__)

_BAR = 30


def sweep_once(
    config: Config, checks: Checks, groups: str, names: Sequence[str], form: Form, *, matrix: bool = True
) -> bytes:
    """Reads the node list, sweeps the groups once and returns the answer in one form; the table without `matrix` is
    the morning round.

    Raises what the node list and the groups raise; where Slurm fails, groups from files still work.
    """
    inventory, problems = _read_inventory(config, groups)
    nodes = inventory.expand_groups(groups, max_nodes=config.server.max_nodes)
    ordered = sorted(nodes, key=nodeset.natural_key)
    readings: dict[str, NodeReadings] = {}
    bar = ProgressBar(len(ordered))

    def emit(node: str, found: Mapping[str, Reading]) -> None:
        readings[node] = {name: reading_document(reading) for name, reading in found.items()}
        bar.show(len(readings))

    plan = make_plan(ordered, checks, names, inventory.nodes)
    probes = Probes(config)
    try:
        errors = run_sweep(plan, probes.probers(plan), emit, deadline_s=config.sweep.deadline, clock=utc_now)
    finally:
        bar.clear()
        probes.close()
    problems = [*problems, *errors]
    documents = _documents(inventory, checks, names, ordered, readings)
    complete = len(readings) == len(ordered) and not problems
    terms = nodeset.split(groups)
    head = status_head(terms, names, as_of=utc_now(), count=len(ordered), complete=complete, problems=problems)
    if form.name == "table" and not matrix:
        return _round(inventory, checks, head, documents, form.look)
    return status_body(form, head, lambda: documents, lambda: list(map(encode, documents)), checks)


class ProgressBar:
    """Done of total on standard error, where that is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr.isatty() and total > 0

    def show(self, done: int) -> None:
        """Draws the bar as it is now."""
        if self._shown:
            filled = _BAR * done // self._total
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {done} of {self._total} nodes")
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
    except SlurmFailed as error:
        if {"sinfo", "all"}.intersection(term for part in nodeset.split(wanted) for term in part.split("/")):
            raise
        return build((), groups, None, problems), [*problems, str(error)]
    return build(nodes, groups, utc_now(), problems), [*problems, *reader.problems]


def _documents(
    inventory: Inventory,
    checks: Checks,
    names: Sequence[str],
    nodes: Sequence[str],
    readings: Mapping[str, NodeReadings],
) -> list[NodeDocument]:
    wanted = [checks[name] for name in names]
    given = next_morning(NIGHT, inventory, readings, nodes, checks, nobodys_past).given

    def document(node: str) -> NodeDocument:
        slurm, groups = inventory.nodes.get(node), inventory.groups_of(node)
        since = iso(out_since(slurm)) if slurm else None
        return node_document(node, groups, slurm, readings.get(node, {}), wanted, given.get(node), since)

    return list(map(document, nodes))


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
