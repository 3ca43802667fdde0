"""The copy of the audit that the store has: what the agent has told, as far as it can be read.

Whoever can write the store can write here: this shows, and `botd audit verify` on the agent's machine proves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from botd.audit import Checkpoint, canonical, read_checkpoint
from botd.documents import Time
from botd.errors import NotFound, StoreDamaged
from botd.store import Store
from botd.text import is_number

PAGE = 100

_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class AuditRowDocument(TypedDict):
    """A row of the audit: who did what, to whom or what, and why. `hash` covers all rows up to it."""

    number: int
    at: Time
    kind: str
    by: str
    about: str
    words: str
    detail: dict[str, str | int]
    hash: str


class CheckpointDocument(TypedDict):
    """The signed head of the audit: how many rows there are, and the hash of the last."""

    size: int
    head: str
    at: Time
    key: str
    signature: str


@dataclass(frozen=True)
class AuditPage:
    """Some rows, newest first. `next` is the cursor of the page after this one, None at the end."""

    rows: Sequence[AuditRowDocument]
    next: int | None


def read_audit(store: Store, *, before: int | None = None, limit: int = PAGE) -> AuditPage:
    """One page of the audit. Raises StoreUnavailable, and StoreDamaged for a row that is none."""
    key = None if before is None else f"{before:012d}"
    found = store.copies.newest("audit", key, limit + 1)
    rows = [_row(key, document) for key, document in found.items()]
    return AuditPage(rows[:limit], rows[limit - 1]["number"] if len(rows) > limit else None)


def read_head(store: Store) -> CheckpointDocument:
    """The signed head that the agent has told last. Raises NotFound where there is none, StoreDamaged for another."""
    found = store.copies.get("ledger", "head")
    if found is None:
        raise NotFound("no head of the audit has been signed yet; an agent that runs signs one within a minute")
    try:
        point: Checkpoint = read_checkpoint(canonical(found))
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreDamaged(f"the head of the audit in the database is none ({error}); the agent replaces it") from error
    return {"size": point.size, "head": point.head, "at": point.at, "key": point.key, "signature": point.signature}


def _row(key: str, found: Any) -> AuditRowDocument:
    """A row as the agent has written it. Raises StoreDamaged for anything else."""
    texts = ("at", "kind", "by", "about", "words", "hash")
    if (
        not isinstance(found, dict)
        or set(found) != {*texts, "number", "detail"}
        or not all(isinstance(found[name], str) for name in texts)
        or not isinstance(found["number"], int)
        or f"{found['number']:012d}" != key
        or not _AT.fullmatch(found["at"])
        or not _is_detail(found["detail"])
    ):
        raise StoreDamaged(f"row {key} of the audit in the database is none; an agent that starts writes it anew")
    return found  # type: ignore[return-value]


def _is_detail(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(value, str) or is_number(value) for value in found.values())
