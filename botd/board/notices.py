"""How many notices went out, as the agent has told."""

from __future__ import annotations

from botd.store import Store
from botd.text import is_number

WAYS = ("command", "webhook", "mail")

OUTCOMES = ("sent", "failed")


def count_notices(store: Store) -> dict[tuple[str, str], float]:
    """Counts by way and outcome. What is no count is left out: others may write there. Raises StoreUnavailable."""
    told = store.copies.all("notices")
    return {
        (way, outcome): float(counts[outcome])
        for way in WAYS
        if isinstance(counts := told.get(way), dict)
        for outcome in OUTCOMES
        if is_number(counts.get(outcome)) and 0 <= counts[outcome] < 2**53
    }
