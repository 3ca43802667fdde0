"""How a policy goes through a year: what it sees, what comes of what it does, and what would have been right.

It sees what the agent of the program would: readings, Slurm's word and reason, neighbours, its own history. Every
diagnosis, and every guard that stands in the way, is the program's own.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import NamedTuple, Protocol

from bench.trust_causes import AS_GOOD_H, DAY, HARM_H, LOOKS, PERSON_H, PRESS_H, RUNS_H
from bench.trust_year import Incident, Node, Year
from botd.acting.actions import Weight
from botd.acting.caps import Cluster, gauges, why_capped
from botd.acting.limits import Caps, Storm
from botd.acting.storm import why_storm
from botd.advice.case import Case
from botd.advice.neighbours import FINE, Neighbours, look_at, meet
from botd.advice.recommend import recommend
from botd.advice.rules import PERSON, RULES, WAIT, Rule
from botd.advice.waiting import AGES_H
from botd.checks import Checks, site_checks
from botd.config import parse_config
from botd.documents import NodeReadings, RecommendationDocument
from botd.history.past import LOOK_BACK, NodePast
from botd.inventory.states import from_text
from botd.model import Group, SlurmNode

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""A Thursday."""

CHECKS: Checks = site_checks(
    parse_config(
        {
            "mounts": {"scratch": "/global/scratch", "tmp": "/tmp"},
            "check": [{"name": "gpus", "title": "GPUs", "command": "nvidia-smi --list-gpus"}],
        }
    )
)
NO_LOGIN = tuple(name for name, check in CHECKS.items() if "ssh" in check.needs)

HARD = ("power-on", "power-cycle")

JOB_GUARDS = ("draining", "live-job")

SWEEP_H = 0.25
"""After which time a diagnosis stands: that of who heals before any person looks."""

FAILS_H, RETURNS_H = 1.0, 6.0
"""When an action that mended nothing is looked at again; a node that was put back and is ill again is so later."""

NEEDLESS_H = 1.0
"""An action on a node that would have been back so soon was for nothing."""


def moment(at: float) -> datetime:
    """An hour of the year as a time."""
    return BEGIN + timedelta(hours=at)


# ---- what a policy sees ----


@dataclass(frozen=True)
class Seen:
    """An ill node as it is shown. `rule` and `advice` are the program's; `left` are the actions that no guard cuts.

    `ladder` are those before any guard, softest first. `tried` were pressed in this incident before.
    """

    case: Case
    rule: Rule
    advice: RecommendationDocument
    hardware: str
    age_h: float
    now: datetime
    ladder: tuple[str, ...]
    left: tuple[str, ...]
    tried: Collection[str]
    truth: Incident
    """What is behind it. The oracle alone looks at this."""


class Choice(NamedTuple):
    """What a policy would do. `again_h` is when it looks again after waiting, in hours; 0 is at the next look.

    `chance` is that the action mends, as the policy reckons, `guess` the same before anything was counted, `at_least`
    the bound that it shows, counted from `of` in `scope`.
    """

    way: str
    again_h: float = 0.0
    chance: float | None = None
    guess: float | None = None
    at_least: float | None = None
    of: int = 0
    scope: str = ""


class Policy(Protocol):
    """Who decides. Guards are the program's, unless it is not `is_guarded`. One may have the finer evidence."""

    is_guarded: bool
    sees_traces: bool

    def decide(self, seen: Seen) -> Choice:
        """What to do with a node."""

    def learn(self, diagnosis: str, action: str, hardware: str, at: datetime, *, is_good: bool, is_harm: bool) -> None:
        """What came of an action, a day after it."""

    def rest(self, diagnosis: str, hours: float, *, healed: bool) -> None:
        """How long an incident lasted untouched, and whether it was over then."""


# ---- what is told afterwards ----


