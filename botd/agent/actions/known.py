"""What the agent knows of nodes beside the look of the moment: readings, diagnoses, history. What a page shows of it is
worked out in the same way from the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from botd.access.conditions import Situation
from botd.acting.actions import Weight
from botd.acting.guards import Look
from botd.acting.storm import WINDOW
from botd.advice.case import Case
from botd.advice.hardware import hardware_of
from botd.advice.morning import NIGHT, Morning, next_morning
from botd.advice.neighbours import is_silent
from botd.advice.reasons import Author, Part, read_reason
from botd.advice.recommend import evidence_of, recommend
from botd.advice.rules import REPEATS
from botd.advice.weighing import GUESSED, Scales
from botd.checks import Checks
from botd.documents import NodeReadings, RecommendationDocument
from botd.errors import StoreUnavailable
from botd.history.incidents import incident_subjects, offenders
from botd.history.past import NOTHING, NodePast, Pasts
from botd.inventory import Inventory
from botd.inventory.states import is_out_of_service
from botd.ledger.actions import Stored
from botd.model import Clock, SlurmNode
from botd.settings import AdviceSettings
from botd.store import Store

USUAL = AdviceSettings()

OWN = "botd: "
"""How a reason begins that botd gave."""


class Known:
    """The nodes as the agent has them. Used from any thread."""

    def __init__(
        self,
        checks: Checks,
        store: Store,
        inventory: Callable[[], Inventory],
        readings: Callable[[], Mapping[str, NodeReadings]],
        clock: Clock,
        advice: AdviceSettings = USUAL,
        scales: Callable[[], Scales] = lambda: GUESSED,
    ) -> None:
        self._checks = checks
        self._advice = advice
        self._scales = scales
        self._store = store
        self._inventory = inventory
        self._readings = readings
        self._clock = clock
        self._pasts = Pasts(store.changes, checks, clock)
        self._lock = threading.Lock()
        self._morning: Morning = NIGHT
        self._read: Mapping[str, NodeReadings] = {}

    @property
    def inventory(self) -> Inventory:
        """The node list of now."""
        return self._inventory()

    def evidence(self, node: str, look: Look) -> str | None:
        """What a person who looks at the node now would see, as a hash; None where that cannot be worked out.

        Where Slurm has another reason by now than the node list, or has it in or out of service since, it is what the
        list will say: nobody has looked at that yet.
        """
        morning = self._next_morning()
        listed = self.inventory.nodes.get(node)
        if morning is None:
            return None
        if look.slurm is None or _says(look.slurm) == _says(listed):
            return evidence_of(node, listed, morning.given.get(node))
        case = Case(
            node,
            look.slurm,
            self._of(node),
            self._checks,
            self._past(node),
            morning.neighbours,
            ours=self._scales().ours,
            tried=self._scales().tried_on.get(node, ()),
        )
        return evidence_of(node, look.slurm, recommend(case))

    def situation(self, node: str, look: Look, login: str, done: Sequence[Stored]) -> Situation:
        """The node for the conditions of roles. `done` are all actions on it, which tell whose its reason is."""
        readings, slurm, morning = self._of(node), look.slurm, self._next_morning()
        advice = morning.given.get(node) if morning else None
        users = readings.get("users")
        return Situation(
            out_of_service=None if slurm is None else is_out_of_service(slurm),
            silent=is_silent(readings) if readings else None,
            power=look.power or _value(readings, "ipmi_state"),
            human_reason=human_reason(slurm, login, done),
            reason_is_ours=_is_ours(slurm, done),
            recommended=advice["action"] if advice else None,
            cut={each["action"]: each["words"] for each in advice["refused_by"]} if advice else {},
            confident=self._confident(advice),
            seen_age_s=_age_s(readings, self._clock()),
            users=_users(users["value"]) if users and users["state"] in ("ok", "warn", "fail") else None,
            repeated=None if morning is None else self._past(node).incidents >= REPEATS,
        )

    def advice(self, node: str) -> tuple[RecommendationDocument | None, str]:
        """What is told of a node, None for nothing, and what kind of hardware it is of."""
        morning = self._next_morning()
        return morning.given.get(node) if morning else None, hardware_of(self.inventory, node, self._advice.hardware)

    def _confident(self, advice: RecommendationDocument | None) -> dict[str, bool]:
        """Whether the bound that is shown of an action is high enough, for those of which enough were counted."""
        ways = advice["ranked"] if advice else []
        bounds = {way["action"]: way["confidence"]["at_least"] for way in ways if way["confidence"]}
        return {action: bound >= self._advice.confident for action, bound in bounds.items() if bound is not None}

    def ill_since(self) -> dict[str, datetime] | None:
        """When each node fell ill that did so lately; None where that is not known.

        What botd drained is not ill, and what was so already when the record began is not new.
        """
        since = self._clock() - WINDOW - timedelta(minutes=1)
        try:
            found = self._store.changes.bad_since(since, incident_subjects(self._checks))
        except StoreUnavailable:
            return None
        new = (change for change in found if change.old and OWN not in change.why)
        return {each.node: each.last_at for each in offenders(new)}

    def incident(self, node: str) -> str:
        """When the node's incident began, as far as its history tells; empty where it does not."""
        since = self._past(node).since
        return min((at.isoformat() for name, at in since.items() if name in ("ssh", "ping")), default="")

    def _of(self, node: str) -> NodeReadings:
        return self._readings().get(node, {})

    def _past(self, node: str) -> NodePast:
        with self._lock:
            try:
                return self._pasts.of([node]).get(node, NOTHING)
            except StoreUnavailable:
                return NodePast(incidents=REPEATS)  # not known: it may be one that falls ill again and again

    def _next_morning(self) -> Morning | None:
        """The diagnoses of now, None where the history cannot be read. Worked out anew for what is new."""
        with self._lock:
            readings = self._readings()
            changed = [node for node, found in readings.items() if self._read.get(node) is not found]
            try:
                self._morning = next_morning(
                    self._morning, self.inventory, readings, changed, self._checks, self._pasts.of, self._scales()
                )
            except StoreUnavailable:
                return None
            self._read = readings
            return self._morning


