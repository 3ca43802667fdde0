"""How an answer is written: a table on a terminal, values between tabs on a pipe, JSON where fields are named.

Whatever a server sends, nothing of it is obeyed by a terminal: controls and marks that turn a line around are taken out
of every text, and of a text that botd has coloured those colours alone are left.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from botd.client.shapes import Row
from botd.client.trouble import Unusable
from botd.errors import did_you_mean
from botd.output import columns, is_colored, is_terminal, shows_unicode, write_out
from botd.text import fit, plain, shown, width

_GAP = "  "
_MAX_CELL = 40
"""Columns of a cell that is neither first nor last."""

_LEAST_CELL = 8
"""And those that it keeps in a narrow terminal."""

_BOLD, _RESET = "\x1b[1m", "\x1b[0m"
_COLOR = re.compile(r"(\x1b\[(?:0|1|2|33|35|36|1;31)m)")
"""The colours that botd gives its tables: `color=1`."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z")


@dataclass(frozen=True)
class Fields:
    """Those that are shown of each row, and those that `--json` can be asked for beside."""

    shown: Sequence[str]
    more: Sequence[str] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.shown, *self.more)


NO_FIELDS = Fields(())
"""Those of a command that has no list."""


@dataclass(frozen=True)
class Listing:
    """Rows and their fields. `none` is what a person is told where there is no row."""

    fields: Fields
    rows: Sequence[Row]
    none: str = "there is nothing"


@dataclass(frozen=True)
class Form:
    """How standard output is to be written. `width` is None where no terminal reads it."""

    width: int | None = None
    color: bool = False
    ascii: bool = False
    json: tuple[str, ...] = ()

    @property
    def wants_text(self) -> bool:
        """Whether a person reads it, who asked for no fields."""
        return self.width is not None and not self.json

    @property
    def query(self) -> dict[str, str]:
        """What asks botd for a text of this form."""
        return {"format": "table", "width": str(self.width), **({"color": "1"} if self.color else {})}


def form_of(fields: str | None, environ: Mapping[str, str] = os.environ) -> Form:
    """The form for standard output as it is, with these fields as JSON where they are asked for."""
    wide = columns() if is_terminal() else None
    names = () if fields is None else tuple(name.strip() for name in fields.split(","))
    return Form(wide, is_colored(environ), not shows_unicode(environ), names)


def write_listing(listing: Listing, form: Form) -> None:
    """Writes the rows."""
    if form.json:
        _write(_json(listing.rows, form.json), form)
    elif form.width is None:
        _write("".join(f"{_tabbed(row, listing.fields.shown)}\n" for row in listing.rows), form)
    elif listing.rows:
        _write("".join(f"{line}\n" for line in _table(listing, form)), form)
    else:
        write_text(listing.none, form)


def write_text(text: str, form: Form) -> None:
    """Writes a text of botd's, without anything that a terminal obeys but its colours."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    _write("".join(f"{harmless(line, color=form.color)}\n" for line in lines), form)


def harmless(line: str, *, color: bool) -> str:
    """A line with nothing in it that a terminal obeys; with `color` but those of botd, which end with it."""
    parts = _COLOR.split(line)
    if not color or len(parts) == 1:
        return plain("".join(parts[::2]))
    kept = "".join(part if place % 2 else plain(part) for place, part in enumerate(parts))
    return kept if parts[-2] == _RESET else kept + _RESET


def cell(value: object) -> str:
    """A value as a cell: times as they are, lists with commas, objects as JSON, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return plain(",".join(value))
    return plain(value if isinstance(value, str) else json.dumps(value))


def _write(text: str, form: Form) -> None:
    write_out(text.encode("ascii" if form.ascii else "utf-8", "replace"))


def check_fields(names: Iterable[str], known: Sequence[str]) -> None:
    """Whether there are fields of these names, before anything is asked or done. Raises Unusable."""
    for name in names:
        if not known:
            raise Unusable("--json: this command has no list to write")
        if name not in known:
            hint = did_you_mean(name, known)
            raise Unusable(f'there is no field "{shown(name)}"{hint or ";"} there is {", ".join(known)}')


def _json(rows: Iterable[Row], fields: Iterable[str]) -> str:
    """A list of objects of these fields, in ASCII: what is beyond it stands by number."""
    return json.dumps([{name: row.get(name) for name in fields} for row in rows]) + "\n"


def _tabbed(row: Row, fields: Sequence[str]) -> str:
    return "\t".join(cell(row.get(name)) for name in fields)


def _table(listing: Listing, form: Form) -> Iterable[str]:
    """The header and a line for each row, none wider than the terminal; columns without anything are left out."""
    texts = {name: [_short(cell(row.get(name))) for row in listing.rows] for name in listing.fields.shown}
    shown_fields = [name for name in listing.fields.shown if any(texts[name])] or list(listing.fields.shown[:1])
    sizes = [max(map(width, (name, *texts[name]))) for name in shown_fields]
    prose = [any(" " in text for text in texts[name]) for name in shown_fields]
    widths = _widths(sizes, prose, form.width or 0)
    header = _line([name.upper() for name in shown_fields], widths, form)
    yield f"{_BOLD}{header}{_RESET}" if form.color else header
    for place in range(len(listing.rows)):
        yield _line([texts[name][place] for name in shown_fields], widths, form)


def _widths(sizes: Sequence[int], prose: Sequence[bool], room: int) -> list[int]:
    """The width of each column: what it needs, those in the middle up to _MAX_CELL, the last one what is left.

    Where that is under a quarter, the widest in the middle give way: of prose first, names when the last one has too.
    """
    first, *middle = sizes[:-1] or sizes
    last = sizes[-1] if len(sizes) > 1 else 0
    taken = len(_GAP) * (len(sizes) - 1)
    wide = [min(size, _MAX_CELL) for size in middle]
    for kind, least in ((True, min(last, room // 4)), (False, min(last, _LEAST_CELL))):
        places = [place for place in range(len(wide)) if prose[place + 1] is kind]
        _narrow(wide, places, by=first + sum(wide) + taken + least - room)
    widths: list[int] = []
    for size in (first, *wide, *sizes[1:][-1:]):
        widths.append(max(0, min(size, room)))
        room -= widths[-1] + len(_GAP)
    return widths


def _narrow(wide: list[int], places: Sequence[int], by: int) -> None:
    """Takes so many columns of those in these places, always of the widest, and leaves each _LEAST_CELL."""
    while by > 0 and (able := [place for place in places if wide[place] > _LEAST_CELL]):
        wide[max(able, key=wide.__getitem__)] -= 1
        by -= 1


def _line(texts: Sequence[str], widths: Sequence[int], form: Form) -> str:
    mark = "..." if form.ascii else "…"
    cells = (fit(text, wide, mark) for text, wide in zip(texts, widths, strict=True) if wide)
    return _GAP.join(cells).rstrip()


def _short(text: str) -> str:
    """Times to the minute: the seconds are for programs."""
    return _TIME.sub(r"\1 \2", text)
