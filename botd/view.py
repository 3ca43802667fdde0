"""The store as one process saw it at one moment, and what is worked out of that."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from botd.advice.morning import NIGHT, Morning, Pasts, next_morning
from botd.advice.weighing import GUESSED, Scales
from botd.checks import Checks
from botd.documents import NodeDocument, NodeReadings, Time, iso, node_document, times_of
from botd.inventory import Inventory
from botd.inventory.document import read_document
from botd.inventory.states import out_since
from botd.model import DIAGNOSIS, Change, Check
from botd.store import Pulse, Store

CACHED_FIGURES = 64
"""What is worked out of one view: each is small, but what it is of may name 20,000 nodes."""

NO_LIST = "there is no earlier list"

Figures = TypeVar("Figures")


@dataclass(frozen=True)
class Recorded:
    """The diagnoses on record: by node the title and since when it is that; `last` is the id of the newest change."""

    last: int = 0
    titles: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """The store as it was at one moment.

    `morning` has the diagnoses, `recorded` since when they are so; `fragments` are its nodes as JSON, by shape and
    checks, made when first asked for; `figures` is what was worked out of its readings.
    """

    pulse: Pulse
    inventory: Inventory
    readings: Mapping[str, NodeReadings]
    morning: Morning = NIGHT
    recorded: Recorded = Recorded()
    fragments: dict[tuple[str, tuple[str, ...]], dict[str, bytes]] = field(default_factory=dict)
    figures: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def edition(self) -> Hashable:
        """What two views have in common that give the same answers, as long as no reading gets too old."""
        pulse = self.pulse
        return (
            pulse.revision,
            pulse.revised_at,
            pulse.list_revision,
            pulse.list_as_of,
            pulse.list_status,
            pulse.list_error,
            self.recorded.last,
            self.morning.scales.edition,
        )

    def since(self, node: str) -> Time | None:
        """Since when a node is out of service, as Slurm says; for another one since when its diagnosis is what it is.

        None for a node that is well, and where that is not on record.
        """
        slurm, advice = self.inventory.nodes.get(node), self.morning.given.get(node)
        if slurm and (left_at := out_since(slurm)):
            return iso(left_at)
        title, at = self.recorded.titles.get(node, ("", None))
        return iso(at) if advice and advice["title"] == title else None

    def document(self, node: str, checks: Iterable[Check]) -> NodeDocument:
        """The node with its readings of these checks."""
        slurm, given = self.inventory.nodes.get(node), self.morning.given.get(node)
        groups, readings = self.inventory.groups_of(node), self.readings.get(node, {})
        return node_document(node, groups, slurm, readings, checks, given, self.since(node))

    def times_of(self, nodes: tuple[str, ...], checks: tuple[str, ...]) -> tuple[str, str]:
        """When the oldest and the newest of these readings were taken; a missing one is the oldest, and empty."""
        return self.once(("times", nodes, checks), lambda: times_of(self.readings, nodes, checks))

    def once(self, key: Hashable, work_out: Callable[[], Figures]) -> Figures:
        """What is worked out of the readings, the first time that it is asked for."""
        found: Figures | None = self.figures.get(key)
        if found is None:
            if len(self.figures) >= CACHED_FIGURES:
                self.figures.clear()
            found = self.figures[key] = work_out()
        return found


def list_is_old(pulse: Pulse) -> str:
    """That Slurm did not give its list, and which one is used."""
    as_of = iso(pulse.list_as_of)
    return f"{pulse.list_error}; " + (f"the last good list, of {as_of}, is used" if as_of else NO_LIST)


def next_view(store: Store, old: View | None, checks: Checks, pasts: Pasts, scales: Scales = GUESSED) -> View:
    """The view after the old one: only what changed since is read, and only its fragments are dropped.

    A node changes with its readings, and with its diagnosis, which may be its neighbours' doing.
    """
    pulse = store.pulse()
    # Another beginning is another database: the one before was damaged and kept aside.
    if old is None or pulse.history_since != old.pulse.history_since:
        old = View(replace(pulse, revision=-1, list_revision=0), Inventory({}, {}), {})
    if pulse.list_revision != old.pulse.list_revision:
        old = View(old.pulse, read_document(store.node_list() or b""), old.readings, old.morning, old.recorded)
    changed = store.readings.since(old.pulse.revision) if pulse.revision != old.pulse.revision else {}
    told = store.changes.newest(DIAGNOSIS, old.recorded.last)
    if not changed and not told and old.morning.inventory is old.inventory and old.morning.scales == scales:
        return replace(old, pulse=pulse)
    readings = {**old.readings, **changed}
    morning = next_morning(old.morning, old.inventory, readings, changed, checks, pasts, scales)
    gone = changed.keys() | morning.changed_since(old.morning) | {change.node for change in told}
    fragments = {shape: _without(known, gone) for shape, known in dict(old.fragments).items()}
    return View(pulse, old.inventory, readings, morning, _next_recorded(old.recorded, told), fragments)


def _next_recorded(old: Recorded, told: Sequence[Change]) -> Recorded:
    """The diagnoses on record after these changes."""
    if not told:
        return old
    return Recorded(told[-1].id or 0, {**old.titles, **{change.node: (change.new, change.at) for change in told}})


def _without(known: Mapping[str, bytes], changed: Iterable[str]) -> dict[str, bytes]:
    """All but these nodes. A copy that loses a few is made in a tenth of the time of one that looks at each."""
    kept = dict(known)
    for node in changed:
        kept.pop(node, None)
    return kept