class Press(NamedTuple):
    """An action: what was said of it, and what was true. `true_chance` is that of the cause."""

    diagnosis: str
    hardware: str
    choice: Choice
    is_good: bool
    is_harmful: bool
    is_needless: bool
    true_chance: float


@dataclass
class Account:
    """A year of a policy."""

    decisions: int = 0
    right: int = 0
    cost_h: float = 0.0
    waits: int = 0
    persons: int = 0
    presses: list[Press] = field(default_factory=list)

    def words(self) -> str:
        """The most of it, on a line."""
        harmful = sum(press.is_harmful for press in self.presses)
        return f"{self.right} of {self.decisions} right, {len(self.presses)} presses, {harmful} harmful"


# ---- the year ----


@dataclass
class _Open:
    """An incident that is not over."""

    incident: Incident
    diagnosis: str = ""
    since: float | None = None
    touched: bool = False
    is_over: bool = False
    last: str = ""
    tried: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Spend:
    node: str
    action: str
    weight: str
    at: datetime
    incident: str = ""
    is_free: bool = False
    was_sent: bool = True


class Run:
    """A policy in a year, in which people are there by day or `always`."""

    def __init__(self, year: Year, policy: Policy, *, always: bool = False) -> None:
        self._policy = policy
        self._always = always
        self._site = _Site(year.nodes)
        self._open: dict[str, _Open] = {}
        self._begun: dict[str, list[float]] = defaultdict(list)
        self._spent: list[_Spend] = []
        self._order = count()
        self._events: list[tuple[float, int, str, object]] = []
        self._following = _following(year.incidents)
        self.account = Account()
        for incident in year.incidents:
            self._add(incident.begins_at, "begin", incident)

    def go(self) -> Account:
        """Goes through it."""
        while self._events:
            at, _, kind, what = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(at, what)
        return self.account

    def _add(self, at: float, kind: str, what: object) -> None:
        heapq.heappush(self._events, (at, next(self._order), kind, what))

    # ---- events ----

    def _begin(self, at: float, incident: Incident) -> None:
        node = incident.node.name
        if node in self._open:
            return  # who is ill already has no second incident
        found = self._open[node] = _Open(incident)
        self._begun[node].append(at)
        self._add(min(at + SWEEP_H, incident.healed_at), "sweep", found)
        if incident.healed_at < math.inf:
            self._add(incident.healed_at, "heal", found)
        self._add(self._next_look(at), "look", found)

    def _sweep(self, at: float, found: _Open) -> None:
        advice = recommend(self._case(found, at))
        found.diagnosis = advice["diagnosis"] if advice else ""

    def _heal(self, at: float, found: _Open) -> None:
        if found.is_over:
            return
        if not found.touched:
            self._policy.rest(found.diagnosis, at - found.incident.begins_at, healed=True)
        self._end(found, at)

    def _look(self, at: float, found: _Open) -> None:
        if found.is_over:
            return
        seen = self._seen(found, at)
        found.diagnosis = seen.advice["diagnosis"]
        if found.since is None:
            found.since = at
        choice = self._policy.decide(seen)
        if choice.way in HARD and self._policy.is_guarded and self._capped(found, choice.way, at):
            self._add(self._next_look(at), "look", found)
            return
        self._judge(found, seen, choice, at)
        getattr(self, f"_{choice.way}" if choice.way in (WAIT, PERSON) else "_press")(found, choice, at)

    def _outcome(self, at: float, what: tuple[str, str, str, bool, bool]) -> None:
        diagnosis, action, hardware, is_good, is_harm = what
        self._policy.learn(diagnosis, action, hardware, moment(at - 24), is_good=is_good, is_harm=is_harm)

    # ---- ways ----

    def _wait(self, found: _Open, choice: Choice, at: float) -> None:
        self._add(self._next_look(at + max(0.0, choice.again_h - 0.01)), "look", found)

    def _person(self, found: _Open, _choice: Choice, at: float) -> None:
        self._touch(found, at)
        self.account.cost_h += PERSON_H
        self._end(found, at)

    def _press(self, found: _Open, choice: Choice, at: float) -> None:
        incident, action = found.incident, choice.way
        self._touch(found, at)
        follows = self._following.get((incident.node.name, incident.begins_at), math.inf)
        is_left_alone = follows > at + 24
        mended, is_harm = incident.is_mended_by(action, at), incident.is_harmed_by(action, at)
        is_good = mended and is_left_alone
        self.account.presses.append(
            Press(
                found.diagnosis,
                incident.node.hardware,
                choice,
                is_good,
                is_harm,
                incident.healed_at <= at + NEEDLESS_H,
                incident.mends(action, at) * is_left_alone,
            )
        )
        self.account.cost_h += PRESS_H + HARM_H * is_harm
        self._spend(incident.node.name, action, at)
        self._add(at + 24, "outcome", (found.diagnosis, action, incident.node.hardware, is_good, is_harm))
        found.tried.append(action)
        if mended:
            self._end(found, at + RUNS_H)
        else:
            self._add(self._next_look(at + (RETURNS_H if action == "resume" else FAILS_H)), "look", found)

    def _touch(self, found: _Open, at: float) -> None:
        if not found.touched:
            self._policy.rest(found.diagnosis, at - found.incident.begins_at, healed=False)
        found.touched = True

    def _end(self, found: _Open, at: float) -> None:
        self.account.cost_h += at - found.since if found.since else 0.0
        found.is_over = True
        self._open.pop(found.incident.node.name, None)

    # ---- what is seen ----

    def seen(self, incident: Incident, at: float) -> Seen:
        """An incident as a policy sees it that meets it at this moment."""
        return self._seen(_Open(incident), at)

    def _seen(self, found: _Open, at: float) -> Seen:
        case = self._case(found, at)
        advice = recommend(case)
        assert advice  # an ill node has a diagnosis
        rule = next(rule for rule in RULES if rule.name == advice["diagnosis"])
        cut = {each["action"] for each in advice["refused_by"]} | set(found.tried)
        if why_storm(Storm(), self._site.count, self._ill_since(), self._site.partitions, moment(at)):
            cut |= set(HARD)
        left = tuple(each for each in rule.ladder if each not in cut)
        age_h = at - found.incident.begins_at
        hardware = found.incident.node.hardware
        return Seen(
            case, rule, advice, hardware, age_h, moment(at), rule.ladder, left, tuple(found.tried), found.incident
        )

    def _case(self, found: _Open, at: float) -> Case:
        incident = found.incident
        slurm = _slurm(incident, at)
        begun = self._begun[incident.node.name]
        recent = sum(each > at - LOOK_BACK / timedelta(hours=1) for each in begun)
        neighbours = self._site.neighbours(self._open.values(), at)
        return Case(
            incident.node.name, slurm, self._readings(incident, at), CHECKS,
            NodePast(recent), neighbours, incident.node.hardware,
        )  # fmt: skip

    def _readings(self, incident: Incident, at: float) -> NodeReadings:
        return _readings(incident.look, incident.has_job(at), incident.traces if self._policy.sees_traces else ())

    def _ill_since(self) -> Mapping[str, datetime]:
        return {node: moment(found.incident.begins_at) for node, found in self._open.items()}

    def _next_look(self, at: float) -> float:
        """When people look next, or wait for nothing where they always do."""
        if self._always:
            return math.floor(at * 2) / 2 + 0.5
        look = math.floor(at) + 1.0
        while moment(look).weekday() > 4 or moment(look).hour not in DAY:
            look += 1.0
        return look

    # ---- how much ----

    def _spend(self, node: str, action: str, at: float) -> None:
        weight = str(Weight.HARD if action in HARD else Weight.SOFT)
        self._spent = [each for each in self._spent if each.at > moment(at) - timedelta(days=7)]
        self._spent.append(_Spend(node, action, weight, moment(at)))

    def _capped(self, found: _Open, action: str, at: float) -> bool:
        node = found.incident.node
        cluster = Cluster(self._site.count, {node.hardware: self._site.partitions[node.hardware]}, ())
        return bool(why_capped(gauges(Caps(), Weight.HARD, node.name, self._spent, cluster, moment(at))))

    # ---- in hindsight ----

    def _judge(self, found: _Open, seen: Seen, choice: Choice, at: float) -> None:
        """Counts a decision. To go on waiting is none, nor is to look again within the hour."""
        way, again_at = choice.way, self._next_look(at + max(0.0, choice.again_h - 0.01))
        is_none = way == WAIT and (found.last == WAIT or again_at <= at + AS_GOOD_H)
        found.last = way
        if not is_none:
            self.account.decisions += 1
            self.account.waits += way == WAIT
            self.account.persons += way == PERSON
            actions = {*after_the_job(seen), way} - {WAIT, PERSON}
            self.account.right += way in right_ways(found.incident, actions, at, again_at)


