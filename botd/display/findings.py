"""What readings come to, in words: what is wrong with a node, how bad it is, and who could not be reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from botd.checks import Checks
from botd.display.cells import age, short_value
from botd.documents import NodeReadings, ReadingDocument
from botd.text import plain

UNREAD = "unread"

WORST = ("fail", "warn", "unknown", "ok", UNREAD)
"""How bad a node may be, worst first: the state of its worst reading, or that it has none yet."""


@dataclass(frozen=True, slots=True)
class BadReading:
    """A reading that needs a look: the check's title, the state, and the value in words."""

    title: str
    state: str
    text: str

    def __str__(self) -> str:
        """`SSH: timeout`, with the state behind it where it is not a failure: `Load: 1.60 (warn)`."""
        told = self.state == "fail" or self.text == self.state
        return f"{self.title}: {self.text}" if told else f"{self.title}: {self.text} ({self.state})"


@dataclass(frozen=True, slots=True)
class Survey:
    """The readings of many nodes in a few figures. Times are as in documents, None where nothing was read.

    `silent` counts what could not be reached, by the check that asked and in the order of the columns.
    """

    oldest: str | None
    newest: str | None
    unread: int
    silent: Mapping[str, int]

    def ages(self, now: datetime) -> str:
        """How old the readings are: `12 s to 4 min old`."""
        if self.newest is None:
            return "not taken yet"
        newest, oldest = age(self.newest, now), age(self.oldest, now)
        return f"{oldest} old" if newest == oldest else f"{newest} to {oldest} old"

    def reached(self, checks: Checks) -> str:
        """Who could not be reached, in a sentence; empty where no check asks that, or nothing was read."""
        counts = [(number, checks[name].silent) for name, number in self.silent.items()]
        told = [_count(number, *words) for number, words in counts if number and words]
        if not told and self.silent and self.newest:
            told = ["everything that was asked could be reached"]
        told += [_count(self.unread, "1 node was not read yet", "{} nodes were not read yet")] if self.unread else []
        return sentence(", ".join(told))


def findings(readings: NodeReadings, checks: Checks) -> list[BadReading]:
    """The readings of a node that are neither ok nor skipped, worst first, else in the order of the columns."""
    found = [
        BadReading(checks[name].title, reading["state"], plain(short_value(reading, checks[name])))
        for name, reading in readings.items()
        if reading["state"] not in ("ok", "skipped") and reading["at"]
    ]
    return sorted(found, key=lambda finding: WORST.index(finding.state))


def verdict(readings: NodeReadings, checks: Checks) -> str:
    """What is wrong with a node on one line, or how many checks are well: `16 checks ok`."""
    found = findings(readings, checks)
    if found:
        return "; ".join(map(str, found))
    counts = Counter(reading["state"] if reading["at"] else "not read" for reading in readings.values())
    if not counts["ok"]:
        return "not read yet" if counts["not read"] else "skipped"
    rest = [f"{counts[state]} {state}" for state in ("skipped", "not read") if counts[state]]
    return ", ".join([_count(counts["ok"], "1 check ok", "{} checks ok"), *rest])


def worst(readings: NodeReadings, names: Iterable[str]) -> str:
    """One of WORST for these checks of a node. A skipped reading says nothing: what it needs does."""
    states = {reading["state"] for name in names if (reading := readings.get(name)) and reading["at"]}
    return next((state for state in WORST if state in states), UNREAD)


def bad_first(names: Iterable[str], readings: Sequence[NodeReadings]) -> list[str]:
    """These checks, those with a reading that is not well first, else in their order. One never taken tells nothing."""
    wanted = list(names)
    bad = {name for name in wanted if any(_is_bad(found[name]) for found in readings)}
    return sorted(wanted, key=lambda name: name not in bad)


def _is_bad(reading: ReadingDocument) -> bool:
    state = reading["state"]
    return state in ("fail", "warn") or (state == "unknown" and reading["at"] is not None)


def survey(readings: Iterable[NodeReadings], names: Iterable[str], checks: Checks) -> Survey:
    """The figures of nodes, each given by its readings, over the checks of these names."""
    wanted = tuple(names)
    silent = {name: 0 for name in wanted if checks[name].silent}
    times: set[str] = set()
    unread = 0
    for found in readings:
        taken = {reading["at"] for name in wanted if (reading := found.get(name)) and reading["at"]}
        times |= taken
        unread += not taken
        for check in silent:
            silent[check] += check in found and found[check]["state"] == "fail"
    return Survey(min(times, default=None), max(times, default=None), unread, silent)


def sentence(text: str) -> str:
    """The text with a capital at its start and a full stop at its end."""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _count(number: int, one: str, many: str) -> str:
    return one if number == 1 else many.format(number)
