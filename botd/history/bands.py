"""The history as a client asks for it: pages of changes, repeat offenders, and bands of states for plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from botd.model import Change


@dataclass(frozen=True)
class Band:
    """A time in which a subject had one word."""

    begin: datetime
    end: datetime
    word: str


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
