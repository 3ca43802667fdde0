"""What the agent has told of actions: the newest of them, what everything waits for, and what was spent.

Whoever can write the store can write here: it shows, and nothing is decided by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botd.acting.moves import TERMINAL, State
from botd.acting.told import ActionDocument, SpendDocument, SwitchesDocument
from botd.documents import has_shape, iso
from botd.errors import StoreDamaged, UnknownAction
from botd.store import Store

PAGE = 100

READ_AT_ONCE = 200

MOST = 1000
"""Actions that the agent tells of, the newest."""

MOST_SPENT = 20_000
"""Spends of a week that are counted: the caps let nobody spend as many."""

Takes = Callable[[Mapping[str, Any]], bool]
"""Whether what may be an action is wanted."""


@dataclass(frozen=True)
class Wanted:
    """Which actions are wanted; None is all of them. `since` is when they were asked for at the earliest."""

    nodes: frozenset[str] | None = None
    states: frozenset[str] | None = None
    login: str | None = None
    action: str | None = None
    batch: str | None = None
    since: datetime | None = None

    def takes(self, each: Mapping[str, Any]) -> bool:
        """Whether what may be an action is one of them."""
        return (
            all(getattr(self, name) in (None, each.get(name)) for name in ("login", "action", "batch"))
            and (self.nodes is None or str(each.get("node")) in self.nodes)
            and (self.states is None or str(each.get("state")) in self.states)
            and (self.since is None or str(each.get("asked_at")) >= iso(self.since))
        )


@dataclass(frozen=True)
class ActionsPage:
    """Some actions, newest first. `next` is the cursor of the page after this one, None at the end."""

    actions: Sequence[ActionDocument]
    next: int | None


def read_actions(store: Store, wanted: Wanted, *, before: int | None = None, limit: int = PAGE) -> ActionsPage:
    """One page of the actions that are wanted. Raises StoreUnavailable, and StoreDamaged for what is no action."""
    found = list(islice(_newest(store, wanted.takes, before), limit + 1))
    return ActionsPage(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def read_action(store: Store, number: int) -> ActionDocument:
    """The action of an id. Raises UnknownAction, StoreUnavailable."""
    key = _key(number)
    found = store.copies.get("action", key)
    if found is None:
        raise UnknownAction(f"there is no action {number}, or it is too long ago: GET /api/v2/audit has all of them")
    return _action(key, found)


def read_switches(store: Store) -> SwitchesDocument | None:
    """What everything waits for; None where no agent has told of it. Raises StoreUnavailable."""
    found = store.copies.get("switches", "now")
    if found is not None and not has_shape(SwitchesDocument, found):
        raise _damaged("what stops actions")
    told: SwitchesDocument | None = found
    return told


def read_spends(store: Store) -> list[SpendDocument]:
    """What was spent in the last 7 days. Raises StoreUnavailable."""
    found = list(store.copies.newest("spend", None, MOST_SPENT).values())
    if not all(has_shape(SpendDocument, each) for each in found):
        raise _damaged("what actions have spent")
    return found


def read_unsettled(store: Store) -> list[ActionDocument]:
    """The actions that have not ended, or may have happened without anybody having looked since; newest first."""
    return list(_newest(store, _is_unsettled))


def _is_unsettled(action: Mapping[str, Any]) -> bool:
    return str(action.get("state")) not in TERMINAL or is_unseen(action)


def may_have_happened(action: Mapping[str, Any]) -> bool:
    """Whether nobody knows if it was done, and nobody has looked since."""
    return action.get("state") == State.UNKNOWN and not action.get("seen_by")


def met_other_bmc(action: Mapping[str, Any]) -> bool:
    """Whether it found another BMC than last time, and nobody has looked since."""
    return action.get("state") == State.FAILED and action.get("code") == "other-bmc" and not action.get("seen_by")


def is_unseen(action: Mapping[str, Any]) -> bool:
    """Whether a person has to look at what came of it."""
    return may_have_happened(action) or met_other_bmc(action)


def count_actions(store: Store) -> Counter[tuple[str, str]]:
    """How many of the newest actions there are, by name and state. Raises StoreUnavailable, StoreDamaged."""
    return Counter((each["action"], each["state"]) for each in _newest(store, lambda _: True))


def is_over(action: ActionDocument) -> bool:
    """Whether nothing more comes of it."""
    return action["state"] in TERMINAL


def _newest(store: Store, takes: Takes, before: int | None = None) -> Iterator[ActionDocument]:
    """The actions before an id, or all, that are taken. They are read as they are wanted, and looked at if taken."""
    key, left = None if before is None else _key(before), MOST
    while left > 0 and (found := store.copies.newest("action", key, min(left, READ_AT_ONCE))):
        for name, document in found.items():
            if not isinstance(document, dict) or takes(document):
                yield _action(name, document)
        key, left = list(found)[-1], left - len(found)


def _action(key: str, found: Any) -> ActionDocument:
    if not has_shape(ActionDocument, found) or _key(found["id"]) != key:
        raise _damaged(f"action {key}")
    told: ActionDocument = found
    return told


def _key(number: int) -> str:
    return f"{number:012d}"


def _damaged(what: str) -> StoreDamaged:
    return StoreDamaged(f"{what} in the database is not what an agent tells; it puts that right within seconds")
