"""What stops everything: a person's stop, and the breaker. Each is turned with a line of the audit."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from botd.audit import Event
from botd.documents import iso
from botd.ledger.chain import Chain
from botd.ledger.meta import Meta

STOP, BREAKER, CLOSED = "stop", "breaker", "breaker_closed_at"
ROLES, CYCLES = "roles_sha256", "cycles"


class Switches:
    """The two, what the breaker counts beside actions, and which roles file counts.

    Each is read and turned within a transaction of the caller's; turned as it is already, it stays.
    """

    def __init__(self, meta: Meta, chain: Chain) -> None:
        self._meta = meta
        self._chain = chain

    def see_roles(self, db: sa.Connection, digest: str, now: datetime) -> None:
        """Takes note of the SHA-256 of the roles file that counts from now on."""
        if digest and digest != self._meta.get(db, ROLES):
            self._meta.set(db, ROLES, digest)
            self._chain.add(db, Event("roles-changed", "agent", detail={"sha256": digest}), now)

    def stopped(self, db: sa.Connection) -> str:
        """Who has stopped everything, since when and why; empty where nobody has."""
        return self._meta.get(db, STOP)

    def stop(self, db: sa.Connection, by: str, words: str, now: datetime) -> None:
        """Stops everything."""
        if not self.stopped(db):
            self._meta.set(db, STOP, f"{by}, since {iso(now)}{': ' if words else ''}{words}")
            self._chain.add(db, Event("stopped", by, words=words), now)

    def end_stop(self, db: sa.Connection, by: str, reason: str, now: datetime) -> None:
        """Ends the stop."""
        if self.stopped(db):
            self._meta.set(db, STOP, "")
            self._chain.add(db, Event("stop-ended", by, words=reason), now)

    def breaker(self, db: sa.Connection) -> str:
        """Why the breaker is open; empty where it is closed."""
        return self._meta.get(db, BREAKER)

    def cycles(self, db: sa.Connection) -> str:
        """The power cycles of the last hour that were seen, as they were handed on; empty where none ever was."""
        return self._meta.get(db, CYCLES)

    def see_cycles(self, db: sa.Connection, text: str) -> None:
        """Takes note of the power cycles that were seen."""
        self._meta.set(db, CYCLES, text)

    def open_breaker(self, db: sa.Connection, why: str, now: datetime) -> None:
        """Opens the breaker."""
        if why and not self.breaker(db):
            self._meta.set(db, BREAKER, f"{why}, at {iso(now)}")
            self._chain.add(db, Event("breaker-opened", "agent", words=why), now)

    def close_breaker(self, db: sa.Connection, by: str, reason: str, now: datetime) -> None:
        """Closes the breaker: what was before no longer counts."""
        if self.breaker(db):
            self._meta.set(db, BREAKER, "")
            self._meta.set(db, CLOSED, iso(now))
            self._chain.add(db, Event("breaker-closed", by, words=reason), now)

    def closed_at(self, db: sa.Connection) -> datetime | None:
        """When a person closed the breaker last; None for never."""
        found = self._meta.get(db, CLOSED)
        return datetime.fromisoformat(found) if found else None
