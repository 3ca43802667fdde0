"""When everything that can break something is to stop: too many hard actions, or too many that ended badly.

The breaker opens by itself and is closed by a person only. What was before a person closed it no longer counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from botd.acting.limits import Breaker, parse_share
from botd.acting.moves import State

HOUR = timedelta(minutes=60)
LAST = 10

BAD = frozenset({State.FAILED, State.UNKNOWN})
"""Ends of an action that was sent. One that nobody knows the end of is as bad as one that failed."""


class Ending(NamedTuple):
    """When an action that was sent ended, and whether badly."""

    at: datetime
    is_bad: bool


def why_open(
    limits: Breaker,
    nodes: int | None,
    hard: Iterable[datetime] | None,
    endings: Iterable[Ending] | None,
    now: datetime,
    since: datetime | None = None,
    people: Iterable[datetime] = (),
) -> str:
    """Why it opens, in words; empty where nothing opens it. `since` is when a person closed it last.

    `hard` are the times of botd's hard actions, `people` those of what people did by themselves. What is not known
    opens it.
    """
    if nodes is None or hard is None or endings is None:
        return "what was done lately is not known"
    counted, theirs = (
        sum(1 for at in times if at > now - HOUR and (since is None or at > since)) for times in (hard, people)
    )
    most = parse_share(limits.hard_in_60min).of(nodes)
    if counted + theirs > most:
        words = f"{counted + theirs} hard actions in 60 min, of which there may be {most}"
        return words + (f"; of these {theirs} by people" if theirs else "")
    last = sorted(ending for ending in endings if since is None or ending.at > since)[-LAST:]
    bad = sum(ending.is_bad for ending in last)
    # With 0 nothing may end badly: the first that does opens it.
    return f"{bad} of the last {len(last)} actions ended badly" if bad >= max(1, limits.bad_of_last_10) else ""
