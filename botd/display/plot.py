"""A node's history as a picture: bands of states over time, and numbers as lines. Pure: what goes in is what is drawn.

Severity is told by the height of a band as well as by its colour. Colours stand as attributes, which no content
policy forbids, and are of a lightness that shows on white and on black.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import drawsvg

from botd.checks.limits import human_bytes
from botd.display.cells import age
from botd.history.bands import Band
from botd.history.changes import IN_SERVICE, NOT_LISTED
from botd.text import plain

WIDTH, LABEL, ROW, LINE, TOP = 760, 130, 18, 64, 18
TEXT = "#7a7f87"
GRID = "#8886"

LOOKS = {"ok": ("#4ea887", 0.3), "warn": ("#d49b00", 0.6), "fail": ("#c8401f", 1.0), "unknown": ("#8b93a0", 0.45)}
"""The colour of a band and the part of its row that it fills."""

STEPS = (*(timedelta(minutes=step) for step in (2, 15, 60, 360)), *(timedelta(days=step) for step in (1, 7, 30)))
MAX_TICKS = 8


@dataclass(frozen=True)
class Row:
    """The states of one subject over time."""

    title: str
    bands: Sequence[Band]


@dataclass(frozen=True)
class Line:
    """One number over time: points of (seconds since the epoch, number), oldest first, with their unit."""

    title: str
    unit: str | None
    points: Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Plot:
    """All that is drawn of a node, from `since` to `until`."""

    since: datetime
    until: datetime
    rows: Sequence[Row]
    lines: Sequence[Line]

    def words(self) -> str:
        """The picture in words, for who does not see it."""
        return "; ".join([*map(_row_words, self.rows), *map(_line_words, self.lines)]) or "nothing on record"


def draw(plot: Plot) -> bytes:
    """The picture as SVG."""
    height = TOP + ROW * len(plot.rows) + (LINE + 8) * len(plot.lines) + 8
    drawing = drawsvg.Drawing(WIDTH, height, font_family="system-ui, sans-serif")
    drawing.append_title(plain(plot.words()))
    _draw_ticks(drawing, plot, height)
    top = TOP
    for row in plot.rows:
        _draw_row(drawing, plot, row, top)
        top += ROW
    for line in plot.lines:
        _draw_line(drawing, plot, line, top + 8)
        top += LINE + 8
    return str(drawing.as_svg(header="")).encode()


def level(word: str) -> str:
    """The look of a word of the history: ok, warn, fail or unknown."""
    first = word.partition(":")[0]
    if first in LOOKS:
        return first
    if word in ("", NOT_LISTED):
        return "unknown"
    return "ok" if word == IN_SERVICE else "warn" if word.startswith(IN_SERVICE) else "fail"


def shown(number: float, unit: str | None) -> str:
    """A number of a plot as a person reads it."""
    if unit == "B":
        return human_bytes(number)
    return f"{number:.3g} {unit}" if unit else f"{number:.3g}"


def _draw_ticks(drawing: drawsvg.Drawing, plot: Plot, height: int) -> None:
    span = plot.until - plot.since
    step = next((step for step in STEPS if span / step <= MAX_TICKS), STEPS[-1])
    form = "%H:%M" if step < timedelta(days=1) else "%d %b"
    for at in _ticks(plot, step):
        x = _x(plot, at)
        drawing.append(drawsvg.Line(x, TOP - 4, x, height - 4, stroke=GRID, stroke_width=1))
        if x < WIDTH - 20:
            _text(drawing, at.strftime(form), x, TOP - 7, anchor="middle")


def _ticks(plot: Plot, step: timedelta) -> Iterator[datetime]:
    """Round times of UTC within the picture."""
    midnight = plot.since.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * (-(-(plot.since - midnight) // step))
    while at <= plot.until:
        yield at
        at += step


def _draw_row(drawing: drawsvg.Drawing, plot: Plot, row: Row, top: float) -> None:
    _text(drawing, row.title, 0, top + ROW * 0.75)
    for band in row.bands:
        colour, part = LOOKS[level(band.word)]
        x, room = _x(plot, band.begin), ROW - 4
        width = max(1.0, _x(plot, band.end) - x)
        box = drawsvg.Rectangle(x, top + 2 + room * (1 - part), width, room * part, fill=colour)
        box.append_title(plain(f"{row.title}: {band.word or 'not known'}, {_span(band)}"))
        drawing.append(box)


def _draw_line(drawing: drawsvg.Drawing, plot: Plot, line: Line, top: float) -> None:
    values = [value for _, value in line.points]
    low, high = min(values), max(values)
    scale = (LINE - 12) / ((high - low) or 1.0)
    _text(drawing, line.title, 0, top + 14)
    _text(drawing, f"{shown(values[-1], line.unit)} now", 0, top + 30)
    _text(drawing, f"{shown(low, line.unit)} to {shown(high, line.unit)}", 0, top + 46)
    path = drawsvg.Path(stroke="#3f7fc1", stroke_width=1.5, fill="none")
    pen = path.M
    for seconds, value in line.points:
        pen(round(_x(plot, seconds), 1), round(top + LINE - 6 - (value - low) * scale, 1))
        pen = path.L
    drawing.append(path)


def _x(plot: Plot, at: datetime | float) -> float:
    """Where a time stands."""
    seconds = at.timestamp() if isinstance(at, datetime) else at
    begin, end = plot.since.timestamp(), plot.until.timestamp()
    part = (seconds - begin) / ((end - begin) or 1.0)
    return LABEL + (WIDTH - LABEL) * min(1.0, max(0.0, part))


def _text(drawing: drawsvg.Drawing, text: str, x: float, y: float, *, anchor: str = "start") -> None:
    drawing.append(drawsvg.Text(plain(text)[:40], 11, x, y, fill=TEXT, text_anchor=anchor))


def _span(band: Band) -> str:
    return f"{band.begin:%d %b %H:%M} to {band.end:%d %b %H:%M} UTC"


def _row_words(row: Row) -> str:
    last = row.bands[-1]
    times = len(row.bands) - 1
    changed = f", {times} change{'s' if times > 1 else ''}" if times else ""
    return f"{row.title}: {last.word or 'not known'} for {age_of(last)}{changed}"


def age_of(band: Band) -> str:
    """How long a band lasted, as a person says it."""
    return age(f"{band.begin:%FT%TZ}", band.end)


def _line_words(line: Line) -> str:
    values = [value for _, value in line.points]
    low, high, last = (shown(value, line.unit) for value in (min(values), max(values), values[-1]))
    return f"{line.title}: {last} now, {low} to {high}"
