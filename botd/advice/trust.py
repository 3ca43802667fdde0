"""How good botd's word is: the chances that were told before, beside what came of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypedDict

from botd.advice.experience import Experience

ENOUGH = 30
"""With fewer outcomes nothing is said of a tenth, nor of all of it."""

OFF = 0.1
"""How far what came may be from what was told."""


class Saying(NamedTuple):
    """A chance that was told before an action, and whether it came true."""

    p: float
    is_good: bool


class TenthDocument(TypedDict):
    """What was told between `low` and `high`: on average `told`, and what came of it."""

    low: float
    high: float
    told: float
    good: int
    of: int


class CountedDocument(TypedDict):
    """What was counted of an action for a diagnosis, on all hardware, by who acted; `at_least` as it is shown."""

    diagnosis: str
    action: str
    good: int
    of: int
    at_least: float | None
    own: int
    observed: int
    imported: int
    harms: int


class TrustDocument(TypedDict):
    """How good botd's word is, as of a day.

    `brier` is the mean of the squares by which chances were off (0 is best), `brier_constant` that of who always tells
    the share that came true in the end; null without any outcome. `words` say what that means.
    """

    as_of: str
    good: int
    of: int
    brier: float | None
    brier_constant: float | None
    tenths: list[TenthDocument]
    counted: list[CountedDocument]
    words: list[str]


def trust_document(sayings: Sequence[Saying], experience: Experience) -> TrustDocument:
    """What there is to say of it."""
    good, of = sum(each.is_good for each in sayings), len(sayings)
    brier = _mean((each.p - each.is_good) ** 2 for each in sayings)
    constant = good / of * (1 - good / of) if of else None
    tenths = list(_tenths(sayings))
    return {
        "as_of": experience.as_of.isoformat(),
        "good": good,
        "of": of,
        "brier": brier,
        "brier_constant": None if constant is None else round(constant, 4),
        "tenths": tenths,
        "counted": list(_counted(experience)),
        "words": [_in_words(of, brier, constant), *filter(None, map(_off, tenths))],
    }


def _tenths(sayings: Iterable[Saying]) -> Iterator[TenthDocument]:
    found: dict[int, list[Saying]] = {}
    for each in sayings:
        found.setdefault(min(9, int(each.p * 10)), []).append(each)
    for tenth, these in sorted(found.items()):
        told = sum(each.p for each in these) / len(these)
        good = sum(each.is_good for each in these)
        yield {"low": tenth / 10, "high": (tenth + 1) / 10, "told": round(told, 3), "good": good, "of": len(these)}


def _counted(experience: Experience) -> Iterator[CountedDocument]:
    """Every action for every diagnosis of which there is an outcome."""
    for diagnosis, action in sorted({(row.diagnosis, row.action) for row in experience.counts}):
        weighed = experience.weigh(diagnosis, action, "")
        rows = [row for row in experience.counts if (row.diagnosis, row.action) == (diagnosis, action)]
        by = {source: sum(row.good + row.bad for row in rows if row.source == source) for source in _SOURCES}
        count, shown = weighed.tally.all, weighed.shown
        yield {
            "diagnosis": diagnosis,
            "action": action,
            "good": round(count.good),
            "of": round(count.of),
            "at_least": shown.at_least if shown else None,
            "own": by["own"],
            "observed": by["observed"],
            "imported": by["imported"],
            "harms": weighed.tally.harms,
        }


_SOURCES = ("own", "observed", "imported")


def _in_words(of: int, brier: float | None, constant: float | None) -> str:
    if brier is None or constant is None:
        return "No action was judged yet for which a chance had been told: how good botd's word is cannot be said."
    if of < ENOUGH:
        return f"{of} outcome{'s' if of > 1 else ''} so far: too few to say how good botd's word is."
    better = "better than" if brier < constant else "no better than"
    return f"By {of} outcomes it is {better} always telling the same: off by {brier:.3f}, that by {constant:.3f}."


def _off(tenth: TenthDocument) -> str:
    came = tenth["good"] / tenth["of"]
    if tenth["of"] < ENOUGH or abs(came - tenth["told"]) <= OFF:
        return ""
    much = "too much" if came < tenth["told"] else "too little"
    said = f"Where it told {100 * tenth['told']:.0f} %, {tenth['good']} of {tenth['of']} came true"
    return f"{said} ({100 * came:.0f} %): it tells {much} there."


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None
