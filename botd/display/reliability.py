"""How often came true what was told, as a picture: on the line all comes as it was told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import drawsvg

SIZE, EDGE = 240, 34
TEXT, GRID, DOT = "#7a7f87", "#8886", "#3f7fc1"


class Point(NamedTuple):
    """What was told, what share of it came true, and of how many."""

    told: float
    came: float
    of: int


def draw(points: Sequence[Point]) -> bytes:
    """The picture as SVG. A point is the larger the more it is of."""
    drawing = drawsvg.Drawing(SIZE + EDGE, SIZE + EDGE, font_family="system-ui, sans-serif")
    drawing.append_title(words(points))
    for share in (0.0, 0.5, 1.0):
        x, y = _place(share, share)
        drawing.append(drawsvg.Line(x, 0, x, SIZE, stroke=GRID, stroke_width=1))
        drawing.append(drawsvg.Line(EDGE, y, SIZE + EDGE, y, stroke=GRID, stroke_width=1))
        drawing.append(drawsvg.Text(f"{100 * share:.0f} %", 11, x, SIZE + 14, fill=TEXT, text_anchor=_ANCHORS[share]))
        drawing.append(drawsvg.Text(f"{100 * share:.0f} %", 11, EDGE - 4, max(11, y), fill=TEXT, text_anchor="end"))
    drawing.append(drawsvg.Line(*_place(0, 0), *_place(1, 1), stroke=TEXT, stroke_width=1, stroke_dasharray="4 3"))
    drawing.append(drawsvg.Text("told", 11, SIZE / 2 + EDGE, SIZE + 28, fill=TEXT, text_anchor="middle"))
    for point in points:
        dot = drawsvg.Circle(*_place(point.told, point.came), min(14.0, 3 + point.of**0.5), fill=DOT, fill_opacity=0.7)
        dot.append_title(_words(point))
        drawing.append(dot)
    return str(drawing.as_svg(header="")).encode()


def words(points: Sequence[Point]) -> str:
    """The picture in words, for who does not see it."""
    return "; ".join(map(_words, points)) or "nothing has come true or not yet"


_ANCHORS = {0.0: "start", 0.5: "middle", 1.0: "end"}


def _place(told: float, came: float) -> tuple[float, float]:
    return EDGE + SIZE * told, SIZE * (1 - came)


def _words(point: Point) -> str:
    return f"told {100 * point.told:.0f} %, came {100 * point.came:.0f} % of {point.of}"
