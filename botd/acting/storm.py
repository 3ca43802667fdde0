"""Whether so many nodes fell ill at once that it is a fault of what they share, which no action on each mends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from botd.acting.limits import Storm, parse_share

WINDOW = timedelta(minutes=15)


def why_storm(
    limits: Storm,
    nodes: int | None,
    ill_since: Mapping[str, datetime] | None,
    groups: Mapping[str, Collection[str]] | None,
    now: datetime,
) -> str:
    """Why it is one, in words; empty where it is none. What is not known may be one.

    `ill_since` is when each node that is ill now fell ill. A time to come is a clock that was set back: it counts.
    """
    if nodes is None or ill_since is None or groups is None:
        return "which nodes fell ill lately is not known"
    ill = {node for node, at in ill_since.items() if at > now - WINDOW}
    if len(ill) >= parse_share(limits.nodes_in_15min).of(nodes):
        return f"{len(ill)} in 15 min"
    struck = (name for name in sorted(groups) if _is_struck(limits, len(ill.intersection(groups[name])), groups[name]))
    name = next(struck, None)
    return f"{len(ill.intersection(groups[name]))} of the {len(groups[name])} of {name} in 15 min" if name else ""


def _is_struck(limits: Storm, ill: int, group: Collection[str]) -> bool:
    return len(group) >= limits.group_least and ill > 0 and ill * 100 >= limits.group_percent * len(group)
