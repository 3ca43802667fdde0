"""What a time was like: how available partitions were, what kept nodes out of service, which left it again. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from botd.history.bands import Band, bands
from botd.history.changes import IN_SERVICE, NOT_LISTED
from botd.history.incidents import offenders
from botd.model import DIAGNOSIS, SLURM, Change
from botd.nodeset import natural_key

TOLD = (SLURM, DIAGNOSIS)
"""The subjects that it is made of."""

NO_CAUSE = "no diagnosis"

REPEATS = 2
"""Incidents from which on a node is a repeater."""

Kind = Literal["in_service", "out", "unknown"]


class Standing(NamedTuple):
    """A node as it is now: the word of Slurm's state in the history, and the title of its diagnosis, or nothing."""

    slurm: str
    diagnosis: str


@dataclass(frozen=True)
class ReportRow:
    """A partition, a cause or a repeater. Times are hours of all its nodes together; null is "not known"."""

    about: Literal["partition", "cause", "repeater"]
    name: str
    nodes: int
    out_h: float
    in_service_h: float | None = None
    unknown_h: float | None = None
    available_percent: float | None = None
    incidents: int | None = None
    imported: int | None = None


@dataclass(frozen=True)
class Period:
    """A time that is over, or goes on until now. `asked` is its begin where the record begins later."""

    since: datetime
    until: datetime
    now: datetime
    asked: datetime | None = None


@dataclass(frozen=True)
class _Node:
    """What a node's time was spent on, in seconds, and that out of service by cause."""

    spent: Counter[Kind]
    causes: Counter[str]


def report(
    nodes: Mapping[str, Standing],
    changes: Iterable[Change],
    partitions: Mapping[str, Sequence[str]],
    period: Period,
    imported: Iterable[Change] = (),
) -> list[ReportRow]:
    """Partitions by name, causes by the time that they took, repeaters by the number of their incidents.

    `changes` are those of TOLD since the period began, in the order of their recording, also those behind its end: from
    what a node is now it is told backwards what it was. `imported` are incidents that count for repeaters alone.
    """
    by_node: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_node[change.node].append(change)
    told = {name: _node(standing, by_node.get(name, []), period) for name, standing in nodes.items()}
    recorded = (change for found in by_node.values() for change in found)
    within = [change for change in (*recorded, *imported) if change.at < period.until]
    return [*_partitions(partitions, told), *_causes(told), *_repeaters(within, told)]


def _node(now: Standing, changes: Sequence[Change], period: Period) -> _Node:
    standing = list(_clipped(SLURM, now.slurm, changes, period))
    diagnosed = list(_clipped(DIAGNOSIS, now.diagnosis, changes, period))
    spent: Counter[Kind] = Counter()
    causes: Counter[str] = Counter()
    for band in standing:
        spent[_kind(band.word)] += _seconds(band.begin, band.end)
        if _kind(band.word) == "out":
            for why in diagnosed:
                causes[why.word or NO_CAUSE] += _seconds(max(band.begin, why.begin), min(band.end, why.end))
    return _Node(spent, causes)


def _clipped(subject: str, word: str, changes: Sequence[Change], period: Period) -> Iterator[Band]:
    """The words of a subject within the period."""
    newest_first = [change for change in reversed(changes) if change.subject == subject]
    for band in bands(newest_first, word, period.since, period.now):
        if band.begin < period.until:
            yield Band(band.begin, min(band.end, period.until), band.word)


def _kind(word: str) -> Kind:
    """What a word of Slurm's state counts as; a node that Slurm did not have is not known."""
    if word.startswith(IN_SERVICE):
        return "in_service"
    return "unknown" if word in ("", NOT_LISTED) else "out"


def _partitions(partitions: Mapping[str, Sequence[str]], told: Mapping[str, _Node]) -> Iterator[ReportRow]:
    for name in sorted(partitions, key=natural_key):
        members = [told[node] for node in partitions[name] if node in told]
        spent = sum((node.spent for node in members), Counter[Kind]())
        known = spent["in_service"] + spent["out"]
        if members:
            yield ReportRow(
                "partition",
                name,
                len(members),
                _hours(spent["out"]),
                _hours(spent["in_service"]),
                _hours(spent["unknown"]),
                round(100 * spent["in_service"] / known, 2) if known else None,
            )


def _causes(told: Mapping[str, _Node]) -> list[ReportRow]:
    taken: Counter[str] = sum((node.causes for node in told.values()), Counter())
    counts = Counter(cause for node in told.values() for cause, seconds in node.causes.items() if seconds)
    return [ReportRow("cause", cause, counts[cause], _hours(seconds)) for cause, seconds in taken.most_common()]


def _repeaters(changes: Iterable[Change], told: Mapping[str, _Node]) -> Iterator[ReportRow]:
    """Those that Slurm took out of service again; `offenders` counts logins that fail as well."""
    bad = [change for change in changes if change.is_bad and change.subject == SLURM and change.node in told]
    for each in offenders(bad):
        if each.incidents >= REPEATS:
            out_h = _hours(told[each.node].spent["out"])
            yield ReportRow("repeater", each.node, 1, out_h, incidents=each.incidents, imported=each.imported)


def _seconds(begin: datetime, end: datetime) -> int:
    return max(0, round((end - begin).total_seconds()))


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 2)
