"""What would come of an action on a node now, as far as it is known here: what stands in its way, and what is left.

The agent looks at everything afresh when somebody presses, and is the only one to decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypedDict

from botd.access.judge import Person, roles_of
from botd.access.requests import MAX_NODES
from botd.access.roles import Role, Roles
from botd.acting.actions import BY_NAME, WEIGHTS, Weight
from botd.acting.caps import Cluster, Gauge, gauges, why_capped
from botd.acting.guards import Look, Scene, When, refusals
from botd.acting.halts import why_off
from botd.acting.moves import LOCKING
from botd.acting.reach import why_elsewhere
from botd.acting.told import ActionDocument, SpendDocument, SwitchesDocument
from botd.advice.case import not_green
from botd.advice.reasons import read_reason
from botd.advice.recommend import evidence_of
from botd.board.actions import may_have_happened, met_other_bmc
from botd.documents import NodeReadings, Time, iso
from botd.inventory import Inventory
from botd.inventory.networks import Network
from botd.inventory.states import is_out_of_service
from botd.model import SlurmNode
from botd.view import View

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class GaugeDocument(TypedDict):
    """A cap: what it counts, how many are used, of how many, and how many are left. Null is "not known".

    `free_at` is when the next is free, null where none is waited for.
    """

    words: str
    used: int | None
    most: int | None
    left: int
    free_at: Time | None


class StandsDocument(TypedDict):
    """What stands in the way of an action: the guard, the code of the error, and the words."""

    guard: str
    code: str
    words: str


class NodeOutlookDocument(TypedDict):
    """A node as who presses sees it: the evidence, and by action what stands in its way and the caps it comes under."""

    evidence: str
    stands: dict[str, list[StandsDocument]]
    caps: dict[str, list[GaugeDocument]]


@dataclass(frozen=True)
class Prospect:
    """All that an outlook is made of. `mode` is that of [actions], `switches` None where no agent has told of them."""

    view: View
    networks: Sequence[Network]
    roles: Roles
    person: Person
    mode: str
    switches: SwitchesDocument | None
    unsettled: Sequence[ActionDocument]
    spent: Sequence[SpendDocument]
    now: datetime

    @property
    def is_dry(self) -> bool:
        """Whether a press is a dry run."""
        return self.mode == "dry-run"

    @cached_property
    def counted(self) -> Sequence[_Spend]:
        """What counts for such a press: what dry runs have spent is never mixed with what real actions have."""
        return [_spend(each) for each in self.spent if each["dry"] is self.is_dry]


@dataclass(frozen=True)
class _Spend:
    node: str
    action: str
    weight: str
    at: datetime
    incident: str
    is_free: bool
    was_sent: bool
    login: str
    role: str


def outlook(prospect: Prospect, node: str, names: Collection[str] = tuple(WEIGHTS)) -> NodeOutlookDocument:
    """The outlook for a node, for the actions of these names."""
    inventory, slurm = prospect.view.inventory, prospect.view.inventory.nodes.get(node)
    evidence = evidence_of(node, slurm, prospect.view.morning.given.get(node))
    spent, cluster = prospect.counted, _cluster(inventory, prospect, node)
    caps = {name: _gauges(prospect, WEIGHTS[name], node, spent, cluster) for name in names}
    scene = _scene(prospect, node, slurm, evidence)
    return {
        "evidence": evidence,
        "stands": {name: list(_stands(scene, name, why_capped(found), prospect)) for name, found in caps.items()},
        "caps": {name: [*map(_gauge, found), *_roles(prospect, name, spent)] for name, found in caps.items()},
    }


def places(prospect: Prospect, action: str) -> int:
    """On how many nodes an action may be asked for together: a hard one needs a place for each, and waits for none."""
    if WEIGHTS[action] is not Weight.HARD:
        return MAX_NODES
    return max(0, prospect.roles.caps.at_once - _under_way(prospect).count(Weight.HARD))


# ---- what stands in the way ----


def _stands(scene: Mapping[str, object], action: str, capped: str, prospect: Prospect) -> Iterator[StandsDocument]:
    elsewhere = why_elsewhere(prospect.networks, BY_NAME[action], str(scene["node"]))
    made = Scene(action=action, spent=capped, elsewhere=elsewhere, **scene)  # type: ignore[arg-type]
    for refusal in refusals(made, prospect.now, When.PRESS):
        yield {"guard": refusal.guard, "code": refusal.code, "words": refusal.words}


def _scene(prospect: Prospect, node: str, slurm: SlurmNode | None, evidence: str) -> Mapping[str, object]:
    told = prospect.switches
    here = [each for each in prospect.unsettled if each["node"] == node]
    held = next((each for each in here if each["state"] in LOCKING), None)
    unseen = next(filter(may_have_happened, here), None)
    other = next(filter(met_other_bmc, here), None)
    return {
        "node": node,
        "look": _look(slurm, prospect.view.readings.get(node, {}), prospect.now),
        "off": why_off(prospect.mode, is_dry=prospect.is_dry),
        "stopped": told and told["stop"],
        "ledger": told and told["ledger"],
        "roles": told and told["roles"],
        "clock": told and told["clock"],
        "has_code": True,
        "locked": f"{held['login'] or 'somebody'} has {held['action']} {held['id']} under way" if held else "",
        "unseen": f"{unseen['action']} {unseen['id']} may have happened" if unseen else "",
        "breaker": told and told["breaker"],
        "storm": told and told["storm"],
        "human_reason": _human_reason(slurm, prospect.person.name),
        "other_bmc": f"another BMC than last time answered {other['action']} {other['id']}" if other else "",
        "evidence": evidence,
        "evidence_now": evidence,
    }


def power_of(readings: NodeReadings) -> str | None:
    """`on` or `off` as the BMC said last; None where it is not known."""
    power = readings.get("ipmi_state")
    return power["value"] if power and power["value"] in ("on", "off") else None


def _look(slurm: SlurmNode | None, readings: NodeReadings, now: datetime) -> Look:
    """The node as it is known here; the agent reads it anew."""
    jobs = readings.get("jobs")
    listed = jobs["value"] if jobs and jobs["state"] == "ok" else None
    return Look(
        slurm=slurm,
        jobs=tuple(map(str, listed)) if slurm and isinstance(listed, list) else None,
        slurm_at=now,
        power=power_of(readings),
        power_at=now,
        bmc="",
        bad=not_green(readings) if readings else None,
    )


def _human_reason(slurm: SlurmNode | None, login: str) -> str | None:
    """The reason of a person other than who presses, empty for none; None where it is not known."""
    if slurm is None:
        return None
    others = [part.text for part in read_reason(slurm.reason) if part.is_a_persons]
    return others[0] if is_out_of_service(slurm) and others and slurm.reason_by != login else ""


# ---- what is left ----


def _gauges(
    prospect: Prospect, weight: Weight, node: str, spent: Sequence[_Spend], cluster: Cluster
) -> tuple[Gauge, ...]:
    return gauges(prospect.roles.caps, weight, node, spent, cluster, prospect.now)


def _cluster(inventory: Inventory, prospect: Prospect, node: str) -> Cluster:
    """What caps are shares of. Where a group that they name is not there, none is known: as the agent counts."""
    named = prospect.roles.caps.groups
    found = {name: inventory.groups[name].nodes for name in named if name in inventory.groups}
    every = found if named else inventory.partitions()
    groups = {name: nodes for name, nodes in every.items() if node in nodes} if len(found) == len(named) else None
    return Cluster(len(inventory.names()), groups, _under_way(prospect))


def _under_way(prospect: Prospect) -> list[str]:
    """The weight of each action that has the lock of its node."""
    return [each["weight"] for each in prospect.unsettled if each["state"] in LOCKING]


def _roles(prospect: Prospect, action: str, spent: Iterable[_Spend]) -> Iterator[GaugeDocument]:
    """What a role leaves this person of its own limits, for the roles that name the action."""
    mine = [each for each in spent if each.login == prospect.person.name]
    for role in roles_of(prospect.roles, prospect.person):
        if role.grants_action(action):
            yield from _of_role(role, [each.at for each in mine if each.role == role.name], prospect.now)


def _of_role(role: Role, spent: Sequence[datetime], now: datetime) -> Iterator[GaugeDocument]:
    limits = ((role.per_hour, HOUR, "in an hour"), (role.per_day, DAY, "in a day"))
    for most, window, words in limits:
        if most is not None:
            yield _gauge(Gauge(f"yours as {role.name} {words}", sum(at > now - window for at in spent), most))


def _gauge(gauge: Gauge) -> GaugeDocument:
    return {
        "words": gauge.words,
        "used": gauge.used,
        "most": gauge.most,
        "left": gauge.left,
        "free_at": iso(gauge.free_at),
    }


def _spend(told: SpendDocument) -> _Spend:
    at = datetime.fromisoformat(told["at"])
    same = {name: told[name] for name in ("node", "action", "weight", "incident", "login", "role")}
    return _Spend(**same, at=at, is_free=told["free"], was_sent=told["sent"])
