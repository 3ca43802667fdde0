"""What somebody wants of the agent: log in, have a token, end one. It lies here sealed to the agent, until it answers.

Whoever can write this database can put here what he likes, and take away what is there. He cannot read it, and the
agent believes nothing but what stands inside the seal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from botd.errors import BadRequest, TooMany
from botd.sql.database import Database
from botd.store.schema import asks

MAX_SEALED = 65_536
"""Bytes of one: a request of 64 nodes with its signature fits."""

MAX_WAITING = 64
"""Asks that may wait for the agent; it answers ten in a second."""

GOOD_FOR = timedelta(seconds=60)
"""An ask that has waited longer is answered by nobody: nothing old is done late."""

KEPT = timedelta(minutes=10)
"""How long an answer can be read."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What waits for the agent, in the order in which it came."""

    id: int
    nonce: str
    kind: str
    sealed: bytes


class Asks:
    """The mailbox. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, nonce: str, kind: str, sealed: bytes, now: datetime) -> None:
        """Asks something; the same nonce twice asks once. Raises TooMany, BadRequest for too much."""
        if len(sealed) > MAX_SEALED:
            raise BadRequest(f"that is too long for the agent: more than {MAX_SEALED:,} bytes when it is sealed")
        row = {"nonce": nonce, "kind": kind, "sealed": sealed, "created_at": now.timestamp()}
        with self._db.write() as db:
            waiting = db.scalar(sa.select(sa.func.count()).where(_waits(now))) or 0
            if waiting >= MAX_WAITING:
                raise TooMany(f"{waiting} requests wait for the agent already; try again in a minute")
            db.execute(self._db.insert(asks).values(**row).on_conflict_do_nothing())

    def waiting(self, now: datetime, limit: int = 16) -> list[Ask]:
        """The asks that wait longest and are still good."""
        query = sa.select(asks.c.id, asks.c.nonce, asks.c.kind, asks.c.sealed).where(_waits(now))
        with self._db.read() as db:
            return [Ask(*row) for row in db.execute(query.order_by(asks.c.id).limit(limit))]

    def answer(self, ask: Ask, document: Mapping[str, Any], now: datetime) -> None:
        """Answers an ask, and forgets what is old. What was sealed is not kept."""
        values = {"answer": json.dumps(document), "answered_at": now.timestamp(), "sealed": b""}
        with self._db.write() as db:
            db.execute(sa.update(asks).where(asks.c.id == ask.id).values(**values))
            db.execute(sa.delete(asks).where(asks.c.created_at < (now - KEPT).timestamp()))

    def answer_to(self, nonce: str) -> Any:
        """The answer to an ask, None where there is none yet. Raises StoreDamaged for what is no JSON."""
        with self._db.read() as db:
            text = db.scalar(sa.select(asks.c.answer).where(asks.c.nonce == nonce))
            return None if text is None else json.loads(text)


def _waits(now: datetime) -> sa.ColumnElement[bool]:
    return asks.c.answered_at.is_(None) & (asks.c.created_at > (now - GOOD_FOR).timestamp())
