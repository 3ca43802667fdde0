"""What botd would have said over a time that is on record, beside what people did then and what followed. Pure.

It walks the changes in the order of their recording, and weighs each moment by what was counted up to the day before
and by the words that the history had then. The history has no values of readings, so that guards which look at jobs or
power cannot be asked: `UNTOLD_GUARDS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from botd.advice.case import Case
from botd.advice.confidence import Counts
from botd.advice.experience import Experience, experience_of
from botd.advice.guards import GUARDS, PRESSED
from botd.advice.observed import Deed, Illness, aftermath, observed
from botd.advice.outcomes import CALM, UNTOLD, Done, Verdict, judge
from botd.advice.rules import RULES, Rule
from botd.advice.titles import diagnosis_of
from botd.advice.waiting import Spell
from botd.advice.weighing import Scales, weigh
from botd.checks import Checks
from botd.history.changes import IN_SERVICE, NOT_LISTED
from botd.history.incidents import offenders
from botd.history.past import LOOK_BACK, NodePast
from botd.inventory.states import from_text
from botd.model import DIAGNOSIS, REASON, SLURM, Change, SlurmNode

UNTOLD_GUARDS = ("jobs-unknown", "live-job", "power-unknown")
"""The guards that look at what the history does not have."""

SOON = timedelta(hours=1)
"""A press on a node that is back alone so soon would have been for nothing."""


class Said(NamedTuple):
    """What would have been said of a node at a moment: the way, its chance `p`, and the `guards` that cut actions."""

    node: str
    at: datetime
    diagnosis: str
    way: str
    p: float | None
    guards: tuple[str, ...]
    is_draining: bool


class Pressed(NamedTuple):
    """What somebody did, what would have been said right before, and what came of it; None where that is not known."""

    deed: Deed
    said: Said
    is_good: bool | None


@dataclass(frozen=True)
class Replay:
    """All of it: what would have been said when a diagnosis began, and when somebody did something.

    `alone` are those of `said` on nodes that were back alone within SOON.
    """

    said: Sequence[Said]
    pressed: Sequence[Pressed]
    alone: Sequence[Said]


@dataclass(frozen=True)
class Site:
    """What is weighed with: the checks, the costs of the policy, and what kind of hardware a node is of, today.

    `acted` is when botd acted on each node: that was no person's doing.
    """

    checks: Checks
    scales: Scales
    hardware: Callable[[str], str]
    acted: Mapping[str, Sequence[datetime]] = field(default_factory=dict)


@dataclass
class _Node:
    """The words of a node as the changes go by, and its changes for the worse."""

    slurm: str = ""
    reason: str = ""
    reason_at: datetime | None = None
    title: str = ""
    bad: list[Change] = field(default_factory=list)


def replay(changes: Sequence[Change], counts: Sequence[Counts], site: Site, since: datetime, now: datetime) -> Replay:
    """What would have been said since a moment, by these changes, which may begin before it."""
    deeds, illnesses = observed(changes, site.acted)
    known = _Known(counts, illnesses)
    said, before = list[Said](), dict[tuple[str, datetime], Said]()
    waiting = sorted(deeds, key=lambda deed: deed.at)
    nodes: dict[str, _Node] = {}
    for change in changes:
        while waiting and waiting[0].at <= change.at:
            deed = waiting.pop(0)
            if found := _say(nodes.get(deed.node), deed.node, deed.at, known, site):
                before[deed.node, deed.at] = found
        node = nodes.setdefault(change.node, _Node())
        _take(node, change)
        if change.subject == DIAGNOSIS and change.new and change.at >= since:
            said += filter(None, [_say(node, change.node, change.at, known, site)])
    pressed = [
        Pressed(deed, before[deed.node, deed.at], _is_good(deed, changes, now))
        for deed in deeds
        if deed.at >= since and (deed.node, deed.at) in before
    ]
    soon = {(each.node, each.began_at) for each in illnesses if each.healed and each.hours <= SOON / timedelta(hours=1)}
    return Replay(said, pressed, [each for each in said if (each.node, each.at) in soon])


class _Known:
    """What was counted by a day: outcomes whose day was over, and illnesses that were."""

    def __init__(self, counts: Sequence[Counts], illnesses: Iterable[Illness]) -> None:
        self._counts = counts
        self._illnesses = sorted(illnesses, key=_over_at)
        self._made: dict[date, Experience] = {}

    def by(self, day: date) -> Experience:
        if day not in self._made:
            counts = [each for each in self._counts if each.day + timedelta(days=2) <= day]
            over = (each for each in self._illnesses if _over_at(each).date() < day)
            spells = [Spell(each.diagnosis, each.hours, each.healed) for each in over]
            self._made = {day: experience_of(counts, spells, day)}  # days come in order
        return self._made[day]


def _over_at(illness: Illness) -> datetime:
    return illness.began_at + timedelta(hours=illness.hours)


def _take(node: _Node, change: Change) -> None:
    """Brings the words of a node up to date."""
    if change.subject == SLURM:
        node.slurm = change.new
        node.bad += [change] if change.is_bad else []
    elif change.subject == REASON:
        node.reason, node.reason_at = change.new, change.at
    elif change.subject == DIAGNOSIS:
        node.title = change.new


def _say(node: _Node | None, name: str, at: datetime, known: _Known, site: Site) -> Said | None:
    """What would have been said at this moment; None of a node without a diagnosis, or of which too little is known."""
    rule = _rule(node.title) if node else None
    if node is None or rule is None or rule.name in UNTOLD or not node.slurm or node.slurm == NOT_LISTED:
        return None
    case = _case(node, name, at, site)
    told = [guard for guard in GUARDS if _can_tell(guard.name)]
    guards = {each: [g.name for g in told if each in g.cuts and g.stands(case, each)] for each in rule.ladder}
    left = [action for action, stands in guards.items() if not stands]
    scales = Scales(known.by(at.date()), site.scales.costs, site.scales.hardware).at(at)
    best = weigh(case, rule, node.title, left, scales).ranked[0]
    way = "" if rule.calm and not case.is_out else best["action"]
    sure = best["confidence"]
    cut = tuple(dict.fromkeys(stands[0] for stands in guards.values() if stands))
    return Said(name, at, rule.name, way, sure["p"] if sure else None, cut, case.is_draining)


def _can_tell(guard: str) -> bool:
    return guard not in UNTOLD_GUARDS


def _rule(title: str) -> Rule | None:
    name = diagnosis_of(title)
    return next((rule for rule in RULES if rule.name == name), None)


def _case(node: _Node, name: str, at: datetime, site: Site) -> Case:
    """The node as its words tell of it: without a reading."""
    is_well = node.slurm.startswith(IN_SERVICE)
    base, flags, strange = from_text("idle" if is_well else node.slurm)
    slurm = SlurmNode(name, node.slurm, base, flags, strange, node.reason, "", node.reason_at)
    recent = offenders([change for change in node.bad if at - LOOK_BACK <= change.at <= at])
    incidents = recent[0].incidents if recent else 0
    return Case(name, slurm, {}, site.checks, NodePast(incidents), hardware=site.hardware(name))


def _is_good(deed: Deed, changes: Sequence[Change], now: datetime) -> bool | None:
    """What came of it, None where that is not told."""
    these = [change for change in changes if change.node == deed.node]
    judged = judge(Done(deed.action, deed.at), aftermath(these, deed.at, [], timedelta(0)), now)
    verdict = judged.verdict if judged else None
    return verdict is Verdict.GOOD if verdict in (Verdict.GOOD, Verdict.BAD) else None


# ---- in words ----


def told(found: Replay) -> Iterator[str]:
    """The figures, a line each."""
    agreed = [each for each in found.pressed if each.said.way == each.deed.action]
    presses = [each for each in found.said if each.way in PRESSED]
    ways = Counter(each.way or "nothing" for each in found.said)
    stopped = [each for each in found.said if each.guards and each.diagnosis not in CALM | {"colleague"}]
    yield f"{len(found.said)} diagnoses, {len(presses)} of them with something to press"
    yield f"recommended: {_counted(ways)}" if ways else "recommended: nothing"
    yield f"agreement: {len(agreed)} of {len(found.pressed)} presses of people are what botd would have said"
    yield from _otherwise(found.pressed)
    yield f"stopped by a guard: {len(stopped)}{_by(stopped)}"
    alone = [each for each in found.alone if each.way in PRESSED]
    yield f"proposed on a node that was back alone within an hour: {len(alone)}"
    yield f"proposed on a node with a live job, as far as Slurm's state tells: {sum(e.is_draining for e in presses)}"
    yield _brier([(each.said.p, each.is_good) for each in agreed])


def _by(found: Iterable[Said]) -> str:
    said = _counted(Counter(each.guards[0] for each in found))
    return f" ({said})" if said else ""


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _otherwise(pressed: Iterable[Pressed]) -> Iterator[str]:
    counts = Counter((e.deed.action, e.said.way or "nothing") for e in pressed if e.said.way != e.deed.action)
    for (did, way), count in sorted(counts.items()):
        yield f"  people: {did}, botd: {way}: {count}"


def _brier(told: Iterable[tuple[float | None, bool | None]]) -> str:
    known = [(p, good) for p, good in told if p is not None and good is not None]
    if not known:
        return "Brier score: no press that matches has an outcome"
    rate = sum(good for _, good in known) / len(known)
    ours = sum((p - good) ** 2 for p, good in known) / len(known)
    constant = sum((rate - good) ** 2 for _, good in known) / len(known)
    return f"Brier score of {len(known)} presses that match: {ours:.3f}, of a constant {rate:.0%}: {constant:.3f}"


CANNOT_KNOW = (
    "what cannot be known: what would have come of what nobody did",
    "nor jobs and power at that time, of which no values are kept; nor what people did beyond boots and resumes",
    "nodes are taken for the hardware that they are of today, and rules are those of today",
)
"""What is said below every replay."""
