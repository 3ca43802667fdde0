"""The desk as it is kept open: in a thread of its own, because a login takes a moment and nothing may wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from botd.agent.life import Due
from botd.agent.node_list import NodeList
from botd.agent.people.desk import Counter, Desk, People
from botd.agent.people.roles_file import RolesFile, places_of
from botd.config import resolve_path
from botd.errors import LedgerUnavailable, StoreUnavailable
from botd.ledger import Ledger
from botd.logs import Faults
from botd.model import Clock
from botd.settings import Config
from botd.store import Store

log = logging.getLogger(__name__)

POLL_S = 0.1
TELL_S = 5.0
"""How often the copies are held against the ledger and the roles file."""

ROLES_FAULT = "nothing may act by the roles file"
DESK_FAULT = "nobody can log in"


class Service:
    """The desk, with the roles file and the keys of this agent."""

    def __init__(
        self,
        config: Config,
        store: Store,
        ledger: Ledger,
        people: People,
        nodes: NodeList,
        clock: Clock,
        counter: Counter | None = None,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._clock = clock
        self._nodes = nodes
        self._file = RolesFile(resolve_path(config, config.access.roles_file) if config.access.roles_file else None)
        self.roles = self._file.look()
        self._desk = Desk(
            store,
            lambda sealed, now: ledger.keys().open(sealed, now),
            people,
            lambda: self.roles,
            clock,
            tells_people=bool(config.access.header),
            counter=counter,
        )
        self._recorded = ""  # the digest of the roles that the audit has
        self._tell_due = Due(TELL_S)
        self._faults = Faults(log)

    def run(self, stop: threading.Event) -> None:
        """Answers until `stop` is set."""
        while not stop.wait(POLL_S):
            try:
                looked = self.step()
            except (LedgerUnavailable, StoreUnavailable) as error:
                self._faults.tell(DESK_FAULT, [str(error)], level=logging.ERROR)
            except Exception:  # the thread must outlive a fault of ours, and the fault must be seen
                log.exception("the desk failed")
            else:
                if looked:  # else it is not known whether it is over
                    self._faults.tell(DESK_FAULT)

    def step(self) -> bool:
        """Answers what waits, and tells what is new; whether it looked. Raises LedgerUnavailable, StoreUnavailable."""
        with suppress(LedgerUnavailable):  # who asks is told so
            self._ledger.open(self._clock())
        looked = self._desk.answer() > 0 or self._tell_due.now()
        if looked:
            self.roles = self._file.look()
            self._record_roles()
            configured = bool(self._config.access.roles_file)
            self._faults.tell(ROLES_FAULT, [self.roles.fault] if configured and self.roles.fault else ())
            self._desk.tell(self._doubts())
        return looked

    def _record_roles(self) -> None:
        """Has the audit say which roles file counts, where that is another than the last time."""
        if not self.roles.fault and self.roles.digest != self._recorded:
            with suppress(LedgerUnavailable), self._ledger.write() as db:
                self._ledger.switches.see_roles(db, self.roles.digest, self._clock())
                self._recorded = self.roles.digest

    def _doubts(self) -> Mapping[str, str]:
        """The groups that the roles name and that are not to be believed."""
        resolve = partial(resolve_path, self._config)
        return places_of(self.roles.roles, self._nodes.inventory, self._config.groups, resolve).faults


def start(service: Service, stop: threading.Event) -> threading.Thread:
    """The thread in which a service runs."""
    thread = threading.Thread(target=service.run, args=(stop,), name="desk", daemon=True)
    thread.start()
    return thread
