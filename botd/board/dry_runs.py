"""Dry runs, each beside what people did to its node afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypedDict

from botd.acting.moves import State
from botd.acting.told import ActionDocument
from botd.advice.pilot import READ, compare, deed_words
from botd.board.actions import MOST, Wanted, read_actions
from botd.documents import Time, iso
from botd.model import Change
from botd.store import Store


class DryRunDocument(TypedDict):
    """A dry run that came to its end: `would_have` was done, and what people `did` within 24 h, oldest first.

    `agrees` is `same`, `other`, `nothing`, `open` until the day is over, or `not seen` for what leaves no trace.
    `did_at` and `did_by` are of the first of it, null and empty where nothing was done, or nobody is named.
    """

    id: int
    at: Time
    node: str
    action: str
    login: str
    would_have: str
    agrees: str
    did: str
    did_at: Time | None
    did_by: str


def read_dry_runs(
    store: Store,
    nodes: frozenset[str] | None,
    since: datetime,
    now: datetime,
    words: Callable[[ActionDocument], str],
) -> list[DryRunDocument]:
    """The dry runs of these nodes, of all where it is None, newest first; `words` says what one would have done.

    Raises StoreUnavailable, StoreDamaged.
    """
    wanted = Wanted(nodes=nodes, states=frozenset({State.WOULD_HAVE}), since=since)
    found = read_actions(store, wanted, limit=MOST).actions
    names = {each["node"] for each in found}
    happened: dict[str, list[Change]] = {name: [] for name in names}
    for change in store.changes.about(names, READ, since) if names else ():
        happened[change.node].append(change)
    return [_document(each, happened[each["node"]], now, words(each)) for each in found]


def _document(action: ActionDocument, changes: Sequence[Change], now: datetime, words: str) -> DryRunDocument:
    at = datetime.fromisoformat(action["changed_at"])
    deeds, agrees = compare(action["action"], at, changes, now)
    return {
        "id": action["id"],
        "at": action["changed_at"],
        "node": action["node"],
        "action": action["action"],
        "login": action["login"],
        "would_have": words,
        "agrees": agrees,
        "did": ", ".join(deed_words(each, at) for each in deeds),
        "did_at": iso(deeds[0].at) if deeds else None,
        "did_by": deeds[0].by if deeds else "",
    }
