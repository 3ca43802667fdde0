"""The ledger: the agent's own database, which the web part cannot open.

It has people and what they prove themselves with, what they hold, and the audit. It lies in a directory that nobody
but the agent and root can write. Where it is damaged, restored, unwritable or in a wrong place nothing acts, and what
reads nodes goes on: every transaction is LedgerUnavailable, and `state` says why in words.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from botd.errors import ConfigError, LedgerUnavailable, StoreUnavailable
from botd.ledger.meta import Meta
from botd.ledger.place import check_place, make_place
from botd.ledger.schema import LEDGER, SCHEMA
from botd.settings import Config
from botd.sql.damage import find_damage
from botd.sql.database import Database
from botd.sql.migrate import upgrade

__all__ = ["Ledger", "LedgerState", "Transaction"]

Transaction = sa.Connection
"""What a caller hands on to the parts of the ledger, so that what it does and the audit of it are one."""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """Whether the ledger can be acted by. `why` says in words what keeps it from that; empty where nothing does."""

    why: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether anything may act."""
        return not self.why


class Ledger:
    """One ledger. Every transaction is whole or not at all; what it cannot do is LedgerUnavailable."""

    def __init__(self, config: Config) -> None:
        """Opens nothing yet. Raises ConfigError for a URL that is no file of SQLite's."""
        self._db = Database(config, config.ledger.url, LEDGER, synchronous="FULL")
        if self._db.path is None:
            raise ConfigError(f'{LEDGER.setting} must begin with "sqlite:///" and a file: its keys lie beside it')
        self.path = self._db.path.absolute()
        self.meta = Meta(self._db)
        self._opening = threading.Lock()
        self._is_open = False

    def open(self) -> None:
        """Makes the file and the tables, or brings those of an older botd up to date. Raises LedgerUnavailable.

        A damaged ledger is left where it is: what becomes of it is for a person to say.
        """
        with self._opening:
            if not self._is_open:
                with _in_words():
                    self._make()
                self._is_open = True

    def _make(self) -> None:
        make_place(self.path)
        check_place(self.path)
        if damage := find_damage(self.path):
            raise LEDGER.damaged(damage)
        with self._db.write() as db:
            upgrade(db, SCHEMA)

    def close(self) -> None:
        """Gives the connections back."""
        self._db.close()
        self._is_open = False

    def state(self, now: datetime) -> LedgerState:
        """Whether the ledger can be acted by at this moment: it is looked at, and written to."""
        try:
            self.open()
            with self.write() as db:
                self.meta.set(db, "looked_at", str(now.timestamp()))
        except LedgerUnavailable as error:
            return LedgerState(str(error))
        return LedgerState()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that reads."""
        self.open()
        check_place(self.path)
        with _in_words(), self._db.read() as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that commits at the end, to the disk, and rolls back on any error."""
        self.open()
        check_place(self.path)
        with _in_words(), self._db.write() as db:
            yield db


@contextmanager
def _in_words() -> Iterator[None]:
    """What the database cannot do, as one error of ours. A ledger of a newer botd is one that cannot be used."""
    try:
        yield
    except (ConfigError, StoreUnavailable) as error:
        raise LedgerUnavailable(str(error)) from error
