"""The diagnoses as the agent knows them: where one has changed by the end of a sweep, that is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from botd.advice.morning import NIGHT, Morning, next_morning
from botd.advice.weighing import GUESSED, Scales
from botd.agent.notes import NoteKeeper
from botd.checks import Checks
from botd.documents import NodeReadings, RecommendationDocument
from botd.history.past import Pasts
from botd.inventory import Inventory
from botd.model import DIAGNOSIS, Change, Clock
from botd.store import Store

UNREAD = "unread"
"""The rule of a node that no sweep has come to yet: that is no news of it."""

READY = "ready"
"""The family of what is not worse than well."""


class Diagnoses:
    """The diagnosis of each node, as it is on record. They are looked at when a sweep has ended, not within it."""

    def __init__(
        self, checks: Checks, store: Store, clock: Clock, scales: Callable[[], Scales] = lambda: GUESSED
    ) -> None:
        self._checks = checks
        self._store = store
        self._clock = clock
        self._scales = scales
        self._pasts = Pasts(store.changes, checks, clock)
        self._notes = NoteKeeper(store, clock)
        self._morning: Morning = NIGHT
        self._recorded: dict[str, str] = {}

    def load(self) -> None:
        """Takes up what is on record. Raises StoreUnavailable."""
        self._recorded = {node: said for (node, _), said in self._store.changes.last_words(DIAGNOSIS).items() if said}

    def record(self, inventory: Inventory, readings: Mapping[str, NodeReadings], changed: Iterable[str]) -> None:
        """Records what has become of the diagnoses since the last time, after which these nodes were read anew.

        Raises StoreUnavailable, and then all of it is still to record.
        """
        now = self._clock()
        pasts, scales = self._pasts.of, self._scales()
        morning = next_morning(self._morning, inventory, readings, changed, self._checks, pasts, scales)
        found = list(self._changes(morning, now))
        if found:
            self._notes.settle(found)  # before they count as told: what fails here is told again with them
            self._store.changes.record(found)
        self._morning = morning
        self._recorded |= {change.node: change.new for change in found}

    def _changes(self, morning: Morning, now: datetime) -> Iterator[Change]:
        for node in sorted(morning.given.keys() | self._recorded.keys()):
            advice, old = morning.given.get(node), self._recorded.get(node, "")
            new = advice["title"] if advice else ""
            if new != old and not _is_unread(advice):
                is_bad = advice is not None and advice["family"] != READY
                yield Change(node, DIAGNOSIS, old, new, now, advice["explanation"] if advice else "", is_bad)


def _is_unread(advice: RecommendationDocument | None) -> bool:
    return advice is not None and advice["diagnosis"] == UNREAD
