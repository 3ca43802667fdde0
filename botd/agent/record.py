"""The agent's ledger, looked at again and again: what keeps it from being acted by is told to log and store.

The head of the audit is signed each hour and each hundred rows, and goes to the log, to the file of checkpoints and to
the store; copies of the newest rows go to the store.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from contextlib import suppress

from botd.agent.life import Due
from botd.audit import Checkpoint, Row, canonical, checkpoint_text, read_checkpoint
from botd.documents import LedgerDocument
from botd.errors import LedgerUnavailable, StoreDamaged
from botd.ledger import Ledger, LedgerState, Transaction
from botd.logs import Faults
from botd.model import Clock
from botd.store import Store

log = logging.getLogger(__name__)

LOOK_S = 30.0
SIGN_S = 3600.0
SIGN_ROWS = 100
COPY_S = 2.0
COPY_ROWS = 200
"""Rows that are copied at once."""

KEPT_ROWS = 5000
"""Rows that the store has a copy of."""

MEND_S = 10.0
"""How often the copies are held against the ledger: others may write there."""

FAULT = "nothing may act"


class Record:
    """The ledger as the agent has it."""

    def __init__(self, ledger: Ledger, store: Store, clock: Clock) -> None:
        self.ledger = ledger
        self._store = store
        self._clock = clock
        self._faults = Faults(log)
        self._look_due, self._copy_due, self._sign_due = Due(LOOK_S), Due(COPY_S), Due(SIGN_S)
        self._mend_due = Due(MEND_S)
        self._is_usable = False
        self.why: str | None = None  # what keeps everything from acting; empty for nothing, None before the first look
        self._is_to_sign = False
        self._why = ""  # what kept the head from being signed, or rows from being copied
        self._copied: int | None = None  # the newest row that the store has; not known to begin with

    def step(self) -> None:
        """Does what is due. Raises StoreUnavailable where nobody can be told."""
        if self._look_due.now():
            self.look()
        if self._is_usable and self._copy_due.now():
            why = self._keep()
            if why != self._why:
                self._why = why
                self.look()

    def _keep(self) -> str:
        """Signs and copies what is due; what keeps it from that, empty where nothing does."""
        try:
            self._sign()
            self._mend_head()
            self._copy()
        except LedgerUnavailable as error:
            return str(error)
        return ""

    def look(self) -> LedgerState:
        """Whether anything may act at this moment. Raises StoreUnavailable where nobody can be told."""
        found = self.ledger.state(self._clock(), self._told())
        state = LedgerState(found.why or self._why)
        self._faults.tell(FAULT, [state.why] if state.why else (), level=logging.ERROR)
        document: LedgerDocument = {"usable": state.is_usable, "why": state.why or None}
        self._store.copies.put("ledger", {"state": document})
        self._is_usable = found.is_usable
        self.why = state.why
        return state

    def _told(self) -> Checkpoint | None:
        """The newest checkpoint that the store has. What is none there tells nothing.

        Raises StoreUnavailable, StoreDamaged where it is not the copy alone that is damaged.
        """
        try:
            return read_checkpoint(canonical(self._store.copies.get("ledger", "head")))
        except StoreDamaged:
            self._store.copies.drop("ledger", "head")
        except (ValueError, TypeError, RecursionError):
            pass
        return None

    def _sign(self, *, at_once: bool = False) -> None:
        """Signs the head of the audit where that is due. One that was restored is not signed: that would hide it."""
        self._is_to_sign |= at_once or self._sign_due.now()
        if self._is_to_sign or self.ledger.unsigned() >= SIGN_ROWS:
            point = self.ledger.checkpoint(self._clock())
            self._is_to_sign = False
            log.info("audit checkpoint %s", checkpoint_text(point))
            self._store.copies.put("ledger", {"head": point._asdict()})

    def begin_anew(self) -> None:
        """Tells all of it again, to a store that is empty."""
        self._copied = None
        self.look()

    def close(self) -> None:
        """Signs the head of the audit once more at the end."""
        with suppress(LedgerUnavailable):
            if self._is_usable:
                self._sign(at_once=self.ledger.unsigned() > 0)
                self._copy()
        self.ledger.close()

    def _copy(self) -> None:
        """Copies what is new in the audit. What the store has from before is not built upon: others may write there."""
        with self.ledger.read() as db:
            last = self.ledger.chain.last(db)
            size = last.number if last else 0
            if self._copied is None or self._copied > size or self._is_bent(db, size):
                self._store.copies.clear("audit")
                self._copied = max(0, size - KEPT_ROWS)
            rows = self.ledger.chain.after(db, self._copied, COPY_ROWS)
            copies = _copies(rows)
        if rows:
            self._store.copies.put("audit", copies)
            self._copied = rows[-1].number
            self._store.copies.clear("audit", until=_key(self._copied - KEPT_ROWS))

    def _is_bent(self, db: Transaction, size: int) -> bool:
        """Whether the copies are not what was written. Looked at once in a while: they are thousands."""
        if self._copied != size or not self._mend_due.now():
            return False
        begin = max(0, size - KEPT_ROWS)
        try:
            return self._store.copies.all("audit") != _copies(self.ledger.chain.after(db, begin, size - begin))
        except StoreDamaged:
            return True

    def _mend_head(self) -> None:
        """Tells the newest checkpoint again where the store has another one; a later one of ours is for `look`."""
        newest, told = self.ledger.checkpoints.newest(), self._told()
        if newest and told != newest and not (told and told.key == newest.key and told.size > newest.size):
            self._store.copies.put("ledger", {"head": newest._asdict()})


def _copies(rows: Iterable[Row]) -> dict[str, object]:
    """The rows as the store has them. Raises ValueError for one that is damaged."""
    return {_key(row.number): {**_document(row), "hash": row.hash} for row in rows}


def _document(row: Row) -> dict[str, object]:
    try:
        return dict(json.loads(row.document))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"row {row.number} of the audit cannot be read") from error


def _key(number: int) -> str:
    """The key of a row, so that keys sort as numbers do."""
    return f"{max(0, number):012d}"
