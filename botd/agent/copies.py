"""Copies in the store of what the agent knows: kept as they were told, because others can write there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botd.errors import StoreDamaged
from botd.store import Store


def set_copies(store: Store, kind: str, documents: Mapping[str, Any]) -> None:
    """Makes these the copies of a kind: what others put there goes, and what is damaged. Raises StoreUnavailable."""
    try:
        there = store.copies.all(kind)
    except StoreDamaged:
        store.copies.clear(kind)
        there = {}
    if changed := {key: document for key, document in documents.items() if there.get(key) != document}:
        store.copies.put(kind, changed)
    if gone := [key for key in there if key not in documents]:
        store.copies.drop(kind, *gone)
