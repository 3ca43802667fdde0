"""The ledger: the agent's own database, which the web part cannot open.

It has people and what they prove themselves with, what they hold, actions, and the audit. It lies in a directory that
nobody but the agent and root can write. Where it is damaged, restored, unwritable or in a wrong place nothing acts, and
what reads nodes goes on: every transaction is LedgerUnavailable, and `state` says why in words.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from botd.audit import Checkpoint, Event, key_text, make_checkpoint, sign
from botd.config import resolve_path
from botd.documents import iso
from botd.errors import BadRequest, ConfigError, LedgerUnavailable, StoreUnavailable
from botd.ledger.actions import Actions
from botd.ledger.bmcs import Bmcs
from botd.ledger.chain import Chain
from botd.ledger.checkpoints import Checkpoints
from botd.ledger.holdings import Holdings
from botd.ledger.keys import Keys, key_file, new_keys, publish, read_keys, write_keys
from botd.ledger.lockouts import Lockouts, Nonces
from botd.ledger.meta import Meta
from botd.ledger.outcomes import Outcomes
from botd.ledger.people import People
from botd.ledger.place import check_place, make_place
from botd.ledger.schema import LEDGER, SCHEMA
from botd.ledger.switches import Switches
from botd.settings import Config
from botd.sql.damage import find_damage
from botd.sql.database import Database
from botd.sql.migrate import upgrade

__all__ = ["Ledger", "LedgerState", "Transaction"]

Transaction = sa.Connection
"""What a caller hands on to the parts of the ledger, so that what it does and the audit of it are one."""

REARM = "`botd rearm REASON` allows acting again"

LONGEST_WAIT_S = 30.0
"""How long a transaction waits for another one of this process: each takes milliseconds, a sync of a sick disk more."""


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
        self.chain = Chain()
        self.checkpoints = Checkpoints(resolve_path(config, config.ledger.checkpoints).absolute())
        self.people = People(self._db)
        self.holdings = Holdings()
        self.lockouts = Lockouts(self._db)
        self.nonces = Nonces(self._db)
        self._meta = Meta(self._db)
        self.actions = Actions(self.chain)
        self.outcomes = Outcomes(self.chain)
        self.bmcs = Bmcs(self.chain)
        self.switches = Switches(self._meta, self.chain)
        self._public = resolve_path(config, config.ledger.public_key).absolute()
        self._opening = threading.Lock()
        self._writing = threading.RLock()
        self._is_open = False
        self._seen: Checkpoint | None = None  # what this process saw last, which nobody has signed

    # ---- the file ----

    def open(self, now: datetime) -> None:
        """Makes the file, the tables and the keys, or brings what is there up to date. Raises LedgerUnavailable.

        A damaged ledger is left where it is: what becomes of it is for a person to say.
        """
        with self._opening:
            if not self._is_open:
                with _in_words():
                    self._make(now)
                self._is_open = True

    def _make(self, now: datetime) -> None:
        make_place(self.path)
        check_place(self.path)
        if damage := find_damage(self.path):
            raise LEDGER.damaged(damage)
        with self._db.write() as db:
            upgrade(db, SCHEMA)
            if self.chain.last(db) is None:
                self._name_key(db, Event("ledger-made", "agent"), self._found_or_new_keys(), now)

    def close(self) -> None:
        """Gives the connections back."""
        self._db.close()
        self._is_open = False

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that reads."""
        self._check_open()
        with _in_words(), self._db.read() as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that commits at the end, to the disk, and rolls back on any error.

        Those of one process wait for each other here: to wait within SQLite each would hold a connection, of which who
        writes may need one more to read. Raises LedgerUnavailable where another does not end within LONGEST_WAIT_S.
        """
        self._check_open()
        if not self._writing.acquire(timeout=LONGEST_WAIT_S):
            raise LedgerUnavailable(
                f"another transaction of this process has held the ledger for {LONGEST_WAIT_S:g} s: "
                "look for a slow disk below it, or start the agent again"
            )
        try:
            with _in_words(), self._db.write() as db:
                yield db
        finally:
            self._writing.release()

    def _check_open(self) -> None:
        if not self._is_open:
            raise LedgerUnavailable("the ledger is not open")
        check_place(self.path)

    # ---- may anything act ----

    def state(self, now: datetime, told: Checkpoint | None = None) -> LedgerState:
        """Whether the ledger can be acted by at this moment: it is looked at, and written to.

        `told` is a checkpoint that somebody else has kept. Once the ledger was found behind one, that stays so until
        somebody says `rearm`, whatever becomes of the checkpoints.
        """
        try:
            self.open(now)
            keys = self.keys()
            with self.write() as db:
                self._meta.set(db, "looked_at", iso(now))
                off = self._meta.get(db, "off") or self._behind(db, told, keys)
                self._meta.set(db, "off", off)
                why = off or self._strange_key(db, keys) or self._lost_file(db)
                if not off and (last := self.chain.last(db)):
                    self._seen = Checkpoint(last.number, last.hash, iso(now), "", "")
            publish(self._public, keys)
        except LedgerUnavailable as error:
            return LedgerState(str(error))
        return LedgerState(why)

    def _strange_key(self, db: Transaction, keys: Keys) -> str:
        if self._meta.get(db, "sign_key") == key_text(keys.sign.verify_key):
            return ""
        return f"the keys beside the ledger are not those that it names: put those of its backup there; {REARM}"

    def _lost_file(self, db: Transaction) -> str:
        if self.checkpoints.newest() or not self._meta.get(db, "signed"):
            return ""
        return f"the file of checkpoints, {self.checkpoints.path}, is gone: put it back; {REARM}"

    def _behind(self, db: Transaction, told: Checkpoint | None, keys: Keys) -> str:
        """Why the ledger is not the one that was signed last, empty where it is.

        What stands in the shared database anybody of the web part may have written, so its signature is looked at.
        """
        newest, since = self.checkpoints.newest(), self._meta.get(db, "rearmed_at")
        if told and told.key != key_text(keys.sign.verify_key):
            told = None
        for point in filter(None, (newest, told, self._seen)):
            if point.at >= since and self.chain.hash_at(db, point.size) != point.head:
                return (
                    f"the ledger is behind what it was at {point.at}, or is another one: row {point.size} of the audit "
                    f"is not what stood there then. If it was restored, {REARM}"
                )
        return ""

    def rearm(self, by: str, reason: str, now: datetime, told: Checkpoint | None = None) -> None:
        """Lets the ledger be acted by again, as it is, after somebody has looked. Raises BadRequest where it can be."""
        self.open(now)
        keys = self._found_or_new_keys()
        with self.write() as db:
            strange, behind = self._strange_key(db, keys), self._behind(db, told, keys) or self._meta.get(db, "off")
            if not (strange or behind or self._lost_file(db)):
                raise BadRequest("the ledger is what it was; nothing to allow again")
            if strange:
                self._name_key(db, Event("keys-made", by), keys, now)
            lost = self.checkpoints.newest() or told if behind else None
            detail: dict[str, str | int] = {"lost_size": lost.size, "lost_head": lost.head} if lost else {}
            self.chain.add(db, Event("rearm", by, words=reason, detail=detail), now)
            self._meta.set(db, "off", "")
            self._meta.set(db, "rearmed_at", iso(now))
        self.checkpoint(now)

    # ---- checkpoints ----

    def checkpoint(self, now: datetime) -> Checkpoint:
        """Signs the head of the audit and writes that into the file of checkpoints. Raises LedgerUnavailable."""
        keys = self.keys()
        with self.write() as db:
            last = self.chain.last(db)
            if last is None:
                raise LedgerUnavailable("the audit in the ledger is empty, which it never is")
            point = make_checkpoint(last.number, last.hash, now, keys.sign)
            self.checkpoints.append(point)
            self._meta.set(db, "signed", str(point.size))
        return point

    def unsigned(self) -> int:
        """How many rows there are behind the newest checkpoint."""
        with self.read() as db:
            last = self.chain.last(db)
            return (last.number if last else 0) - int(self._meta.get(db, "signed") or 0)

    # ---- keys ----

    def keys(self) -> Keys:
        """The keys of this moment. Raises LedgerUnavailable where there are none: they are made once."""
        found = read_keys(key_file(self.path))
        if found is None:
            raise LedgerUnavailable(
                f"there are no keys in {key_file(self.path)}: put those of the backup there; {REARM}"
            )
        return found

    def rotate(self, by: str, now: datetime) -> None:
        """Puts new keys in the place of the old ones, which sign them. Raises LedgerUnavailable.

        A ledger that was restored is refused: the checkpoint of the new keys would hide it.
        """
        if why := self.state(now).why:
            raise LedgerUnavailable(f"no new keys for a ledger that cannot be acted by: {why}")
        old = self.keys()
        new = old.rotated(now)
        signature = sign(old.sign, key_text(new.sign.verify_key))
        try:
            with self.write() as db:
                self._name_key(db, Event("keys-rotated", by, detail={"signature": signature}), new, now)
                self._put_keys(new)
        except LedgerUnavailable:
            self._put_keys(old)
            raise
        publish(self._public, new)
        self.checkpoint(now)

    def _name_key(self, db: Transaction, event: Event, keys: Keys, now: datetime) -> None:
        """Records with an event which key signs from here on."""
        key = key_text(keys.sign.verify_key)
        self.chain.add(db, Event(event.kind, event.by, detail={**event.detail, "key": key}), now)
        self._meta.set(db, "sign_key", key)

    def _found_or_new_keys(self) -> Keys:
        keys = read_keys(key_file(self.path))
        if keys is None:
            keys = new_keys()
            self._put_keys(keys)
        return keys

    def _put_keys(self, keys: Keys) -> None:
        try:
            write_keys(key_file(self.path), keys)
        except OSError as error:
            raise LedgerUnavailable(f"the keys cannot be written to {key_file(self.path)}: {error.strerror}") from error


@contextmanager
def _in_words() -> Iterator[None]:
    """What the database cannot do, as one error of ours. A ledger of a newer botd is one that cannot be used."""
    try:
        yield
    except (ConfigError, StoreUnavailable) as error:
        raise LedgerUnavailable(str(error)) from error
