"""Which BMC has answered for each node: its System GUID (IPMI v2.0 rev. 1.1, 22.14), in hexadecimal digits.

A blade that was swapped, or a name that leads to another one's BMC, has another GUID. It is learnt when the BMC first
answers, and forgotten only when a person has looked.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from botd.audit import Event
from botd.ledger.chain import Chain
from botd.ledger.schema import bmcs


class Bmcs:
    """The GUIDs. Each is read and written within a transaction of the caller's."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def guid(self, db: sa.Connection, node: str) -> str | None:
        """The GUID of the node's BMC; None where none has answered yet."""
        found = db.scalar(sa.select(bmcs.c.guid).where(bmcs.c.node == node))
        return None if found is None else str(found)

    def learn(self, db: sa.Connection, node: str, guid: str, now: datetime) -> None:
        """Remembers the GUID that answers for a node, where none is remembered yet."""
        if self.guid(db, node) is None:
            db.execute(sa.insert(bmcs).values(node=node, guid=guid, at=now.timestamp()))
            self._chain.add(db, Event("bmc-learnt", "agent", node, guid), now)

    def forget(self, db: sa.Connection, node: str) -> None:
        """Takes whichever answers next for the node's."""
        db.execute(sa.delete(bmcs).where(bmcs.c.node == node))