def after_the_job(seen: Seen) -> list[str]:
    """The actions that no guard cuts but for a job that runs: it ends."""
    kept = {each["action"] for each in seen.advice["refused_by"] if each["guard"] not in JOB_GUARDS}
    return [each for each in seen.ladder if each not in kept and each not in seen.tried]


def right_ways(incident: Incident, actions: Collection[str], at: float, again_at: float) -> set[str]:
    """The ways that turn out to be right at this moment, of these actions, to wait, and a person.

    An action is, that mends and costs no job, unless the node is back by itself within an hour. To wait is, where the
    node is back before somebody looks again. Where none of these is: to wait, if the node is back by itself, its job
    gone or the shared fault mended sooner than a person helps; else the person.
    """
    right = {action for action in actions if _is_right(incident, action, at)}
    if incident.healed_at <= again_at:
        right.add(WAIT)
    if not right:
        soon = [each for each in (incident.healed_at, incident.repaired_at, incident.job_until) if each > at]
        right.add(WAIT if min(soon, default=math.inf) <= at + PERSON_H else PERSON)
    return right


def _is_right(incident: Incident, action: str, at: float) -> bool:
    is_needless = incident.healed_at <= at + NEEDLESS_H
    return incident.is_mended_by(action, at) and not incident.is_harmed_by(action, at) and not is_needless


