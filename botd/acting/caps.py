"""How much was done, and how much more may be: [caps] of the roles file, held against what was spent.

What is spent stands in the ledger, and is counted in the transaction that spends more. A spend of a time to come counts
as one of now, so that a clock that is set back frees nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from botd.acting.actions import Weight
from botd.acting.limits import Caps, parse_share

LONGEST = timedelta(days=7)
"""How far back spends are asked for."""


class Spend(Protocol):
    """An action that was reserved. `incident` is when the node's incident began, empty where that is not known."""

    @property
    def node(self) -> str:
        """The node."""

    @property
    def action(self) -> str:
        """Its name."""

    @property
    def weight(self) -> str:
        """Its weight."""

    @property
    def at(self) -> datetime:
        """When it was reserved."""

    @property
    def incident(self) -> str:
        """The incident."""

    @property
    def is_free(self) -> bool:
        """Whether it counts for no cap."""

    @property
    def was_sent(self) -> bool:
        """Whether it came so far that it was sent."""


@dataclass(frozen=True)
class Cluster:
    """What caps are shares of: how many nodes there are, and the nodes of each group that the node is in.

    Either is None where it is not known. `under_way` are the weights of the actions that hold a lock.
    """

    nodes: int | None
    groups: Mapping[str, Collection[str]] | None
    under_way: Sequence[str]


@dataclass(frozen=True, slots=True)
class Gauge:
    """One cap: what it counts in words, how many are used, of how many, and when the next is free.

    `used` or `most` is None where it is not known. `free_at` is None where no time frees it.
    """

    words: str
    used: int | None
    most: int | None
    free_at: datetime | None = None

    @property
    def left(self) -> int:
        """How many more there may be: none where it is not known."""
        return 0 if self.used is None or self.most is None else max(0, self.most - self.used)


def gauges(
    caps: Caps,
    weight: Weight,
    node: str,
    spent: Iterable[Spend],
    cluster: Cluster,
    now: datetime,
    *,
    free: bool = False,
) -> tuple[Gauge, ...]:
    """Every cap that one more action of this weight on this node comes under. A free one only waits for a place."""
    if weight is Weight.HARMLESS:
        return ()
    most = caps.at_once if weight is Weight.HARD else caps.soft_at_once
    at_once = Gauge(f"{weight} actions under way", sum(each == weight for each in cluster.under_way), most)
    counted = [each for each in spent if each.weight == weight and not each.is_free]
    return (at_once,) if free else (*_over_time(caps, weight, node, counted, cluster, now), at_once)


def why_capped(found: Iterable[Gauge]) -> str:
    """The first cap of which nothing is left, in words; empty where there is none."""
    full = next((gauge for gauge in found if gauge.left == 0), None)
    if full is None:
        return ""
    if full.used is None or full.most is None:
        return f"{full.words}: how many there may be is not known"
    until = f", the next at {full.free_at:%Y-%m-%d %H:%M} UTC" if full.free_at else ""
    return f"{full.words}: {full.used} of at most {full.most}{until}"


def is_free(action: str, node: str, incident: str, spent: Iterable[Spend]) -> bool:
    """Whether an action counts for no cap: it goes on with what botd has begun on this node.

    Power-on after a power-off or cycle that botd sent does. So does a second power-off (which is not soft), and a cycle
    after one or two of them, in one incident; the cycle ends that. An incident that is not known is none.
    """
    hard = sorted((s for s in spent if s.node == node and s.weight == Weight.HARD), key=lambda s: s.at)
    sent = [each for each in hard if each.was_sent]
    if action == "power-on":
        return bool(sent) and hard[-1] is sent[-1] and sent[-1].action in ("power-off", "power-cycle")
    if not incident:
        return False
    rungs = [each.action for each in sent if each.incident == incident]
    return (action, rungs) in _GO_ON


_OFF, _CYCLE = "power-off", "power-cycle"
_GO_ON = ((_OFF, [_OFF]), (_CYCLE, [_OFF]), (_CYCLE, [_OFF, _OFF]))
"""The action, and what was sent in the incident before it."""


def _over_time(
    caps: Caps, weight: Weight, node: str, spent: Sequence[Spend], cluster: Cluster, now: datetime
) -> Iterable[Gauge]:
    here = [each for each in spent if each.node == node]
    if weight is Weight.SOFT:
        yield _gauge("soft actions on the node in 24 h", here, caps.node_soft_per_24h, timedelta(hours=24), now)
        return
    hour = timedelta(hours=1)
    yield _gauge("hard actions on the node in 6 h", here, caps.node_hard_per_6h, timedelta(hours=6), now)
    yield _gauge("hard actions on the node in 7 days", here, caps.node_hard_per_7d, LONGEST, now)
    yield _gauge("hard actions in an hour", spent, _share(caps.hard_per_hour, cluster.nodes), hour, now)
    if cluster.groups is None:
        yield Gauge("hard actions in a group in an hour", None, None)
        return
    for name, nodes in sorted(cluster.groups.items()):
        members = [each for each in spent if each.node in nodes]
        most = _share(caps.group_hard_per_hour, len(nodes))
        yield _gauge(f"hard actions in {name} in an hour", members, most, hour, now)


def _share(text: str, nodes: int | None) -> int | None:
    return None if nodes is None else parse_share(text).of(nodes)


def _gauge(words: str, spent: Iterable[Spend], most: int | None, window: timedelta, now: datetime) -> Gauge:
    inside = sorted(each.at for each in spent if each.at > now - window)
    is_full = most is not None and 0 < most <= len(inside)
    return Gauge(words, len(inside), most, inside[len(inside) - (most or 0)] + window if is_full else None)
