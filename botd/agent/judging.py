"""What came of what was done, by botd and by people, as far as the history shows it: judged, and put on record.

Own actions are judged a day after them. What people did, and how long nodes were ill untouched, is read out of the
history each night: that forgets sooner than the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from botd.acting.moves import TERMINAL, State
from botd.advice.hardware import hardware_of
from botd.advice.observed import LOST_JOB, READ, Deed, aftermath, lost_a_job, observed
from botd.advice.outcomes import JUDGED, OTHERS, UNTOLD, WINDOW, Done, Judged, Verdict, judge
from botd.advice.rules import RESUME
from botd.documents import RecommendationDocument, encode
from botd.inventory import Inventory
from botd.ledger import Ledger, Transaction
from botd.ledger.actions import Stored
from botd.ledger.outcomes import OBSERVED, OWN, Row, SpellRow
from botd.model import Change
from botd.settings import AdviceSettings
from botd.store import Store

READ_BACK = timedelta(days=30)
"""How far back the history is read each night: what it showed before is on record already."""

LONG_AGO = timedelta(days=400)

WORKED = {State.SUCCEEDED: True, State.FAILED: False, State.UNKNOWN: None}
"""Whether an action has worked that ended so."""

Times = Mapping[str, Sequence[datetime]]


class Judging:
    """Judges by the history in the store, and writes into the ledger. Belongs to one thread."""

    def __init__(
        self, settings: AdviceSettings, ledger: Ledger, store: Store, inventory: Callable[[], Inventory]
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._store = store
        self._inventory = inventory

    # ---- own actions ----

    def judge_own(self, now: datetime) -> None:
        """Judges those of botd's own actions that can be. Raises LedgerUnavailable, StoreUnavailable."""
        with self._ledger.read() as db:
            found = [(row, *self._of(db, row)) for row in self._ledger.outcomes.open_ones(db)]
        for row, stored, others in found:
            judged, is_harm = self._came_of(stored, others, now)
            if judged and judged.verdict is not Verdict.OPEN:
                with self._ledger.write() as db:
                    self._ledger.outcomes.settle(db, row, judged.verdict, judged.words, is_harm=is_harm)

    def _of(self, db: Transaction, row: Row) -> tuple[Stored, list[datetime]]:
        """The action of an outcome, and when others were done to its node that have a hand in what became of it."""
        stored = self._ledger.actions.get(db, row.action_id or 0)
        others = [each for each in self._ledger.actions.on(db, row.node) if each.id != stored.id]
        return stored, [each.sent_at for each in others if each.sent_at and _has_a_hand(each.action, row.action)]

    def _came_of(self, stored: Stored, others: Sequence[datetime], now: datetime) -> tuple[Judged | None, bool]:
        """What came of an action, and whether a job was lost after it; None while it is under way."""
        if stored.state not in TERMINAL:
            return None, False
        if stored.state not in WORKED or stored.sent_at is None:
            return Judged(Verdict.NOT_COUNTED, f"it was not done: {stored.state}"), False
        done = Done(stored.action, stored.changed_at, WORKED[State(stored.state)])
        subjects = (*READ, LOST_JOB)
        changes = self._store.changes.about([stored.node], subjects, stored.changed_at - LONG_AGO)
        return self._judged(done, changes, others, now), lost_a_job(changes, done.at)

    def _judged(
        self, done: Done, changes: Sequence[Change], others: Sequence[datetime], now: datetime
    ) -> Judged | None:
        with self._ledger.read() as db:
            blind = self._ledger.outcomes.blind(db, done.at, min(now, done.at + WINDOW))
        return judge(done, aftermath(changes, done.at, others, blind), now)

    # ---- what people did ----

    def observe(self, now: datetime) -> None:
        """Reads out of the history what people did, and how long nodes were ill. Raises as `judge_own` does."""
        changes = self._store.changes.news((*READ, LOST_JOB), now - READ_BACK)
        with self._ledger.read() as db:
            acted = self._ledger.actions.acted(db, now - READ_BACK)
        deeds, illnesses = observed(changes, acted)
        by_node: dict[str, list[Change]] = {}
        for change in changes:
            by_node.setdefault(change.node, []).append(change)
        rows = [row for deed in deeds for row in self._row(deed, by_node[deed.node], acted, now)]
        with self._ledger.write() as db:
            self._ledger.outcomes.add(db, rows)
            self._ledger.outcomes.add_spells(db, [SpellRow(OBSERVED, *each) for each in illnesses])

    def _row(self, deed: Deed, changes: Sequence[Change], acted: Times, now: datetime) -> Iterator[Row]:
        """What came of a deed, once its day is over."""
        others = [at for at in acted.get(deed.node, ()) if at > deed.at]
        judged = self._judged(Done(deed.action, deed.at), changes, others, now) if deed.at + WINDOW <= now else None
        if judged:
            kind = hardware_of(self._inventory(), deed.node, self._settings.hardware)
            told = (judged.verdict, judged.words, lost_a_job(changes, deed.at))
            yield Row(OBSERVED, deed.node, deed.diagnosis, deed.action, kind, deed.at, *told)


def row_of(stored: Stored, advice: RecommendationDocument | None, hardware: str) -> Row | None:
    """The outcome to come of an action that was asked for; None for one that there is nothing to learn from."""
    if stored.is_dry or stored.action not in JUDGED or advice is None or advice["diagnosis"] in UNTOLD | OTHERS:
        return None
    told = next((way["confidence"] for way in advice["ranked"] if way["action"] == stored.action), None)
    return Row(
        OWN,
        stored.node,
        advice["diagnosis"],
        stored.action,
        hardware,
        stored.asked_at,
        p=told["p"] if told else None,
        ranked=encode(advice["ranked"]).decode(),
        action_id=stored.id,
    )


def _has_a_hand(other: str, action: str) -> bool:
    """Whether an action has to do with what becomes of another. That a node is back in service mends nothing."""
    return other in JUDGED and not (other == RESUME != action)