def human_reason(slurm: SlurmNode | None, login: str, done: Sequence[Stored]) -> str | None:
    """The reason of a person other than this one, empty where there is none; None where it is not known.

    A reason that botd wrote is that of who pressed, by its id in the ledger; one that the ledger does not have is
    somebody's, nobody knows whose. A node that is out for no reason at all is a person's too.
    """
    if slurm is None:
        return None
    if not is_out_of_service(slurm):
        return ""
    parts = read_reason(slurm.reason, _hard(done))
    if not parts:
        return "" if slurm.reason_by == login else "it is out, and nobody said why"
    others = [part.text for part in parts if part.is_a_persons and not _is_of(part, slurm, login, done)]
    return others[0] if others else ""


def _is_of(part: Part, slurm: SlurmNode, login: str, done: Sequence[Stored]) -> bool:
    if part.by:
        number = part.text.split()[2]
        return any(str(each.id) == number and each.login == login for each in done)
    return slurm.reason_by == login


def _is_ours(slurm: SlurmNode | None, done: Sequence[Stored]) -> bool | None:
    if slurm is None:
        return None
    parts = read_reason(slurm.reason, _hard(done))
    return is_out_of_service(slurm) and bool(parts) and all(part.author is Author.BOTD for part in parts)


def _hard(done: Sequence[Stored]) -> frozenset[str]:
    return frozenset(str(each.id) for each in done if each.weight == Weight.HARD and not each.is_dry)


def _says(slurm: SlurmNode | None) -> tuple[object, ...] | None:
    return None if slurm is None else (is_out_of_service(slurm), slurm.reason, slurm.reason_by, slurm.reason_at)


def _value(readings: NodeReadings, check: str) -> str | None:
    found = readings.get(check)
    return str(found["value"]) if found and found["state"] == "ok" and found["value"] in ("on", "off") else None


def _age_s(readings: NodeReadings, now: datetime) -> float | None:
    ages = [(now - datetime.fromisoformat(each["at"])).total_seconds() for each in readings.values() if each["at"]]
    return min(ages, default=None)


def _users(value: object) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list) else None
