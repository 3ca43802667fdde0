"""What all benchmarks share: a figure, the table of them, and the file that they are kept in.

A benchmark is a module `bench/<name>.py` with `measure(options) -> list[Figure]`, run by `python -m bench.<name>`.
Figures are never asserted: `met` says whether a target was met on this machine, in this run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured value: of botd, and `beside` it that of the other tool where there is one.

    `bench` is the module's name. `target` is what is aimed at, in words; `met` is None without one,
    or where the other tool is not installed.
    """

    bench: str
    name: str
    value: float
    unit: str
    beside: float | None = None
    target: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """botd's value as a part of the other tool's: below 1 botd is cheaper."""
        return self.value / self.beside if self.beside else None


@dataclass(frozen=True)
class Options:
    """How large to measure. `nodes` of 0 is each benchmark's own size; `repeat` is how often answers are proved."""

    nodes: int = 0
    repeat: int = 0


Measure = Callable[[Options], list[Figure]]


def at_most(bench: str, name: str, value: float, limit: float, unit: str) -> Figure:
    """A figure with an upper limit of its own."""
    return Figure(bench, name, value, unit, target=f"at most {limit:g} {unit}", met=value <= limit)


def at_most_times(
    bench: str, name: str, value: float, factor: float, beside: float | None, unit: str, *, who: str
) -> Figure:
    """A figure that may be at most `factor` times that of the other tool, `who`."""
    target = f"at most 1/{round(1 / factor)} of {who}" if factor < 1 else f"at most {factor:g} times {who}"
    met = None if beside is None else value <= factor * beside
    return Figure(bench, name, value, unit, beside, target, met)


def all_right(bench: str, name: str, right: int, runs: int) -> Figure:
    """In how many of the runs every answer was right."""
    return Figure(bench, name, right, f"of {runs} runs", target="all", met=right == runs)


def table_text(figures: Iterable[Figure]) -> str:
    """The figures as aligned text, one line each."""
    head = ("BENCH", "FIGURE", "BOTD", "BESIDE", "RATIO", "UNIT", "TARGET", "MET")
    rows = [head, *map(cells, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = range(2, 5)
    return "".join(
        "  ".join(
            cell.rjust(width) if at in numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )


def cells(figure: Figure) -> tuple[str, ...]:
    """A figure as the cells of its line."""
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    numbers = (shown(figure.value), shown(figure.beside), shown(figure.ratio))
    return (figure.bench, figure.name, *numbers, figure.unit, figure.target, met)


def shown(value: float | None) -> str:
    """A number with three digits that count, or nothing."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:#.3g}"


def machine() -> dict[str, Any]:
    """What was measured on, and how busy it was at the start: a load above 2 means figures from a busy machine."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": platform.system() + " " + platform.release(),
        "load": round(os.getloadavg()[0], 1),
    }


def write_json(path: str | Path, figures: Iterable[Figure], about: dict[str, Any]) -> None:
    """Writes the figures and the machine that they are from."""
    document = {"machine": about, "figures": [asdict(figure) for figure in figures]}
    Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> tuple[list[Figure], dict[str, Any]]:
    """The figures and the machine of a file. Raises ValueError and OSError."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    return [Figure(**each) for each in document["figures"]], document["machine"]


def run(measure: Measure, doc: str | None, argv: Sequence[str] | None = None) -> int:
    """The `main` of a benchmark: measures, prints the table, writes the file. `doc` is its docstring."""
    asked = parser(doc).parse_args(argv)
    about = machine()
    figures = measure(Options(asked.nodes, asked.repeat))
    sys.stdout.write(table_text(figures))
    if asked.json:
        write_json(asked.json, figures, about)
    return 0


def parser(doc: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--nodes", type=int, default=0, help="how many (default: the size of the target)")
    made.add_argument("--repeat", type=int, default=0, help="how often answers are proved (default: as the target)")
    made.add_argument("--json", metavar="FILE", help="where to write the figures")
    return made


def note(text: str) -> None:
    """Says on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)
