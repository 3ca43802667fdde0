"""How good botd's word is: a simulated year of 1,000 nodes, gone through by several policies.

    python -m bench.trust [--years N] [--seed S] [--people day|always] [--rst] [--json FILE]

`bench.trust_causes` has what befalls the nodes, which was written down before any policy ran; no policy but the oracle
sees it. Each year begins with nothing counted. `make trust` is a year with people by day, and one with people always.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from bench.table import note
from bench.trust_policies import Counted, Fixed, Guarded, Informed, Oracle, Patient
from bench.trust_run import Account, Press, Run
from bench.trust_year import Year

POLICIES = {
    "fixed rules": Fixed,
    "fixed rules, guards": Guarded,
    "self-heal ladder, guards": Patient,
    "fixed rules, guards, finer evidence": Informed,
    "counted, with wait": Counted,
    "oracle": Oracle,
}
"""In the order of the table."""

LEAST_SHOWN = 10
"""Outcomes from which on a bin of the shown bound is judged."""


@dataclass(frozen=True)
class Line:
    """A policy, as the mean of its years: parts are 0 to 1, all else is a year's. None where it says no chances.

    `brier` is that of the chances which it gave, beside those of the share that came out good in that year and of the
    guess that is never updated. `held` of `bins` bins of the shown bound held: see `bins_of`.
    """

    policy: str
    right: float
    presses: float
    good: float
    harmful: float
    needless: float
    persons: float
    cost_h: float
    brier: float | None = None
    brier_constant: float | None = None
    brier_guess: float | None = None
    held: int = 0
    bins: int = 0


class Bin(NamedTuple):
    """A diagnosis, an action and a scope within a year, with the last bound that was shown of it."""

    at_least: float
    truth: float


def main(argv: Sequence[str] | None = None) -> int:
    """Runs it, and prints a table."""
    asked = _parser().parse_args(argv)
    lines = {people: measure(asked.years, asked.seed, always=people == "always") for people in asked.people or PEOPLE}
    for people, found in lines.items():
        sys.stdout.write(rst(found) if asked.rst else f"people: {people}\n{text(found)}{goals_text(found)}\n")
    if asked.json:
        document = {people: [asdict(line) for line in found] for people, found in lines.items()}
        Path(asked.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


PEOPLE = ("day", "always")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--years", type=int, default=1, help="how many, each with a seed of its own (default: 1)")
    made.add_argument("--seed", type=int, default=1, help="that of the first year (default: 1)")
    made.add_argument("--people", action="append", choices=PEOPLE, help="when people are there (default: both)")
    made.add_argument("--rst", action="store_true", help="as a table of docs/trust.rst")
    made.add_argument("--json", metavar="FILE", help="where to write the figures")
    return made


def measure(years: int, seed: int, *, always: bool, days: float = 365, nodes: int = 0) -> list[Line]:
    """Each policy, over the same years. With fewer days or nodes it is a short run."""
    accounts: dict[str, list[Account]] = defaultdict(list)
    for number in range(seed, seed + years):
        year = Year(number, days=days, nodes=nodes)
        for name, policy in POLICIES.items():
            run = Run(year, policy(), always=always)
            accounts[name].append(run.go())
            note(f"{'always' if always else 'day'} {number} {name}: {accounts[name][-1].words()}")
    return [line_of(name, found) for name, found in accounts.items()]


def line_of(policy: str, years: Sequence[Account]) -> Line:
    """The line of a policy."""
    count, presses = len(years), [press for year in years for press in year.presses]
    decisions = sum(year.decisions for year in years)
    bins = [found for year in years for found in bins_of(year.presses)]
    return Line(
        policy,
        sum(year.right for year in years) / max(1, decisions),
        len(presses) / count,
        _share(press.is_good for press in presses),
        sum(press.is_harmful for press in presses) / count,
        sum(press.is_needless for press in presses) / count,
        sum(year.persons for year in years) / count,
        sum(year.cost_h for year in years) / count,
        *briers(years),
        held=sum(found.at_least <= found.truth for found in bins),
        bins=len(bins),
    )


def briers(years: Sequence[Account]) -> tuple[float | None, float | None, float | None]:
    """The mean squared error of the chances that were given, of a constant rate, and of the guess."""
    given, constant, guessed = list[float](), list[float](), list[float]()
    for year in years:
        told = [press for press in year.presses if press.choice.chance is not None and press.choice.guess is not None]
        rate = _share(press.is_good for press in told)
        given += [((press.choice.chance or 0.0) - press.is_good) ** 2 for press in told]
        constant += [(rate - press.is_good) ** 2 for press in told]
        guessed += [((press.choice.guess or 0.0) - press.is_good) ** 2 for press in told]
    return tuple(sum(each) / len(each) if each else None for each in (given, constant, guessed))  # type: ignore


def bins_of(presses: Iterable[Press]) -> list[Bin]:
    """The bins of a year: what was shown last, and what was true on average of all presses that it speaks of.

    True is the chance by the cause of each, not how the dice fell.
    """
    cells: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    shown: dict[tuple[str, str, str], tuple[float, int]] = {}
    for press in presses:
        for scope in (press.hardware, ""):
            cells[press.diagnosis, press.choice.way, scope].append(press.true_chance)
        if press.choice.at_least is not None:
            key = (press.diagnosis, press.choice.way, press.choice.scope)
            shown[key] = (press.choice.at_least, press.choice.of)
    return [
        Bin(at_least, sum(cells[key]) / len(cells[key]))
        for key, (at_least, count) in shown.items()
        if count >= LEAST_SHOWN
    ]


def _share(found: Iterable[bool]) -> float:
    """The part that is true."""
    listed = list(found)
    return sum(listed) / len(listed) if listed else 0.0


# ---- the goals ----


class Goal(NamedTuple):
    """What was aimed at, what came of it, and whether it was met."""

    aim: str
    found: str
    is_met: bool


def goals(lines: Sequence[Line]) -> list[Goal]:
    """What is asked of the counted policy, held against the others."""
    by = {line.policy: line for line in lines}
    we, oracle = by["counted, with wait"], by["oracle"]
    fixed = min(line.harmful for line in lines if "guards" in line.policy)
    brier, constant, guessed = we.brier or 0.0, we.brier_constant or 0.0, we.brier_guess or 0.0
    part = we.right / oracle.right
    return [
        Goal("at least 95 % of the oracle's share of right actions", f"{part:.1%}", part >= 0.95),
        Goal(
            "harmful presses at most twice the oracle's",
            f"{we.harmful:.0f}, oracle {oracle.harmful:.0f}",
            we.harmful <= 2 * oracle.harmful,
        ),
        Goal(
            "and at most a third of the best fixed rule's with guards",
            f"{we.harmful:.0f}, that {fixed:.0f}",
            we.harmful <= fixed / 3,
        ),
        Goal(
            "Brier score below that of a constant rate and of the guess",
            f"{brier:.3f}; {constant:.3f}, {guessed:.3f}",
            brier < min(constant, guessed),
        ),
        Goal(
            f"the shown bound holds in at least 93 % of bins with n ≥ {LEAST_SHOWN}",
            f"{we.held} of {we.bins}",
            we.held >= 0.93 * we.bins,
        ),
    ]


# ---- tables ----

HEAD = (
    "POLICY",
    "RIGHT",
    "PRESSES",
    "GOOD",
    "HARMFUL",
    "NEEDLESS",
    "PERSONS",
    "COST",
    "BRIER",
    "CONST",
    "GUESS",
    "HELD",
)


def cells(line: Line) -> tuple[str, ...]:
    """A line as text."""
    briers = ("" if each is None else f"{each:.3f}" for each in (line.brier, line.brier_constant, line.brier_guess))
    held = f"{line.held}/{line.bins}" if line.bins else ""
    counts = (f"{each:,.0f}" for each in (line.harmful, line.needless, line.persons, line.cost_h))
    return (line.policy, f"{line.right:.1%}", f"{line.presses:,.0f}", f"{line.good:.0%}", *counts, *briers, held)


def text(lines: Iterable[Line]) -> str:
    """The table for a terminal."""
    rows = [HEAD, *map(cells, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in shown)


def goals_text(lines: Sequence[Line]) -> str:
    """Each goal on a line."""
    return "".join(f"{'met   ' if goal.is_met else 'MISSED'}  {goal.aim}: {goal.found}\n" for goal in goals(lines))


def rst(lines: Sequence[Line]) -> str:
    """The tables of docs/trust.rst."""
    rows = [HEAD, *map(cells, lines)]
    table = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        table += [f"   {'* -' if at == 0 else '  -'} {cell.capitalize() if row is HEAD else cell}".rstrip()
                  for at, cell in enumerate(row)]  # fmt: skip
    found = [f"* {goal.aim}: {'**met**' if goal.is_met else '**missed**'} ({goal.found})" for goal in goals(lines)]
    return "\n".join([*table, "", *found, "", ""])


if __name__ == "__main__":
    raise SystemExit(main())
