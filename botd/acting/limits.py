"""How much may be done: caps, breaker and storm with their defaults, and a share of a number of nodes.

These are sections of the roles file, in which they may be made narrower or wider.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Caps:
    """[caps]: how many actions. A text is a share of all nodes, or of the group's."""

    node_hard_per_6h: int = 1
    node_hard_per_7d: int = 2
    node_soft_per_24h: int = 3
    hard_per_hour: str = "min(6, 4%)"
    group_hard_per_hour: str = "min(5, 2%)"
    groups: tuple[str, ...] = ()  # empty are Slurm's partitions
    at_once: int = 3
    soft_at_once: int = 16


@dataclass(frozen=True)
class Breaker:
    """[breaker]: what opens it: more hard actions than this, or so many bad ends among the last ten."""

    hard_in_60min: str = "min(8, 5%)"
    bad_of_last_10: int = 5


@dataclass(frozen=True)
class Storm:
    """[storm]: how many nodes newly ill in 15 min are one, or which part of a group that has at least so many."""

    nodes_in_15min: str = "max(20, 3%)"
    group_percent: int = 33
    group_least: int = 15


@dataclass(frozen=True, slots=True)
class Share:
    """A number, a percentage of some nodes, or the smaller or larger of both. `pick` is `min` or `max`."""

    pick: str
    count: int | None
    percent: float | None

    def of(self, nodes: int) -> int:
        """The number for so many nodes: a percentage rounds up, and nothing is less than 1."""
        # 7 % of 100 is 7.000000000000001 in floating point, which must not become 8.
        part = None if self.percent is None else math.ceil(round(nodes * self.percent / 100, 6))
        known = [value for value in (self.count, part) if value is not None]
        return max(1, max(known) if self.pick == "max" else min(known))


_COUNT, _PERCENT = r"(?P<count>[1-9][0-9]{0,5})", r"(?P<percent>[0-9]{1,3}(?:\.[0-9]{1,3})?)%"
_SHARES = tuple(
    re.compile(shape) for shape in (_COUNT, _PERCENT, rf"(?P<pick>min|max)\(\s*{_COUNT}\s*,\s*{_PERCENT}\s*\)")
)


def parse_share(text: str) -> Share:
    """The share in `6`, `4%`, `min(6, 4%)` or `max(20, 3%)`. Raises ValueError for all else."""
    found = next((match for shape in _SHARES if (match := shape.fullmatch(text.strip()))), None)
    named = found.groupdict() if found else {}
    percent = float(named["percent"]) if named.get("percent") else None
    if not found or not (percent is None or 0 < percent <= 100):
        raise ValueError(f'cannot read "{text[:60]}": write "6", "4%", "min(6, 4%)" or "max(20, 3%)", never 0')
    return Share(named.get("pick") or "min", int(named["count"]) if named.get("count") else None, percent)
