"""Dry runs beside what people did to the same nodes in the day after them. Pure.

That a node was resumed, drained by a person, booted, or has its slurmd back stands in its history; who did it is told
for a drain alone, by the user that Slurm keeps with a reason. What nobody sees, such as a light, is not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from botd.advice.outcomes import WINDOW, is_a_persons
from botd.advice.rules import POWER_CYCLE, POWER_ON, RESTART_SLURMD, RESUME
from botd.history.changes import IN_SERVICE, NOT_LISTED, boot_time
from botd.model import BOOT, REASON, SLURM, Change, State

SLURMD = "slurmd"

READ = (SLURM, REASON, BOOT, SLURMD)
"""The subjects of the changes that it is read out of."""


class Did(StrEnum):
    """What somebody did to a node."""

    RESUMED = "resumed"
    DRAINED = "drained"
    BOOTED = "booted"
    SLURMD = "slurmd restarted"


class Agrees(StrEnum):
    """Whether people did what a dry run would have done. `open` until its day is over."""

    SAME = "same"
    OTHER = "other"
    NOTHING = "nothing"
    OPEN = "open"
    NOT_SEEN = "not seen"


SAME = MappingProxyType(
    {
        "drain": Did.DRAINED,
        RESUME: Did.RESUMED,
        RESTART_SLURMD: Did.SLURMD,
        POWER_ON: Did.BOOTED,
        POWER_CYCLE: Did.BOOTED,
    }
)
"""What people do that is the same as an action. What is not here leaves no trace in the history."""

_WORDS = MappingProxyType(
    {
        Agrees.SAME: "as people did",
        Agrees.OTHER: "they did something else",
        Agrees.NOTHING: "nothing happened",
        Agrees.OPEN: "whose day is not over",
        Agrees.NOT_SEEN: "of which nothing can be seen",
    }
)


class Deed(NamedTuple):
    """What was done to a node, when, and by whom, where Slurm says so."""

    did: Did
    at: datetime
    by: str


class Compared(NamedTuple):
    """What people did in the day after a dry run, oldest first, and whether it was the same."""

    deeds: tuple[Deed, ...]
    agrees: Agrees


def compare(action: str, at: datetime, changes: Iterable[Change], now: datetime) -> Compared:
    """A dry run of an action that ended at a moment, beside the changes of READ of its node, as they were recorded."""
    inside = (each for each in _deeds(list(changes)) if at < each.at <= at + WINDOW)
    found = tuple(sorted(inside, key=lambda each: each.at))
    return Compared(found, _agrees(action, found, is_over=now > at + WINDOW))


def in_words(found: Mapping[Agrees, int]) -> str:
    """How often they agree: `14 of 19 as people did; 3 they did something else; 2 nothing happened`."""
    told = sum(found.get(each, 0) for each in (Agrees.SAME, Agrees.OTHER, Agrees.NOTHING))
    first = f"{found.get(Agrees.SAME, 0)} of {told} {_WORDS[Agrees.SAME]}"
    others = (f"{found[each]} {_WORDS[each]}" for each in Agrees if each is not Agrees.SAME and found.get(each))
    return "; ".join([first, *others])


def count(found: Iterable[Agrees]) -> Counter[Agrees]:
    """How many there are of each."""
    return Counter(found)


def deed_words(deed: Deed, after: datetime) -> str:
    """A deed in a few words: `drained by kmf 2 h later`."""
    minutes = max(1, round((deed.at - after) / timedelta(minutes=1)))
    later = f"{minutes} min" if minutes < 100 else f"{round(minutes / 60)} h"
    return f"{deed.did}{f' by {deed.by}' if deed.by else ''} {later} later"


def _agrees(action: str, found: Sequence[Deed], *, is_over: bool) -> Agrees:
    if action not in SAME:
        return Agrees.NOT_SEEN
    if any(each.did is SAME[action] for each in found):
        return Agrees.SAME
    if not is_over:
        return Agrees.OPEN
    return Agrees.OTHER if found else Agrees.NOTHING


def _deeds(changes: Sequence[Change]) -> Iterator[Deed]:
    """What these changes show that somebody did: a node that was drained goes back, and one is drained with a reason
    of a person's, by nobody but a person.
    """
    reasons = {each.at: each for each in changes if each.subject == REASON and is_a_persons(each.new)}
    for change in changes:
        if change.subject == BOOT:
            yield Deed(Did.BOOTED, boot_time(change.new), "")
        elif change.subject == SLURMD and change.new == State.OK and change.old.startswith((State.FAIL, State.WARN)):
            yield Deed(Did.SLURMD, change.at, "")
        elif change.subject == SLURM and change.new.startswith(IN_SERVICE) and "drain" in change.old:
            yield Deed(Did.RESUMED, change.at, "")
        elif change.subject == SLURM and _drains(change) and (reason := reasons.get(change.at)):
            yield Deed(Did.DRAINED, change.at, _who(reason))


def _drains(change: Change) -> bool:
    return "drain" in change.new and "drain" not in change.old and change.old not in ("", NOT_LISTED)


def _who(reason: Change) -> str:
    """Who wrote a reason, of which the history says `set by kmf at 2026-11-26T10:04:00.000Z`; empty for nobody."""
    name = reason.why.removeprefix("set by ").partition(" at ")[0]
    return "" if name == "nobody" else name
