"""The only place that speaks SQL: latest readings, the node list, history, sweeps, and the agent's pulse.

Web processes and the agent share one database. The agent writes readings and the node list; a web process writes
only wishes: a sweep it wants, a node list it wants refreshed. `pulse` is a single row that says all a web process
must know for each request: whether anything changed since it last looked, and whether the agent is alive.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from botd.errors import StoreDamaged, StoreEmpty
from botd.model import Change, utc_now
from botd.settings import Config
from botd.sql.database import Database, to_time
from botd.sql.migrate import upgrade
from botd.sql.words import SHARED
from botd.store.asks import Asks
from botd.store.changes import Changes
from botd.store.copies import Copies
from botd.store.durations import Durations
from botd.store.notes import Notes
from botd.store.packing import Packing, unpacked
from botd.store.readings import Readings
from botd.store.samples import Samples
from botd.store.schema import SCHEMA, latest, node_list, pulse
from botd.store.sweeps import SweepFigures, Sweeps
from botd.store.tails import Tails

__all__ = ["ALIVE_S", "Pulse", "Store", "SweepFigures"]

ALIVE_S = 10.0
"""An agent that has not beaten for this long counts as not running."""

NODES = "the nodes and groups in the database"

log = logging.getLogger(__name__)

_PULSE = sa.select(*(column for column in pulse.c if column.name != "id"))
_TIMES = {column.name for column in pulse.c if isinstance(column.type, sa.Float)}


@dataclass(frozen=True, slots=True)
class Pulse:
    """The one row that changes whenever anything does.

    `list_status` is the HTTP status of `list_error`; `note` is what a person must know of the database itself, and
    `history_since` when it began to record changes.
    """

    revision: int
    revised_at: datetime | None
    list_revision: int
    list_as_of: datetime | None
    list_tried_at: datetime | None
    list_wanted_at: datetime | None
    list_status: int | None
    list_error: str | None
    agent_pid: int | None
    agent_name: str | None
    agent_beat_at: datetime | None
    note: str | None
    history_since: datetime | None


class Store:
    """One database. Every method is one transaction; what the database cannot do is StoreUnavailable."""

    def __init__(self, config: Config, *, read_only: bool = False) -> None:
        """Opens nothing yet; with `read_only` never makes a file. Raises ConfigError for a URL that is neither SQLite
        nor PostgreSQL."""
        self._db = Database(config, config.store.url, SHARED, read_only=read_only)
        self.sweeps = Sweeps(self._db)
        self.changes = Changes(self._db)
        self.notes = Notes(self._db, self.changes)
        self.samples = Samples(self._db)
        self.durations = Durations(self._db)
        self.copies = Copies(self._db)
        self.asks = Asks(self._db)
        self.tails = Tails(self._db)
        self.readings = Readings(self._db, self.changes)

    def create(self, now: datetime | None = None, note: str = "") -> None:
        """Makes the tables, or brings those of an older botd up to date. Raises ConfigError for a newer one's.

        A damaged SQLite file is kept aside under another name first, which `note` of the pulse then says, as it does
        what the caller gives. Readings that are damaged in a sound file are deleted.
        """
        now = now or utc_now()
        note = self._db.set_aside_if_damaged(now) or note
        try:
            self._make(now, note)
        except StoreDamaged as error:  # in a way that SQLite does not mind
            self._make(now, self._db.set_aside(now, error))

    def _make(self, now: datetime, note: str) -> None:
        with self._db.write() as db:
            upgrade(db, SCHEMA)
            if db.scalar(sa.select(pulse.c.id)) is None:
                known = db.scalar(sa.select(sa.func.max(latest.c.revision)))
                db.execute(sa.insert(pulse).values(id=1, revision=known or 0))
            db.execute(sa.update(pulse).where(pulse.c.history_since.is_(None)).values(history_since=now.timestamp()))
            if note:
                db.execute(sa.update(pulse).values(note=note))
        if lost := self.readings.drop_damaged(now):
            log.error("readings are damaged and are forgotten until the next sweep nodes=%s", ",".join(lost))

    def close(self) -> None:
        """Gives the connections back."""
        self._db.close()

    def pulse(self) -> Pulse:
        """The pulse as it is now."""
        with self._db.read() as db:
            row = db.execute(_PULSE).one_or_none()
        return _pulse(row)

    # ---- the node list ----

    def node_list(self) -> bytes | None:
        """The JSON document of the last good node list, None when there never was one. Raises StoreDamaged."""
        with self._db.read() as db:
            packed = db.scalar(sa.select(node_list.c.document))
        return (
            None if packed is None else unpacked(packed, NODES, "the agent replaces them when it looks at Slurm again")
        )

    def write_node_list(
        self,
        document: bytes | None,
        *,
        as_of: datetime | None,
        error: tuple[int, str] | None,
        now: datetime,
        changes: Sequence[Change] = (),
    ) -> bool:
        """Records one attempt to read the node list, and what changed in it; whether it is another list.

        `as_of` is when Slurm last answered, and `error` the HTTP status and text of why it did not this time. Without
        a document the last good list stays; one that is in the database already is not written again.
        """
        status, message = error or (None, None)
        values: dict[str, Any] = {"list_tried_at": now.timestamp(), "list_status": status, "list_error": message}
        if as_of is not None:
            values["list_as_of"] = as_of.timestamp()
        packed = Packing().pack(document) if document is not None else b""
        # Looked for there, not remembered here: what was damaged since is not there.
        known = sa.select(pulse.c.list_revision > 0).scalar_subquery()
        same = sa.select(node_list.c.id).where(node_list.c.document == packed, known)
        with self._db.write() as db:
            is_new = document is not None and db.scalar(same) is None
            if is_new:
                db.execute(self._db.upsert(node_list, "id"), [{"id": 1, "document": packed}])
                values["list_revision"] = pulse.c.list_revision + 1
            db.execute(sa.update(pulse).values(**values))
            self.changes.add(db, changes)
        return is_new

    def want_node_list(self, now: datetime) -> None:
        """Asks the agent for a node list read after `now`."""
        with self._db.write() as db:
            db.execute(sa.update(pulse).values(list_wanted_at=now.timestamp()))

    # ---- the agent ----

    def claim(self, pid: int, name: str, now: datetime, is_gone: Callable[[Pulse], bool]) -> Pulse | None:
        """Makes this process the agent of the database, unless another one is; that one's pulse, else None.

        `is_gone` says whether the agent of a pulse is dead. Looking and taking over are one transaction, so of two
        agents that start together one is refused.
        """
        with self._db.write() as db:
            found = _pulse(db.execute(_PULSE).one_or_none())
            if not is_gone(found):
                return found
            db.execute(sa.update(pulse).values(agent_pid=pid, agent_name=name, agent_beat_at=now.timestamp()))
        return None

    def beat(self, pid: int, name: str, now: datetime) -> bool:
        """Records that the agent is alive; False when another process has become the agent."""
        mine = (pulse.c.agent_pid == pid) & (pulse.c.agent_name == name)
        with self._db.write() as db:
            beaten = db.execute(sa.update(pulse).where(mine).values(agent_beat_at=now.timestamp()))
            return beaten.rowcount == 1


UNREADABLE = -1
"""A revision in whose place something else stands: there is a list, and the next one has another revision."""


def _pulse(row: Any) -> Pulse:
    """The pulse of the one row. A revision that is no number is UNREADABLE. Raises StoreEmpty where there is no row."""
    if row is None:
        raise StoreEmpty
    values: dict[str, Any] = {k: to_time(v) if k in _TIMES else v for k, v in row._mapping.items()}
    if not isinstance(values["list_revision"], int):
        values["list_revision"] = UNREADABLE
    return Pulse(**values)
