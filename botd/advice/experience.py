"""What this site has seen, as one value: outcomes counted by day, and how many nodes healed alone.

The agent counts it and puts a copy on the board, so that it and every page weigh by the same. It stands for a whole
day: outcomes age by days, and two loads of a page agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from botd.advice.confidence import GUESS_WEIGHT, Bound, Counts, Tally, bound, chance, hope, tally
from botd.advice.guesses import guess
from botd.advice.waiting import Spell, Step, life_table
from botd.documents import encode


class Weighed(NamedTuple):
    """An action for a diagnosis on a kind of hardware.

    `chance` is that it mends, `hope` how high that may well be, and `harm` that it costs a job; `shown` is what may be
    said of it, None for too few to say, and `tally` what it was reckoned from.
    """

    chance: float
    hope: float
    harm: float
    shown: Bound | None
    tally: Tally


@dataclass(frozen=True)
class Experience:
    """As of a day: the outcomes, and the life table of each diagnosis. What is worked out of it is worked out once."""

    as_of: date = date.min
    counts: tuple[Counts, ...] = ()
    tables: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    _weighed: dict[tuple[str, str, str], Weighed] = field(default_factory=dict, compare=False, repr=False)

    def weigh(self, diagnosis: str, action: str, hardware: str) -> Weighed:
        """What is known of an action."""
        key = (diagnosis, action, hardware)
        if (found := self._weighed.get(key)) is None:
            found = self._weighed[key] = self._weigh(*key)
        return found

    def _weigh(self, diagnosis: str, action: str, hardware: str) -> Weighed:
        rows = self._by_action.get((diagnosis, action), ())
        found = tally(rows, diagnosis, action, hardware, self.as_of)
        harm = found.harms / (GUESS_WEIGHT + found.all.of)  # without any it is none: guards see to that
        guessed = guess(diagnosis, action)
        return Weighed(chance(found, guessed), hope(found, guessed), harm, bound(found), found)

    @cached_property
    def _by_action(self) -> Mapping[tuple[str, str], Sequence[Counts]]:
        found: dict[tuple[str, str], list[Counts]] = {}
        for row in self.counts:
            found.setdefault((row.diagnosis, row.action), []).append(row)
        return found

    @cached_property
    def edition(self) -> str:
        """A hash of it: two that are the same weigh the same."""
        return hashlib.blake2b(encode(self.document()), digest_size=8).hexdigest()

    def document(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {
            "as_of": self.as_of.isoformat(),
            "counts": [[*row[:3], row.day.isoformat(), *row[4:]] for row in self.counts],
            "tables": {name: [list(step) for step in table] for name, table in sorted(self.tables.items())},
        }


UNTRIED = Experience()
"""That of the first day."""


def experience_of(counts: Iterable[Counts], spells: Iterable[Spell], today: date) -> Experience:
    """What was counted up to today."""
    spells = list(spells)
    tables = {name: life_table(spells, name) for name in sorted({each.diagnosis for each in spells})}
    return Experience(today, tuple(sorted(counts)), MappingProxyType(tables))


def read_experience(document: Any) -> Experience:
    """It from JSON. Raises ValueError, TypeError or LookupError for what is none."""
    counts = (
        Counts(str(d), str(a), str(h), date.fromisoformat(day), str(source), int(good), int(bad), int(harms))
        for d, a, h, day, source, good, bad, harms in document["counts"]
    )
    tables = {
        str(name): tuple(Step(float(b), float(e), int(healed), float(of)) for b, e, healed, of in table)
        for name, table in document["tables"].items()
    }
    return Experience(date.fromisoformat(document["as_of"]), tuple(counts), MappingProxyType(tables))
