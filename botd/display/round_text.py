"""The morning round as text: a log of a terminal's width to read, to keep and to annotate. Nothing in it is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from botd.display.cells import age, with_ages
from botd.display.round import (
    RoundDocument,
    RoundFamilyDocument,
    RoundNodeDocument,
    can_press,
    cause,
    news_words,
    next_words,
    note_words,
    read_words,
    shown,
    since_words,
)
from botd.display.terminal import Look, colored, notes, wrapped
from botd.nodeset import split
from botd.text import fit, plain, width

WIDTH = 80
"""Columns where nobody says how many."""

MARKS = {"new": "*", "changed": "~", None: " "}
"""What stands before a node: whether it is new since the moment asked for."""

WELL = "Nobody is needed: every node asked for is in service and well."

NONE = "No node is chosen by this."

_WIDEST = (24, 11, 6, 8)
"""Columns of name, state, age and who, as far as they are lined up: what is longer pushes the rest of its line on."""

_LEAST = 20
"""With less room beside them, a reason stands below its node."""

_MOST = 3
"""And so does one that would take more lines there."""

_INDENT = "    "


def round_text(document: RoundDocument, look: Look, now: datetime) -> str:
    """The round in lines of `look.width` columns, WIDTH where it says none. Ages are those of `now`."""
    page = _Page(replace(look, width=look.width or WIDTH), now, _widths(document, now))
    lines = [*page.head(document)]
    if not document["families"]:
        lines += ["", *wrapped(NONE if document["chosen"] else WELL, page.width)]
    for family in document["families"]:
        lines += ["", *page.family(family)]
    return "".join(f"{line}\n" for line in lines) + page.foot(document)


def _widths(document: RoundDocument, now: datetime) -> list[int]:
    """How many columns each of the first four needs, over all families."""
    rows = [_words(node, now) for family in document["families"] for node in family["nodes"]]
    columns = zip(*rows, strict=True) if rows else [()] * len(_WIDEST)
    return [min(most, max(map(width, column), default=0)) for most, column in zip(_WIDEST, columns, strict=True)]


def _words(node: RoundNodeDocument, now: datetime) -> tuple[str, str, str, str]:
    """Name, state, age of the reason and who set it."""
    since = age(node["reason_at"], now) if node["reason_at"] else ""
    return node["node"], plain(node["state"]), since, plain(node["reason_by"])


@dataclass(frozen=True)
class _Page:
    look: Look
    now: datetime
    widths: Sequence[int]

    @property
    def width(self) -> int:
        return self.look.width or WIDTH

    def head(self, document: RoundDocument) -> Iterator[str]:
        """How many of how many, how old it is and what is new; then what is wrong with the answer itself."""
        news, read = document["news"], read_words(document, self.now)
        told = f"{document['out']} out of service of {document['total']} nodes, {read} ({self.now:%Y-%m-%d %H:%M} UTC)"
        yield from wrapped(told, self.width)
        if news:
            yield from wrapped(f"{since_words(news, self.now)}: {', '.join(news_words(news))}", self.width)
        problems = [with_ages(problem, self.now) for problem in document["problems"]]
        if document["chosen"]:
            problems.append(f"{shown(document)} shown: {document['chosen']}")
        if running := document["running"]:
            problems.append(f"asking nodes at this moment: {running['done']} of {running['total']} are read")
        yield from notes(problems, self.look).splitlines()

    def family(self, family: RoundFamilyDocument) -> Iterator[str]:
        """Its title, the hostlist, then the nodes; what is true of several side by side stands once, below them."""
        title, *more = wrapped(f"{family['title'].upper()} ({family['count']}): {family['gloss']}", self.width)
        yield from (self._colored(line, "header") for line in (title, *more))
        if family["count"] > 1:
            yield from (_INDENT + line for line in self._names(family))
        for (why, then), some in groupby(family["nodes"], lambda node: (cause(node, family), _then(node, family))):
            nodes = list(some)
            for node in nodes:
                yield from self._node(node)
                yield from self._notes(node)
            yield from self._cause(f"all {len(nodes)}: {why}" if len(nodes) > 1 else why, then, nodes[0]["action"])

    def _names(self, family: RoundFamilyDocument) -> list[str]:
        """The hostlist where one line has room for it, else the nodeset, in lines that end between its parts."""
        room = self.width - len(_INDENT)
        if width(family["hostlist"]) <= room:
            return [family["hostlist"]]
        return [line.replace(", ", ",") for line in wrapped(", ".join(split(family["nodeset"])), room)]

    def _node(self, node: RoundNodeDocument) -> Iterator[str]:
        """Mark, name, state, age and who, then the reason, whole."""
        name, state, since, by = _words(node, self.now)
        mark = MARKS[node["mark"]]
        cells = [name, state, since.rjust(self.widths[2]), by]
        before = f"{mark} " + "  ".join(
            text if width(text) > columns else fit(text, columns)
            for text, columns in zip(cells, self.widths, strict=True)
        )
        before += "  "
        reason = plain(node["reason"]) or ("in service" if node["in_service"] else "")
        room = self.width - width(before)
        first, *below = [reason] if width(reason) <= room else wrapped(reason, room) or [""]
        indent = " " * width(before)
        if below and (room < _LEAST or len(below) >= _MOST):
            first, below, indent = "", wrapped(reason, self.width - len(_INDENT)), _INDENT
        for line in self._whole((before + first).rstrip()):
            yield self._colored(line, "warn" if node["mark"] == "new" else "")
        yield from (indent + line for line in below)

    def _notes(self, node: RoundNodeDocument) -> Iterator[str]:
        """What people noted on it."""
        for note in node["notes"]:
            lines = _hung("# ", wrapped(plain(note_words(note)), self.width - len(_INDENT) - 2))
            yield from (_INDENT + line for line in lines)

    def _whole(self, line: str) -> list[str]:
        return [line] if width(line) <= self.width else wrapped(line, self.width)

    def _cause(self, why: str, then: str, action: str | None) -> Iterator[str]:
        """Why it is so, and behind `->` what to do next: on the same line where that is long enough."""
        room = self.width - len(_INDENT)
        lines = _hung("> ", wrapped(plain(why), room - 2))
        done = [
            self._colored(line, "do" if can_press(action) else "")
            for line in _hung("-> ", wrapped(plain(then), room - 3))
        ]
        fits = lines and len(done) == 1 and width(f"{lines[-1]} -> {plain(then)}") <= room
        if fits:
            lines[-1] += f" {done.pop()}"
        yield from (_INDENT + line for line in (*lines, *done))

    def foot(self, document: RoundDocument) -> str:
        """What the marks mean, and who is back."""
        news = document["news"]
        if not news:
            return ""
        since = since_words(news, self.now)
        told = [f"* new, ~ changed {since}"] if news["new"] or news["changed"] else []
        told += [f"back in service {since}: {news['back_nodes']}"] if news["back"] else []
        return "\n" + notes(told, self.look) if told else ""

    def _colored(self, text: str, state: str) -> str:
        return colored(text, state) if self.look.color else text


def _hung(mark: str, lines: Sequence[str]) -> list[str]:
    """Lines behind a mark, those after the first below its text."""
    return [(" " * len(mark) if place else mark) + line for place, line in enumerate(lines)]


def _then(node: RoundNodeDocument, family: RoundFamilyDocument) -> str:
    """What to do next; of nodes that are somebody's the family says it."""
    return "" if family["aside"] else next_words(node)
