"""The history as a client asks for it: pages of changes, repeat offenders, and bands of states for plots."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botd.errors import BadRequest
from botd.history.incidents import INCIDENT_SUBJECTS, Offender, offenders
from botd.model import Change
from botd.store import Store

PAGE = 100

_AGE = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Span:
    """A time from `since` to `until`; None is open."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Some changes, newest first. `next` is the cursor of the page after this one, None at the end.

    A cursor is the id of a change: what is recorded meanwhile moves no page.
    """

    changes: Sequence[Change]
    next: int | None


@dataclass(frozen=True)
class Band:
    """A time in which a subject had one word."""

    begin: datetime
    end: datetime
    word: str


def moment(name: str, text: str | None, now: datetime) -> datetime | None:
    """The time that a parameter names: ISO 8601, in UTC where it says no zone, or an age before `now` such as `12h`.

    Raises BadRequest.
    """
    if text is None:
        return None
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        hint = "a time such as 2026-11-23T08:00Z, or an age such as 30m, 12h, 7d"
        raise BadRequest(f'parameter "{name}": "{text[:40]}" is no time; give {hint}') from error


def read_page(
    store: Store, nodes: Collection[str] | None, span: Span, *, before: int | None = None, limit: int = PAGE
) -> Page:
    """One page of the changes of these nodes, of all where it is None. Raises StoreUnavailable."""
    found = store.changes.page(nodes=nodes, since=span.since, until=span.until, before=before, limit=limit + 1)
    more = len(found) > limit
    return Page(found[:limit], found[limit - 1].id if more else None)


def read_offenders(store: Store, nodes: Collection[str] | None, since: datetime) -> list[Offender]:
    """The nodes with incidents since then, most first. Raises StoreUnavailable."""
    changes = store.changes.bad_since(since, INCIDENT_SUBJECTS)
    return offenders(change for change in changes if nodes is None or change.node in nodes)


def bands(changes: Sequence[Change], word_now: str, since: datetime, now: datetime) -> list[Band]:
    """The words that one subject had from `since` until now, oldest first, by its changes, newest first."""
    return list(reversed(list(_backwards(changes, word_now, since, now))))


def _backwards(changes: Sequence[Change], word_now: str, since: datetime, now: datetime) -> Iterator[Band]:
    end, word = now, word_now
    for change in changes:
        begin = max(since, min(change.at, end))
        yield Band(begin, end, word)
        if begin <= since:
            return
        end, word = begin, change.old
    yield Band(since, end, word)
