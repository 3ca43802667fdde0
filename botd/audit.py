"""The record of what was done and refused: a chain of rows, each with the hash of all before it, and its signed heads.

A row is a line of canonical JSON, and its hash `sha256(previous hash + that line)`: who alters or takes out a row must
alter every one behind it. Who can write the ledger can do that too, and can cut off the end; so the head of the chain
is signed again and again and put where he cannot reach it. Pure: nothing is read or written here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from nacl.encoding import HexEncoder
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from botd.documents import iso
from botd.text import escaped

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "ledger-made": "the ledger was made",
        "keys-made": "keys were made, because there were none",
        "keys-rotated": "the keys were exchanged",
        "backup": "a backup was made",
        "rearm": "acting was allowed again",
        "user-added": "a person was added",
        "user-removed": "a person was removed",
        "user-roles": "a person's roles were changed",
        "user-locked": "a person was locked",
        "user-unlocked": "a person was unlocked",
        "password-set": "a password was set",
        "otp-set": "a second factor was set",
        "roles-changed": "another roles file counts",
        "login": "logged in",
        "login-failed": "a login was refused",
        "locked-out": "locked out after failures",
        "logout": "logged out",
        "session-revoked": "a session was ended",
        "token-made": "a token was made",
        "token-revoked": "a token was ended",
        "proof-used": "a proof was accepted",
        "proof-refused": "a proof was refused",
        "tailed": "a log of a node was followed",
        "press-refused": "a press was refused, and nothing was changed",
        "action-requested": "an action was asked for",
        "action-queued": "an action waits for its turn",
        "action-awaiting": "an action waits for a second person",
        "action-approved": "a second person agreed to an action",
        "action-reserved": "an action has its node, and is counted",
        "action-announced": "an action was announced",
        "action-re-read": "an action looks at its node once more",
        "action-sending": "an action is about to be sent",
        "action-sent": "an action was sent",
        "action-verifying": "an action is read back",
        "action-succeeded": "an action succeeded",
        "action-failed": "an action failed",
        "action-unknown": "an action may have happened",
        "action-would-have": "an action would have been sent; this was a dry run",
        "action-refused": "an action was refused",
        "action-expired": "an action was not taken up in time",
        "action-vetoed": "a person was against an action",
        "action-harm": "a person has said that an action did harm",
        "action-not-it": "a person has said that what became of a node was not the action's doing",
        "action-seen": "a person has looked at what came of an action",
        "action-remark": "what else became of an action",
        "bmc-learnt": "a BMC answered for a node for the first time",
        "stopped": "acting was stopped",
        "stop-ended": "the stop was ended",
        "breaker-opened": "the breaker opened",
        "breaker-closed": "the breaker was closed",
    }
)
"""Every kind of row, and what it says."""

LIMIT = 500
"""Characters of one text of a row that are kept."""

GENESIS = "0" * 64
"""What the first row follows."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be recorded: who did it, to whom or what, why in words, and figures. No secret stands in any of it.

    `by` is a login, `agent`, or `kmf (command line)`; empty where nobody is known.
    """

    kind: str
    by: str = ""
    about: str = ""
    words: str = ""
    detail: Mapping[str, str | int] = field(default_factory=dict)


class Row(NamedTuple):
    """A row of the chain. `document` is the text that was hashed."""

    number: int
    document: str
    hash: str


class Checkpoint(NamedTuple):
    """The head of the chain at one time, signed: how many rows there are, and the hash of the last."""

    size: int
    head: str
    at: str
    key: str
    signature: str


class Verdict(NamedTuple):
    """What became of a chain: how many rows hold together, which one is the first that does not, and why in words."""

    size: int
    head: str
    broken_at: int | None = None
    why: str = ""
    notes: tuple[str, ...] = ()


def next_row(last: Row | None, event: Event, at: datetime) -> Row:
    """The row that follows the last one of a chain. Raises ValueError for a kind that there is none of."""
    if event.kind not in KINDS:
        raise ValueError(f"no kind of row: {event.kind}")
    number = last.number + 1 if last else 1
    document = canonical(
        {
            "number": number,
            "at": iso(at),
            "kind": event.kind,
            "by": _tame(event.by),
            "about": _tame(event.about),
            "words": _tame(event.words),
            "detail": {name: _tame(value) if isinstance(value, str) else value for name, value in event.detail.items()},
        }
    )
    return Row(number, document, chained(last.hash if last else GENESIS, document))


def chained(previous: str, document: str) -> str:
    """The hash of a row."""
    return hashlib.sha256((previous + document).encode()).hexdigest()


def canonical(value: Mapping[str, Any]) -> str:
    """The one way to write a document as JSON: sorted, without spaces, in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _tame(text: str) -> str:
    """A text from outside as a row has it: cut, with a number for what is not printable."""
    return escaped(text[:LIMIT])


# ---- checkpoints ----


