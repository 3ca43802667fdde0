"""Counts what came of actions and how many nodes healed alone, and tells it: the experience that all is weighed by.

It is counted anew each night, and whenever the ledger has something new, also from another process such as an import.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from botd.acting.actions import Weight
from botd.acting.ladder import tried, tried_document
from botd.advice.confidence import Counts
from botd.advice.experience import experience_of
from botd.advice.trust import Saying, trust_document
from botd.advice.waiting import Spell
from botd.advice.weighing import Scales
from botd.agent.copies import set_copies
from botd.agent.judging import Judging
from botd.errors import LedgerUnavailable, StoreUnavailable
from botd.history.past import LOOK_BACK
from botd.inventory import Inventory
from botd.ledger import Ledger
from botd.ledger.outcomes import GOOD, IncidentRow
from botd.logs import Faults
from botd.model import Clock
from botd.settings import Config
from botd.store import Store
from botd.store.imported import IMPORTED_INCIDENTS, NOW, YEAR

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""How often it is looked whether there is anything new to count, where nobody says so."""

TICK_S = 0.5

IMPORTED = timedelta(days=366)
"""How old imported incidents are told of: an import asks for a year."""

KEPT = 1000
"""Actions of which it is known that their drains are botd's own, and that they failed."""

LEAST_GAP = timedelta(minutes=15)
"""With less than this between two sweeps nobody was blind, however short their interval is."""


class Counting:
    """Works in a thread of its own. `scales` may be called from any."""

    def __init__(
        self, config: Config, ledger: Ledger, store: Store, inventory: Callable[[], Inventory], clock: Clock
    ) -> None:
        self._settings = config.advice
        self._gap = max(LEAST_GAP, 3 * timedelta(seconds=config.sweep.interval))
        self._ledger = ledger
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._judging = Judging(config.advice, ledger, store, inventory)
        self._faults = Faults(log)
        self._scales = Scales.of(config.advice)
        self._wake = threading.Event()
        self._night: date | None = None
        self._counted: Sequence[Any] = ()
        self._sayings: list[Saying] = []
        self._swept_at: datetime | None = None
        self._watched_at: datetime | None = None

    def scales(self) -> Scales:
        """What is weighed by at this moment."""
        return self._scales.at(self._clock())

    def turn(self) -> None:
        """An action has ended: looks now."""
        self._wake.set()

    def swept(self) -> None:
        """Takes note that a regular sweep has ended: somebody has looked at the nodes."""
        self._swept_at = self._clock()
        if self._night is None:  # the first: now there is a node list, and what is on record can be counted
            self._wake.set()

    def start(self, stop: threading.Event) -> None:
        """Counts once a minute until `stop` is set."""
        threading.Thread(target=self._run, args=(stop,), name="counting", daemon=True).start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            wrong = []
            try:
                self.step()
            except LedgerUnavailable:
                pass  # what keeps the ledger from being used is told elsewhere
            except StoreUnavailable as error:
                wrong.append(str(error))
            except Exception:  # the thread must outlive a fault of ours, and the fault must be seen
                log.exception("counting failed")
            self._faults.tell("outcomes are not counted", wrong)
            self._wait(stop)

    def _wait(self, stop: threading.Event) -> None:
        """Until it is to be looked again, something has moved, or `stop` is set."""
        due_s = time.monotonic() + LOOK_S
        while not stop.is_set() and not self._wake.wait(TICK_S) and time.monotonic() < due_s:
            pass
        self._wake.clear()

    def step(self) -> None:
        """Does what is due. Raises LedgerUnavailable, StoreUnavailable."""
        now = self._clock()
        today = now.astimezone(UTC).date()
        self._watch()
        self._judging.judge_own(now)
        if self._night != today and self._inventory().as_of:
            self._judging.observe(now)
            self._night = today
        self._count(today)
        self._look_at_actions(now)
        self._tell()
        self._tell_incidents(now)

    def _tell_incidents(self, now: datetime) -> None:
        """Tells of the imported incidents that were over when the record began: of the others it tells itself."""
        begun_at = self._store.pulse().history_since or now
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        with self._ledger.read() as db:  # since a midnight: told anew once a day, and not as each grows too old
            found = self._ledger.outcomes.incidents(db, midnight - IMPORTED, begun_at)
        counted = [row for row in found if row.began_at >= midnight - LOOK_BACK]
        set_copies(self._store, IMPORTED_INCIDENTS, {NOW: _times(counted), YEAR: _times(found)})

    def _tell(self) -> None:
        experience, ours, tried = self._scales.experience, sorted(self._scales.ours), self._scales.tried
        set_copies(self._store, "trust", {"now": trust_document(self._sayings, experience)})
        edition = f"{experience.edition} {' '.join(ours)} {' '.join(str(each.id) for each in tried)}"
        told = {"now": experience.document(), "ours": ours, "tried": tried_document(tried), "edition": edition}
        set_copies(self._store, "experience", told)

    def _watch(self) -> None:
        if self._swept_at and self._swept_at != self._watched_at:
            with self._ledger.write() as db:
                self._ledger.outcomes.watch(db, self._swept_at, self._gap)
            self._watched_at = self._swept_at

    def _look_at_actions(self, now: datetime) -> None:
        """Takes note of the newest actions: the drains of hard ones are no person's, what failed is a rung behind."""
        with self._ledger.read() as db:
            found = self._ledger.actions.newest(db, KEPT)[::-1]
        ours = frozenset(str(each.id) for each in found if each.weight == Weight.HARD and not each.is_dry)
        self._scales = replace(self._scales, ours=ours, tried=tried(found, now - LOOK_BACK))

    def _count(self, today: date) -> None:
        """Counts where anything is new."""
        with self._ledger.read() as db:
            outcomes = self._ledger.outcomes
            revision = (today, *outcomes.revision(db))
            if revision == self._counted:
                return
            counts = [Counts(*each) for each in outcomes.tallied(db)]
            self._sayings = [Saying(each.p, each.verdict == GOOD) for each in outcomes.told(db) if each.p is not None]
            spells = [Spell(*each) for each in outcomes.spells(db)]
        self._scales = replace(self._scales, experience=experience_of(counts, spells, today))
        self._counted = revision


def _times(found: Sequence[IncidentRow]) -> dict[str, list[float]]:
    """When incidents began, by node; the rows stand by node and time."""
    return {node: [row.began_at.timestamp() for row in rows] for node, rows in groupby(found, lambda row: row.node)}