def step_left(age_h: float) -> float:
    """The hours until the step of the life table ends that this age is in."""
    return next((end for end in AGES_H if age_h < end), age_h + 24) - age_h


def _following(incidents: Sequence[Incident]) -> dict[tuple[str, float], float]:
    """When the next incident of the same node begins, by node and begin."""
    last: dict[str, float] = {}
    found = {}
    for incident in incidents:
        node = incident.node.name
        if node in last:
            found[node, last[node]] = incident.begins_at
        last[node] = incident.begins_at
    return found


# ---- readings ----

_DISK = {
    "size": 100 << 30, "free": 40 << 30, "used_percent": 60.0, "mounted": True, "read_only": False, "hung": False,
}  # fmt: skip
_SOUND: Mapping[str, object] = {
    "ping": 0.3, "ssh": "up", "uptime": 86400, "load": 0.1, "users": [], "df_scratch": _DISK, "df_tmp": _DISK,
    "memory": {"size": 62 << 30, "free": 60 << 30, "expected": 62 << 30},
    "slurmd": {"running": True, "version": "22.05.8"}, "slurmd_log": [], "jobs": [], "last_job": None,
    "ipmi_reachable": True, "ipmi_state": "on", "sel": {"part": None, "what": None, "at": None, "lines": []},
    "dstate": [], "df_var": _DISK, "gpus": 0,
}  # fmt: skip
"""What the checks read on a sound node; a check that has no answer here was never taken."""


def _logged(state: str, part: str, what: str) -> tuple[str, object, str]:
    return state, {"part": part, "what": what, "at": "2026-01-01 00:00:00", "lines": []}, f"{part}: {what}"


