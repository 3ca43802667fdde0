"""The agent's ledger, looked at again and again: what keeps it from being acted by is told to log and store."""

from __future__ import annotations

import logging

from botd.agent.life import Due
from botd.documents import LedgerDocument
from botd.ledger import Ledger, LedgerState
from botd.logs import Faults
from botd.model import Clock
from botd.store import Store

log = logging.getLogger(__name__)

LOOK_S = 30.0
FAULT = "nothing may act"


class Record:
    """The ledger as the agent has it."""

    def __init__(self, ledger: Ledger, store: Store, clock: Clock) -> None:
        self.ledger = ledger
        self._store = store
        self._clock = clock
        self._faults = Faults(log)
        self._due = Due(LOOK_S)

    def step(self) -> None:
        """Looks at the ledger when that is due. Raises StoreUnavailable where nobody can be told."""
        if self._due.now():
            self.look()

    def look(self) -> LedgerState:
        """Whether anything may act at this moment. Raises StoreUnavailable where nobody can be told."""
        state = self.ledger.state(self._clock())
        self._faults.tell(FAULT, [state.why] if state.why else (), level=logging.ERROR)
        document: LedgerDocument = {"usable": state.is_usable, "why": state.why or None}
        self._store.copies.put("ledger", {"state": document})
        return state
