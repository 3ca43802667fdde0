"""Puts the newest figures into docs/performance.rst: the table between its two marks, and the plot beside it.

python -m bench.report [--json FILE] [--docs FOLDER]
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import drawsvg

from bench.__main__ import FIGURES
from bench.table import Figure, cells, read_json

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PLOT = "performance.rst", "performance.svg"

BEGIN, END = ".. the figures begin\n", ".. the figures end\n"
HEAD = ("", "Figure", "botd", "Beside", "Ratio", "Unit", "Target", "Met")

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 320, 70, 40, 30
COLOURS = ("#1f5fa8", "#b34700", "#3d7a37")
SIZES = re.compile(r"(\d+) nodes, (.+)")


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the page and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=FIGURES)
    parser.add_argument("--docs", type=Path, default=DOCS)
    asked = parser.parse_args(argv)
    figures, about = read_json(asked.json)
    page = asked.docs / PAGE
    page.write_text(with_figures(page.read_text(), figures, about))
    (asked.docs / PLOT).write_text(plot(figures))
    return 0


def with_figures(text: str, figures: Iterable[Figure], about: dict[str, Any]) -> str:
    """The page with these figures in place of those that it had. Raises ValueError when a mark is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page must have the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{begin}\n{machine_line(about)}\n\n{rst_table(figures)}\n{end}{after}"


def machine_line(about: dict[str, Any]) -> str:
    """What was measured on, and when."""
    busy = "" if about["load"] < about["cpus"] else " The machine had other work at the time."
    day = about["at"][:10]
    return f"{day}, {about['cpus']} CPUs, Python {about['python']}, load {about['load']} at the start.{busy}"


def rst_table(figures: Iterable[Figure]) -> str:
    """The figures as a list-table."""
    rows = [HEAD, *map(cells, figures)]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'* -' if at == 0 else '  -'} {cell}".rstrip() for at, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def plot(figures: Iterable[Figure]) -> str:
    """How wall time, CPU and memory of a first sweep grow with the nodes, as SVG: times the value at the fewest."""
    series = grown(figures)
    drawing = drawsvg.Drawing(WIDTH, HEIGHT, style="font-family: sans-serif; font-size: 12px")
    drawing.append(drawsvg.Rectangle(0, 0, WIDTH, HEIGHT, fill="white"))
    nodes = sorted({count for points in series.values() for count, _ in points})
    values = [value for points in series.values() for _, value in points]
    if nodes:
        across, up = _scale(nodes, LEFT, WIDTH - 200), _scale([1, *values], HEIGHT - BOTTOM, TOP)
        _draw_axes(drawing, nodes, values, across, up)
        for colour, (name, points) in zip(COLOURS, series.items(), strict=False):
            _draw_line(drawing, name, [(across(count), up(value)) for count, value in points], colour)
    return str(drawing.as_svg())


def grown(figures: Iterable[Figure]) -> dict[str, list[tuple[int, float]]]:
    """(nodes, times the value at the fewest nodes) of what was measured at several sizes, per cluster."""
    wanted = {"first sweep, wall": "wall time", "first sweep, CPU per node": "CPU", "peak memory": "memory"}
    found: dict[str, dict[int, float]] = {}
    for figure in figures:
        match = SIZES.fullmatch(figure.name) if figure.bench == "sweep" else None
        if match and match[2] in wanted:
            count = int(match[1])
            value = figure.value * (count if "per node" in match[2] else 1)
            found.setdefault(wanted[match[2]], {})[count] = value
    return {
        name: [(count, value / by_count[min(by_count)]) for count, value in sorted(by_count.items())]
        for name, by_count in found.items()
    }


def _scale(values: Sequence[float], start: float, end: float) -> Any:
    """Positions for values, logarithmic."""
    low, high = math.log10(min(values)), math.log10(max(values))
    return lambda value: start + (math.log10(value) - low) / ((high - low) or 1) * (end - start)


def _draw_axes(drawing: Any, nodes: Sequence[int], values: Sequence[float], across: Any, up: Any) -> None:
    floor = HEIGHT - BOTTOM
    for count in nodes:
        drawing.append(drawsvg.Line(across(count), floor, across(count), TOP, stroke="#ddd"))
        drawing.append(drawsvg.Text(f"{count:,} nodes", 12, across(count), floor + 18, text_anchor="middle"))
    for power in range(int(math.log10(max([1, *values]))) + 1):
        drawing.append(drawsvg.Line(LEFT, up(10**power), WIDTH - 200, up(10**power), stroke="#ddd"))
        drawing.append(drawsvg.Text(f"× {10**power:,}", 12, LEFT - 6, up(10**power) + 4, text_anchor="end"))


def _draw_line(drawing: Any, name: str, points: Sequence[tuple[float, float]], colour: str) -> None:
    path = [number for point in points for number in point]
    drawing.append(drawsvg.Lines(*path, fill="none", stroke=colour, stroke_width=2))
    last_x, last_y = points[-1]
    drawing.append(drawsvg.Text(name, 12, last_x + 8, last_y + 4, fill=colour))


if __name__ == "__main__":
    sys.exit(main())