def _hangs(in_what: str) -> tuple[str, object, str]:
    return "warn", [f"dd (4711) of daria in {in_what}"], f"1 process hangs in the kernel: dd in {in_what}"


TRACES: Mapping[str, tuple[str, tuple[str, object, str]]] = {
    "sel: OS stop": ("sel", _logged("warn", "operating system", "stopped (panic)")),
    "sel: memory": ("sel", _logged("fail", "memory", "uncorrectable error")),
    "sel: power supply": ("sel", _logged("fail", "power supply", "failed")),
    "sel: temperature": ("sel", _logged("fail", "temperature", "above its critical limit")),
    "dstate: ext4": ("dstate", _hangs("ext4_file_write_iter")),
    "dstate: nfs": ("dstate", _hangs("rpc_wait_bit_killable")),
    "dstate: driver": ("dstate", _hangs("nvidia_poll")),
    "df_var: full": ("df_var", ("fail", {**_DISK, "free": 0, "used_percent": 100.0}, "0 B free")),
    "gpu: count": ("gpus", ("fail", 1, "3 of 4 GPUs")),
}
"""What the checks of the finer evidence read of a trace. No check of the program's sees a switch's port."""


@cache
def _readings(look: str, has_job: bool, traces: tuple[str, ...] = ()) -> NodeReadings:
    bad = {**LOOKS[look].bad, **dict(TRACES[trace] for trace in traces if trace in TRACES)}
    unread = {*(NO_LOGIN if "ssh" in bad else ()), *(("sel",) if "ipmi_reachable" in bad else ())}
    told = {name: found for name, found in bad.items() if name not in unread or name in LOOKS[look].bad}
    return {name: _reading(name, told, has_job, "ssh" in bad) for name in CHECKS}


def _reading(name, bad, has_job, is_shut):
    state, value, detail = bad.get(name, ("ok", _SOUND.get(name), ""))
    if name == "jobs" and has_job:
        value = ["44320"]
    if name not in bad and (name not in _SOUND or (is_shut and name in NO_LOGIN)):
        state, value = "skipped", None
    return {"state": state, "value": value, "unit": None, "at": "2026-01-01T00:00:00.000Z", "took_s": 0.1,
            "detail": detail}  # fmt: skip


def _slurm(incident: Incident, at: float) -> SlurmNode:
    look = LOOKS[incident.look]
    state = "draining" if look.state == "drained" and incident.has_job(at) else look.state
    base, flags, strange = _read_state(state)
    by = "jd" if incident.look == "a person" else "root"
    return SlurmNode(
        incident.node.name, state, base, flags, strange, look.reason, by, moment(incident.begins_at),
        (incident.node.hardware,),
    )  # fmt: skip


_read_state = cache(from_text)


class _Site:
    """The nodes and groups, as far as neighbours are told by them."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        by_group: dict[str, list[str]] = defaultdict(list)
        for node in nodes:
            by_group[node.hardware].append(node.name)
            by_group[node.rack].append(node.name)
        self.groups = {name: Group(name, "", tuple(members)) for name, members in by_group.items()}
        self.partitions = {name: tuple(by_group[name]) for name in {node.hardware for node in nodes}}
        self.switches = ()
        self.count = len(nodes)
        self.nodes: dict[str, SlurmNode] = {}
        self._names = tuple(node.name for node in nodes)

    def names(self) -> Sequence[str]:
        return self._names

    def neighbours(self, ill: Collection[_Open], at: float) -> Neighbours:
        """What those that are ill have in common."""
        looks = {}
        for each in ill:
            if (look := _look(each.incident.look)) != FINE:
                looks[each.incident.node.name] = look
        self.nodes = {each.incident.node.name: _slurm(each.incident, at) for each in ill}
        return meet(self, looks)


@cache
def _look(look: str):
    return look_at(_readings(look, has_job=False))
