"""The ways on from a diagnosis, weighed by what was counted here: press something, wait, or leave it to a person.

Guards have cut what may not be done. What is left is weighed by the hours of a node that it costs; each way says why it
stands where it does, so that who doubts can reckon it again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from botd.acting.ladder import Tried
from botd.advice.case import Case
from botd.advice.choice import Costs, Prospect, Way, rank
from botd.advice.confidence import LEAST_SHOWN
from botd.advice.experience import UNTRIED, Experience, Weighed
from botd.advice.rules import ASIDE, PERSON, RESUME, WAIT, Rule
from botd.advice.waiting import Step, Wait, wait
from botd.advice.words import moment
from botd.documents import ConfidenceDocument, RankedDocument
from botd.inventory.states import out_since
from botd.settings import AdviceSettings

QUARTER = timedelta(minutes=15)
"""How often ages are told anew: who asks in between is answered alike, by whichever process."""

EVERYWHERE = "all hardware"

USUAL = Costs()


@dataclass(frozen=True)
class Scales:
    """What is weighed by. `hardware` are the groups that tell kinds of it apart: see `hardware_of`.
    `ours` are the ids of botd's own hard actions, `tried` the actions that have failed, the oldest first.

    `now` is None where ages are not to be told: then waiting is no way on.
    """

    experience: Experience = UNTRIED
    costs: Costs = USUAL
    hardware: tuple[str, ...] = ()
    ours: frozenset[str] = frozenset()
    tried: tuple[Tried, ...] = ()
    now: datetime | None = None

    @classmethod
    def of(cls, settings: AdviceSettings, experience: Experience = UNTRIED) -> Scales:
        """Those of a site, at no time."""
        return cls(experience, Costs.of(settings), settings.hardware)

    @property
    def edition(self) -> Hashable:
        """What two have in common that weigh alike."""
        return self.experience.edition, self.costs, self.hardware, self.ours, self.tried, self.now

    @cached_property
    def tried_on(self) -> Mapping[str, tuple[Tried, ...]]:
        """The actions that have failed, by node."""
        found: dict[str, tuple[Tried, ...]] = {}
        for each in self.tried:
            found[each.node] = (*found.get(each.node, ()), each)
        return found

    def at(self, now: datetime) -> Scales:
        """Those of the quarter of an hour that a moment is in; of no time where nothing known is told by age."""
        if not self.experience.tables:
            return self
        since_midnight = now.astimezone(UTC) - now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return replace(self, now=now - since_midnight % QUARTER)


GUESSED = Scales()
"""Nothing was counted, and nobody knows how long anything lasts already."""


@dataclass(frozen=True)
class Ways:
    """The ways on, best first, what may be said of the best, and when waiting is over where that is the best."""

    ranked: Sequence[RankedDocument]
    words: str
    until: datetime | None = None


def weigh(case: Case, rule: Rule, title: str, actions: Sequence[str], scales: Scales) -> Ways:
    """The ways on of a node by its rule, in whose title are names, and of whose actions no guard cuts these."""
    if WAIT in rule.ladder:
        return Ways([_plain(WAIT, "it ends without anybody"), _plain(PERSON, "if it does not end")], "")
    known = {action: scales.experience.weigh(rule.name, action, case.hardware) for action in actions}
    waiting = _waiting(case, rule, scales)
    if not known and not waiting:
        return Ways([_plain(PERSON, "nothing that botd can do is known to mend it, or may be done now")], "")
    prospects = {action: Prospect(each.chance, each.hope, each.harm) for action, each in known.items()}
    ways = rank(prospects, waiting, scales.costs)
    ranked = [_ranked(way, place, ways[0], known, waiting) for place, way in enumerate(ways)]
    ranked += [_seldom(name, known[name], scales.costs) for name in known if name not in {way.name for way in ways}]
    until = scales.now + timedelta(hours=waiting.left_h) if waiting and scales.now and ways[0].name == WAIT else None
    return Ways(ranked, _words(case, title, ways[0].name, known, waiting), until)


# ---- waiting ----


def _waiting(case: Case, rule: Rule, scales: Scales) -> Wait | None:
    """What waiting promises; None where it is no option, or a person has the node."""
    began = ill_since(case, rule)
    if scales.now is None or began is None or not case.is_out or rule.family in ASIDE:
        return None
    age_h = max(0.0, (scales.now - began) / timedelta(hours=1))
    return wait(scales.experience.tables.get(rule.name, ()), age_h)


def ill_since(case: Case, rule: Rule) -> datetime | None:
    """Since when a node has what the rule says, as far as its history or Slurm tells."""
    read = {check for check in case.bad if check in rule.reads or case.checks[check].parent in rule.reads}
    known = [at for check, at in case.past.since.items() if check in read]
    if known:
        return min(known)
    return out_since(case.slurm) if case.slurm else None


# ---- the ranked list ----


def _plain(name: str, words: str) -> RankedDocument:
    return {"action": name, "confidence": None, "cost_h": None, "words": words}


def _ranked(way: Way, place: int, best: Way, known: dict[str, Weighed], waiting: Wait | None) -> RankedDocument:
    cost = f"{way.cost_h:.1f} h of the node"
    return {
        "action": way.name,
        "confidence": _confidence(way, known, waiting),
        "cost_h": round(way.cost_h, 2),
        "words": f"costs least: {cost}" if place == 0 else f"costs {cost}, {best.name} {best.cost_h:.1f} h",
    }


def _seldom(name: str, weighed: Weighed, costs: Costs) -> RankedDocument:
    least, chance, hope = (f"{percent(each)}" for each in (costs.least_chance, weighed.chance, weighed.hope))
    why = f"mends {chance} of them, {hope} at best: below {least} it is not recommended"
    return {"action": name, "confidence": confidence_of(weighed), "cost_h": None, "words": why}


def _confidence(way: Way, known: dict[str, Weighed], waiting: Wait | None) -> ConfidenceDocument | None:
    if way.name in known:
        return confidence_of(known[way.name])
    if way.name == WAIT and waiting:
        return {
            "p": round(waiting.chance, 3),
            "at_least": None,
            "good": waiting.step.healed,
            "of": round(waiting.step.of),
            "scope": EVERYWHERE,
        }
    return None


def confidence_of(weighed: Weighed) -> ConfidenceDocument:
    """How sure it is that an action mends."""
    shown, every = weighed.shown, weighed.tally.all
    return {
        "p": round(weighed.chance, 3),
        "at_least": shown.at_least if shown else None,
        "good": shown.good if shown else round(every.good),
        "of": shown.of if shown else round(every.of),
        "scope": (shown.scope if shown else "") or EVERYWHERE,
    }


# ---- in words ----


def percent(share: float) -> str:
    """`77 %`."""
    return f"{100 * share:.0f} %"


def _words(case: Case, title: str, best: str, known: dict[str, Weighed], waiting: Wait | None) -> str:
    """Why the best way is that, in sentences."""
    told = [_counted(title, best, known[best])] if best in known else []
    told += [_seldom_in_words(name, each) for name, each in known.items() if best == PERSON]
    told += [_alone(waiting.step)] if waiting else []
    told += [_quiet(case)] if best in known and best != RESUME else []
    return " ".join(filter(None, told))


def _counted(title: str, action: str, weighed: Weighed) -> str:
    shown, count = weighed.shown, weighed.tally.all
    if shown is None:
        return _guessed(weighed)
    stayed = "stayed in service for a day" if action == RESUME else "came back and stayed well for a day"
    like = f"{title}, {shown.scope or EVERYWHERE}"
    where = f"On {EVERYWHERE} " if shown.scope else ""
    lost = f" {where}{weighed.tally.harms} of {count.of:.0f} lost a job." if weighed.tally.harms else ""
    return f"{shown.good} of {shown.of} nodes like this ({like}) {stayed}: at least {percent(shown.at_least)}.{lost}"


def _guessed(weighed: Weighed) -> str:
    count, chance = weighed.tally.all, percent(weighed.chance)
    if not count.of:
        return f"Nobody has tried this here yet; we would guess {chance}."
    times = "once" if count.of < LEAST_SHOWN - 1 else "twice"
    return f"Tried here {times}, {count.good:.0f} of it good: too few to say; we would guess {chance}."


def _seldom_in_words(action: str, weighed: Weighed) -> str:
    return f"{action} mends {percent(weighed.chance)} of them: a person costs less."


def _alone(step: Step) -> str:
    """`Of 12 that were still so after 2 h, 1 came back alone before 8 h.`"""
    after = f"still so after {_hours(step.begins_h)}" if step.begins_h else "so"
    return f"Of {step.of:.0f} that were {after}, {step.healed} came back alone before {_hours(step.ends_h)}."


def _hours(hours: float) -> str:
    return f"{hours:.0f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def _quiet(case: Case) -> str:
    """That nobody is disturbed, as far as that is known."""
    if case.jobs != []:
        return ""
    is_empty = case.state("users") == "ok" and case.value("users") == []
    return f"No job{', no process of a user' if is_empty else ''}."


def until_words(until: datetime) -> str:
    """What a person does who waits."""
    return f"wait until {moment(until)}, then look again"
