"""What came of an action, judged a day after it by what the history has of the node: good, bad, or not to be counted.

Pure. What cannot be told is never counted, as little as what somebody else has had a hand in: a bad outcome that is
none makes a good action look bad, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from botd.advice.reasons import read_reason
from botd.advice.rules import ASIDE, POWER_CYCLE, POWER_ON, RESTART_SLURMD, RESUME, RULES
from botd.advice.titles import diagnosis_of
from botd.history.changes import IN_SERVICE
from botd.model import DIAGNOSIS, SLURM, Change

WINDOW = timedelta(hours=24)
"""How long it must stay well."""

SETTLE = timedelta(hours=1)
"""How long it may take from its end until every check is green: a sweep has to come by."""

BLIND = 0.1
"""The share of the window that nobody may have looked, or could tell what was there."""

JUDGED = (RESTART_SLURMD, POWER_ON, POWER_CYCLE, RESUME)
"""The actions that have an outcome."""

CALM = frozenset(rule.name for rule in RULES if rule.calm or rule.family == "ready")
"""The diagnoses that are no finding: the node is well, or nobody is needed."""

UNTOLD = frozenset({"unread", "not-told", ""})
"""The diagnoses that say that something cannot be told, and those of which no rule is known any more."""

OTHERS = frozenset({"rebooting", *(rule.name for rule in RULES if rule.family in ASIDE)})
"""The diagnoses that say that somebody has taken the node in hand."""


class Verdict(StrEnum):
    """What came of it. `open` until the window is over."""

    GOOD = "good"
    BAD = "bad"
    NOT_COUNTED = "not counted"
    OPEN = "open"


class Judged(NamedTuple):
    """A verdict, and why in words."""

    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Done:
    """An action that was done, by whomever: when it ended, and whether it was seen to have worked; None for unknown."""

    action: str
    at: datetime
    worked: bool | None = True


@dataclass(frozen=True)
class Aftermath:
    """The node in the window after it, as the history has it.

    `diagnosis` (a title, empty for well) and `slurm` are the words that it begins with, `changes` of the two follow,
    the oldest first. `others` are the times of other actions on the node, `blind` how long nobody looked.
    """

    diagnosis: str
    slurm: str
    changes: Sequence[Change] = ()
    others: Sequence[datetime] = ()
    blind: timedelta = timedelta(0)


def judge(done: Done, after: Aftermath, now: datetime) -> Judged | None:
    """What came of an action; None for one that has no outcome."""
    if done.action not in JUDGED:
        return None
    if done.worked is None:
        return Judged(Verdict.NOT_COUNTED, "it is not known whether it happened")
    if done.worked is False:
        return Judged(Verdict.BAD, "it did not work")
    if ended := next(_ends(done, after, now), None):
        return ended
    if now < done.at + WINDOW:
        return Judged(Verdict.OPEN, f"to be judged at {done.at + WINDOW:%F %H:%M} UTC")
    if after.blind > BLIND * WINDOW:
        return Judged(Verdict.NOT_COUNTED, "nobody looked at it for more than a tenth of the day")
    if done.action != RESUME and after.blind + _untold(done, after) > BLIND * WINDOW:
        return Judged(Verdict.NOT_COUNTED, "it could not be told for more than a tenth of the day whether it is well")
    return _at_the_end(done, after)


class _Moment(NamedTuple):
    at: datetime
    judged: Judged


def _ends(done: Done, after: Aftermath, now: datetime) -> Iterator[Judged]:
    """What settles it before the window is over, the first of it first."""
    found = [*_hands(done, after), *(_out(done, after) if done.action == RESUME else _findings(done, after))]
    until = min(now, done.at + WINDOW)
    yield from (moment.judged for moment in sorted(found) if moment.at <= until)


def _hands(done: Done, after: Aftermath) -> Iterator[_Moment]:
    """When somebody else took the node in hand."""
    no = Verdict.NOT_COUNTED
    yield from (_Moment(at, Judged(no, "another action was done to it")) for at in after.others if at > done.at)
    for change in after.changes:
        if change.subject == DIAGNOSIS and diagnosis_of(change.new) in OTHERS:
            yield _Moment(change.at, Judged(no, f"somebody else took it in hand: {change.new}"))
        if change.subject == SLURM and _leaves(change) and is_a_persons(change.why):
            yield _Moment(change.at, Judged(no, f"somebody took it out of service: {change.why}"))


def _findings(done: Done, after: Aftermath) -> Iterator[_Moment]:
    """When something was found that is not as it should be. What was found before it ended has an hour to go."""
    settled = done.at + SETTLE
    for word, begin, end in _bands(after.diagnosis, after.changes, done):
        name = diagnosis_of(word)
        if word and name not in CALM and name not in UNTOLD and name not in OTHERS and end > settled:
            yield _Moment(max(begin, settled), Judged(Verdict.BAD, f"{word} within a day"))


def _out(done: Done, after: Aftermath) -> Iterator[_Moment]:
    """When it left service again. Slurm may take a moment to have it back."""
    settled = done.at + SETTLE
    if not after.slurm.startswith(IN_SERVICE) and not any(
        _returns(each) for each in after.changes if each.at < settled
    ):
        yield _Moment(settled, Judged(Verdict.BAD, "it did not come back into service"))
    for change in after.changes:
        if change.subject == SLURM and _leaves(change) and not is_a_persons(change.why):
            yield _Moment(change.at, Judged(Verdict.BAD, f"out of service again within a day: {change.why}"))


def _untold(done: Done, after: Aftermath) -> timedelta:
    """How long of the window it was known that nothing could be told of the node."""
    bands = [band for band in _bands(after.diagnosis, after.changes, done) if band[0]]
    lasted = (min(end, done.at + WINDOW) - begin for word, begin, end in bands if diagnosis_of(word) in UNTOLD)
    return sum((max(each, timedelta(0)) for each in lasted), timedelta(0))


def _at_the_end(done: Done, after: Aftermath) -> Judged:
    """What is left to say of a day in which nothing happened."""
    words = [after.diagnosis, *(change.new for change in after.changes if change.subject == DIAGNOSIS)]
    if done.action != RESUME and words[-1] and diagnosis_of(words[-1]) in UNTOLD | OTHERS:
        return Judged(Verdict.NOT_COUNTED, f"it cannot be told whether it is well: {words[-1]}")
    stayed = "in service" if done.action == RESUME else "well"
    return Judged(Verdict.GOOD, f"{stayed} for a day")


def _bands(word: str, changes: Iterable[Change], done: Done) -> Iterator[tuple[str, datetime, datetime]]:
    """Each diagnosis of the window with its begin and its end."""
    begin = done.at
    for change in changes:
        if change.subject == DIAGNOSIS:
            yield word, begin, change.at
            word, begin = change.new, change.at
    yield word, begin, done.at + WINDOW


def _leaves(change: Change) -> bool:
    return change.old.startswith(IN_SERVICE) and not change.new.startswith(IN_SERVICE)


def _returns(change: Change) -> bool:
    return change.subject == SLURM and change.new.startswith(IN_SERVICE)


def is_a_persons(reason: str) -> bool:
    """Whether a person took a node out of service for this reason; nobody but a person gives none."""
    parts = read_reason(reason)
    return not parts or any(part.is_a_persons for part in parts)