def make_checkpoint(size: int, head: str, at: datetime, key: SigningKey) -> Checkpoint:
    """The head of a chain, signed."""
    text = _signed_text(size, head, iso(at))
    return Checkpoint(size, head, iso(at), key_text(key.verify_key), sign(key, text))


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a line of JSON, whose own signature is right. Raises ValueError for anything else."""
    found = json.loads(text)
    if not isinstance(found, dict) or set(found) != set(Checkpoint._fields):
        raise ValueError("no checkpoint")
    made = Checkpoint(**found)
    if not isinstance(made.size, int) or not all(isinstance(part, str) for part in made[1:]):
        raise ValueError("no checkpoint")
    if not is_signed(made.key, _signed_text(made.size, made.head, made.at), made.signature):
        raise ValueError("a checkpoint with a wrong signature")
    return made


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The checkpoint as a line of JSON."""
    return canonical(checkpoint._asdict())


def sign(key: SigningKey, text: str) -> str:
    """An Ed25519 signature, in hexadecimal."""
    return str(key.sign(text.encode(), encoder=HexEncoder).signature.decode())


def is_signed(key: str, text: str, signature: str) -> bool:
    """Whether a key, in hexadecimal, has signed a text. What is no key and no signature has signed nothing."""
    try:
        VerifyKey(bytes.fromhex(key)).verify(text.encode(), bytes.fromhex(signature))
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


def key_text(key: VerifyKey) -> str:
    """A public key in hexadecimal."""
    return bytes(key).hex()


def _signed_text(size: int, head: str, at: str) -> str:
    return canonical({"size": size, "head": head, "at": at})


# ---- is it whole ----


def verify(rows: Iterable[Row], checkpoints: Sequence[Checkpoint] = ()) -> Verdict:
    """Whether a chain holds together, and with what was signed of it. The first fault counts.

    A restored ledger is whole where somebody has said so (`rearm`): what was lost then is a note.
    """
    reader = _Reader(checkpoints)
    for row in rows:
        if why := reader.take(row):
            return Verdict(reader.size, reader.head, reader.size + 1, why, tuple(reader.notes))
    broken_at, why = reader.what_is_missing()
    return Verdict(reader.size, reader.head, broken_at, why, tuple(reader.notes))


class _Reader:
    """Goes through a chain once."""

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        self.size, self.head = 0, GENESIS
        self.notes: list[str] = []
        self._keys: list[str] = []
        self._points = list(checkpoints)
        self._wrong: list[Checkpoint] = []

    def take(self, row: Row) -> str:
        """Reads one row; what is wrong with it, empty where nothing."""
        if row.number != self.size + 1:
            return f"row {self.size + 1} is missing"
        try:
            if chained(self.head, row.document) != row.hash:
                return f"row {row.number} is not what was written, or one before it is not"
            why = self._mark(json.loads(row.document), row.number)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return f"row {row.number} cannot be read"
        if not why:
            self.size, self.head = row.number, row.hash
            self._wrong += [p for p in self._points if p.size == row.number and p.head != row.hash]
        return why

    def _mark(self, document: Mapping[str, Any], number: int) -> str:
        """Takes note of keys, and of what a person has said of a loss."""
        detail = document["detail"]
        if document["number"] != number:
            return f"row {number} says that it is another one"
        if document["kind"] in ("ledger-made", "keys-made"):
            self._keys.append(detail["key"])
            if self._keys[1:]:
                self.notes.append(f"row {number}: {KINDS['keys-made']}")
        elif document["kind"] == "keys-rotated":
            if not is_signed(self._keys[-1], detail["key"], detail["signature"]):
                return f"row {number}: the new key is not signed by the one before"
            self._keys.append(detail["key"])
        elif document["kind"] == "rearm" and "lost_head" in detail:
            self._forgive(detail["lost_head"], number, detail["lost_size"])
        return ""

    def _forgive(self, lost_head: str, number: int, lost_size: int) -> None:
        """Checkpoints up to the one that a person has named are of rows that were lost with an older ledger."""
        index = next((i for i, point in enumerate(self._points) if point.head == lost_head), -1)
        lost = [p for p in self._points[: index + 1] if p in self._wrong or p.size >= number]
        self._points = [point for point in self._points if point not in lost]
        self._wrong = [point for point in self._wrong if point not in lost]
        self.notes.append(f"row {number}: a person has said that rows up to {lost_size} were lost, and why")

    def what_is_missing(self) -> tuple[int | None, str]:
        """The first row that a checkpoint knows and the chain does not, and what is wrong."""
        strange = next((point for point in self._points if point.key not in self._keys), None)
        wrong = min(self._wrong, key=lambda point: point.size, default=None)
        cut = min((p for p in self._points if p.size > self.size), key=lambda point: point.size, default=None)
        if wrong:
            return wrong.size, f"row {wrong.size} was another one when it was signed at {wrong.at}"
        if cut:
            return self.size + 1, f"rows {self.size + 1} to {cut.size} are missing, which were signed at {cut.at}"
        if strange:
            return (
                strange.size,
                f"the checkpoint of row {strange.size} is signed with a key that the chain does not name",
            )
        return None, ""


def lines(text: str) -> Iterator[Checkpoint]:
    """The checkpoints of a file, in its order. Raises ValueError naming the line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            yield read_checkpoint(line)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"line {number} is no checkpoint") from error
