"""The diagnoses of all nodes, worked out anew only where something changed.

A node's diagnosis depends on its own readings, on Slurm's word and on its neighbours: so a node that changes costs
itself, and a rack that falls silent costs every node that is not well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from botd.advice.case import Case
from botd.advice.hardware import hardware_of
from botd.advice.neighbours import ALONE, FINE, Look, Neighbours, look_at, meet
from botd.advice.recommend import recommend
from botd.advice.weighing import GUESSED, Scales
from botd.checks import Checks
from botd.documents import NodeReadings, RecommendationDocument
from botd.history.past import NOTHING, NodePast
from botd.inventory import Inventory
from botd.inventory.states import is_out_of_service

Pasts = Callable[[Collection[str]], Mapping[str, NodePast]]
"""What gives the history of nodes."""

_BAD = frozenset({"fail", "warn", "unknown"})


@dataclass(frozen=True)
class Morning:
    """The diagnoses of one moment. `given` has those nodes that have one; `looks` what counts for others.

    `scales` are what it was weighed by.
    """

    inventory: Inventory | None = None
    given: Mapping[str, RecommendationDocument] = field(default_factory=dict)
    looks: Mapping[str, Look] = field(default_factory=dict)
    neighbours: Neighbours = ALONE
    scales: Scales = GUESSED

    def changed_since(self, old: Morning) -> set[str]:
        """The nodes whose diagnosis is not what it was."""
        names = self.given.keys() | old.given.keys()
        return {node for node in names if self.given.get(node) is not old.given.get(node)}


NIGHT = Morning()
"""Before anything is known."""


def nobodys_past(_nodes: Collection[str]) -> Mapping[str, NodePast]:
    """The history where none is kept."""
    return {}


def next_morning(
    old: Morning,
    inventory: Inventory,
    readings: Mapping[str, NodeReadings],
    changed: Iterable[str],
    checks: Checks,
    pasts: Pasts,
    scales: Scales = GUESSED,
) -> Morning:
    """The diagnoses after these nodes have new readings; after another node list, of all nodes.

    By other scales each is weighed anew.
    """
    renewed = inventory is not old.inventory
    nodes = set(inventory.names()) if renewed else set(changed)
    looks = _looks({} if renewed else old.looks, nodes, readings)
    neighbours = meet(inventory, looks) if renewed or looks != old.looks else old.neighbours
    if neighbours != old.neighbours or scales != old.scales:
        nodes |= old.given.keys()
    ill = [node for node in nodes if _is_ill(inventory, node, readings.get(node, {}))]
    past = pasts(ill) if ill else {}
    given = {} if renewed else {node: each for node, each in old.given.items() if node not in nodes}
    for node in ill:
        alone = _case(inventory, node, readings.get(node, {}), checks, scales)
        case = replace(alone, past=past.get(node, NOTHING), neighbours=neighbours)
        if found := recommend(case, scales):
            before = old.given.get(node)
            given[node] = before if before == found else found  # the same is the same object
    return Morning(inventory, given, looks, neighbours, scales)


def judged_alone(
    inventory: Inventory, node: str, readings: NodeReadings, checks: Checks, scales: Scales
) -> RecommendationDocument | None:
    """The diagnosis of a node by itself, as long as nothing is known of its neighbours and its history."""
    if not _is_ill(inventory, node, readings):
        return None
    return recommend(_case(inventory, node, readings, checks, scales), scales)


def _case(inventory: Inventory, node: str, readings: NodeReadings, checks: Checks, scales: Scales) -> Case:
    """A node by itself, of which botd may have tried something."""
    kind, tried = hardware_of(inventory, node, scales.hardware), scales.tried_on.get(node, ())
    return Case(node, inventory.nodes.get(node), readings, checks, hardware=kind, ours=scales.ours, tried=tried)


def _looks(old: Mapping[str, Look], nodes: Iterable[str], readings: Mapping[str, NodeReadings]) -> dict[str, Look]:
    looks = dict(old)
    for node in nodes:
        look = look_at(readings.get(node, {}))
        if look == FINE:
            looks.pop(node, None)
        else:
            looks[node] = look
    return looks


def _is_ill(inventory: Inventory, node: str, readings: NodeReadings) -> bool:
    """Whether there may be anything to say of a node: it is out of service, or a reading is not well."""
    slurm = inventory.nodes.get(node)
    if slurm is not None and is_out_of_service(slurm):
        return True
    return any(reading["state"] in _BAD and reading["at"] for reading in readings.values())
