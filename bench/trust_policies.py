"""Who decides in the simulated year: what the ancestors did, what the program does, and one who knows the cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bench.trust_causes import HARM_H, JOB_ENDS_H, PERSON_H, PRESS_H, RUNS_H
from bench.trust_run import JOB_GUARDS, Choice, Seen, after_the_job, step_left
from bench.trust_year import Incident, heals_within
from botd.advice.confidence import Outcome, counted
from botd.advice.experience import UNTRIED, experience_of
from botd.advice.guesses import guess
from botd.advice.rules import PERSON, WAIT
from botd.advice.waiting import Spell
from botd.advice.weighing import Scales, weigh

PATIENCE_H = 2.0
"""How long the ladder of who heals himself waits before its first rung."""


LEAST = 0.5
"""An action that mends less often than this is not worth a press."""


class _Unlearned:
    """One that learns nothing, and looks at what the ancestors looked at."""

    is_guarded = True
    sees_traces = False

    def learn(self, *_: object, **__: object) -> None:
        pass

    def rest(self, *_: object, **__: object) -> None:
        pass


class Fixed(_Unlearned):
    """The fixed rules of the ancestors: the first action of the rule that was not tried, whatever stands against it."""

    is_guarded = False

    def decide(self, seen: Seen) -> Choice:
        return Choice(next((each for each in seen.ladder if each not in seen.tried), PERSON))


class Guarded(_Unlearned):
    """The same rules, and the guards of the program."""

    def decide(self, seen: Seen) -> Choice:
        return Choice(seen.left[0] if seen.left else _cut(seen))


class Informed(Guarded):
    """The same with the finer evidence."""

    sees_traces = True


class Patient(_Unlearned):
    """The self-heal ladder: wait, then rung by rung, then a person; with the guards of the program."""

    def decide(self, seen: Seen) -> Choice:
        if seen.rule.family not in ("ready", "colleague") and seen.age_h < PATIENCE_H:
            return Choice(WAIT, PATIENCE_H - seen.age_h)
        return Choice(seen.left[0] if seen.left else _cut(seen))


class Oracle(_Unlearned):
    """One who knows the cause and its numbers, and not how the dice fall; with the guards of the program."""

    sees_traces = True

    def decide(self, seen: Seen) -> Choice:
        knows = seen.truth
        at = knows.begins_at + seen.age_h
        has_job = knows.has_job(at)
        left_h = JOB_ENDS_H if has_job else step_left(seen.age_h)
        heals = heals_within(knows.cause.heals, seen.age_h, left_h)
        costs = _worth_it(knows, seen.left, at)
        later = _worth_it(knows, after_the_job(seen) if has_job else seen.left, max(at, knows.job_until))
        costs[WAIT] = left_h * (1 - heals / 2) + (1 - heals) * min(later.values())
        way = min(costs, key=lambda each: costs[each])
        return Choice(way, left_h if way == WAIT and not has_job else 0.0)


def _worth_it(knows: Incident, actions: Sequence[str], at: float) -> dict[str, float]:
    """What the actions that are more likely to mend than not cost, and a person."""
    costs = {each: _expected(knows, each, at) for each in actions if each != WAIT and knows.mends(each, at) >= LEAST}
    return costs | {PERSON: PERSON_H}


def _expected(knows: Incident, action: str, at: float) -> float:
    return PRESS_H + RUNS_H + HARM_H * knows.harms(action, at) + PERSON_H * (1 - knows.mends(action, at))


def _cut(seen: Seen) -> str:
    """What is left where guards cut all: a job that runs is waited for."""
    return WAIT if any(each["guard"] in JOB_GUARDS for each in seen.advice["refused_by"]) else PERSON


class Counted:
    """The program: what it recommends by what it has counted, from nothing on; the guards, and a press at a time."""

    is_guarded = True
    sees_traces = True

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []
        self._spells: list[Spell] = []
        self._experience = UNTRIED

    def decide(self, seen: Seen) -> Choice:
        if seen.now.date() > self._experience.as_of:  # counted anew each night
            self._experience = experience_of(counted(self._outcomes), self._spells, seen.now.date())
        rule, scales = seen.rule, Scales(self._experience).at(seen.now)
        best = weigh(seen.case, rule, rule.title, seen.left, scales).ranked[0]
        way, sure = best["action"], best["confidence"]
        if way in (WAIT, PERSON) or sure is None:
            return Choice(way, step_left(seen.age_h) if way == WAIT and sure else 0.0)
        shown = self._experience.weigh(rule.name, way, seen.hardware).shown
        at_least, of, scope = (shown.at_least, shown.of, shown.scope) if shown else (None, 0, "")
        return Choice(way, 0.0, sure["p"], guess(rule.name, way), at_least, of, scope)

    def learn(self, diagnosis: str, action: str, hardware: str, at: datetime, *, is_good: bool, is_harm: bool) -> None:
        self._outcomes.append(Outcome(diagnosis, action, hardware, at, is_good, is_harm))

    def rest(self, diagnosis: str, hours: float, *, healed: bool) -> None:
        self._spells.append(Spell(diagnosis, hours, healed))
