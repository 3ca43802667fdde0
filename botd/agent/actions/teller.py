"""What the agent tells of actions, for the web part to show: told when one moved, and mended where others wrote."""

from __future__ import annotations

from typing import Any, cast

from botd.access.judge import why_in_doubt
from botd.acting.caps import LONGEST
from botd.acting.halts import why_no_clock
from botd.acting.told import ActionDocument, SpendDocument, SwitchesDocument
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Kit
from botd.agent.copies import set_copies
from botd.agent.life import Due
from botd.documents import iso
from botd.ledger import Transaction
from botd.ledger.actions import Spent, Stored
from botd.store import Store

KEPT = 1000
"""Actions that are told: the newest."""

MEND_S = 10.0
SWITCHES_S = 2.0
"""How often it is looked at what stops everything, beside each move: the clock, a storm and a file make none."""


class Teller:
    """Keeps the copies true. Belongs to one thread."""

    def __init__(self, kit: Kit, judge: Judge, store: Store) -> None:
        self._kit = kit
        self._judge = judge
        self._store = store
        self._head = -1  # the row of the audit up to which all is told
        self._stored: dict[int, Stored] = {}
        self._documents: dict[int, ActionDocument] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._mend_due, self._switches_due = Due(MEND_S), Due(SWITCHES_S)

    def tell(self) -> None:
        """Tells what is new, and mends the copies once in a while. Raises LedgerUnavailable, StoreUnavailable."""
        with self._kit.ledger.read() as db:
            last = self._kit.ledger.chain.last(db)
            head = last.number if last else 0
            has_moved = head != self._head
            found = {"action": self._actions(db), "spend": self._spends(db)} if has_moved else {}
            if has_moved or self._switches_due.now():
                found["switches"] = {"now": self._switches(db)}
        for kind, documents in found.items():
            self._put(kind, documents)
        if self._mend_due.now():
            for kind, told in self._told.items():
                set_copies(self._store, kind, told)
        self._head = head

    def _put(self, kind: str, documents: dict[str, Any]) -> None:
        """Tells those that are new, or other than they were told. What fails here is told again."""
        told = self._told.get(kind, {})
        if new := {key: document for key, document in documents.items() if told.get(key) != document}:
            self._store.copies.put(kind, new)
        if gone := told.keys() - documents.keys():
            self._store.copies.drop(kind, *gone)
        self._told[kind] = documents

    def _actions(self, db: Transaction) -> dict[str, Any]:
        """The newest actions. The moves of one that has not moved are not read again."""
        found = self._kit.ledger.actions.newest(db, KEPT)
        for each in found:
            if self._stored.get(each.id) != each:
                self._documents[each.id] = self._document(db, each)
        self._stored = {each.id: each for each in found}
        self._documents = {number: self._documents[number] for number in self._stored}
        return {_key(number): document for number, document in self._documents.items()}

    def _document(self, db: Transaction, stored: Stored) -> ActionDocument:
        told = stored._asdict()
        plain = {name: told[name] for name in _AS_THEY_ARE}
        moves = [{**made._asdict(), "at": iso(made.at)} for made in self._kit.ledger.actions.moves(db, stored.id)]
        times = {name: iso(told[name]) for name in ("asked_at", "changed_at", "sent_at")}
        more = {"dry": stored.is_dry, "certain": stored.is_certain, "moves": moves}
        return cast(ActionDocument, {**plain, **times, **more})

    def _spends(self, db: Transaction) -> dict[str, Any]:
        since = self._kit.clock() - LONGEST
        return {
            _key(each.id): _spend(each, is_dry=is_dry)
            for is_dry in (False, True)
            for each in self._kit.ledger.actions.spent(db, since, is_dry=is_dry)
        }

    def _switches(self, db: Transaction) -> SwitchesDocument:
        kit, state = self._kit, self._kit.roles()
        return {
            "mode": kit.config.actions.mode,
            "stop": self._judge.why_stopped(db),
            "breaker": kit.ledger.switches.breaker(db),
            "storm": self._judge.why_storm(),
            "clock": why_no_clock(kit.config.actions.clock, kit.is_synchronised()),
            "ledger": UNKNOWN if (why := kit.why_no_ledger()) is None else why,
            "roles": state.fault or why_in_doubt(state.roles, kit.places()),
        }


UNKNOWN = "it was not looked at yet"

_AS_THEY_ARE = (
    *("id", "nonce", "batch", "action", "weight", "node", "login", "reason", "evidence"),
    *("proof", "state", "code", "words", "seen_by"),
)


def _spend(spent: Spent, *, is_dry: bool) -> SpendDocument:
    return {
        "node": spent.node,
        "action": spent.action,
        "weight": spent.weight,
        "login": spent.login,
        "role": spent.role,
        "incident": spent.incident,
        "free": spent.is_free,
        "sent": spent.was_sent,
        "dry": is_dry,
        "at": iso(spent.at),
    }


def _key(number: int) -> str:
    """The key of an action, so that keys sort as ids do."""
    return f"{number:012d}"
