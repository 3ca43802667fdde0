"""The suggestions of the round as a script of `bofhbot do` lines, to read, to edit and to run.

What a node or a server wrote stands in it as a comment of one line or between quotes, so that sh runs none of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby

from botd.access.requests import MAX_NODES
from botd.client.asking import Asking
from botd.client.forms import write_text
from botd.client.shapes import Row, rows_of, text_of
from botd.nodeset import check_name, fold
from botd.text import one_line

NOBODYS = ("", "wait", "person")
"""Actions that are none."""

_ACTION = re.compile(r"[a-z][a-z-]{0,31}")
_MOST = 500

HEAD = """\
#!/bin/sh
# What botd suggests for {url}, as of {as_of}.
# Read it, take out what you do not want, and run the rest with sh. Each line asks for a proof, and botd looks again."""


def suggest(run: Asking) -> int:
    """Writes the script."""
    server = run.server
    document = server.get("/api/v1/round", {"groups": run.args.groups})
    command = ["bofhbot", "do", *(["--site", server.site.name] if server.site.name else [])]
    lines = [HEAD.format(url=server.site.url, as_of=_line(text_of(document, "as_of")))]
    for family in rows_of(document, "families"):
        if not family.get("aside"):
            lines += ["", *_family(family, command)]
    write_text("\n".join(lines), run.form)
    return 0


def _family(family: Row, command: Sequence[str]) -> Iterator[str]:
    """The family, and a line to run for all of its nodes with the same diagnosis and next step."""
    yield f"# {_line(text_of(family, 'title')).upper()}: {_line(text_of(family, 'gloss'))}"
    nodes = sorted(rows_of(family, "nodes"), key=_cause)
    for (title, following, action), some in groupby(nodes, _cause):
        members = list(some)
        for node in members:
            why = _line(text_of(node, "explanation")) or _line(title)
            sure = _line(text_of(node, "sure"))  # an older botd does not say it
            yield f"#   {check_name(text_of(node, 'node'))}: {why}" + (f"; {_line(action)}: {sure}" if sure else "")
        yield from _lines(members, title, following, action, command)


def _cause(node: Row) -> tuple[str, str, str]:
    return text_of(node, "title"), text_of(node, "next"), text_of(node, "action")


def _lines(nodes: Sequence[Row], title: str, following: str, action: str, command: Sequence[str]) -> Iterator[str]:
    """Lines to run; commented out where something has to be done or seen before."""
    if action in NOBODYS or not _ACTION.fullmatch(action):
        yield f"# by hand: {_line(following)}"
        return
    is_all = following == action.replace("-", " ")
    if not is_all:
        yield f"# first: {_line(following)}"
    names = [text_of(node, "node") for node in nodes]
    for place in range(0, len(names), MAX_NODES):
        words = [*command, action, fold(names[place : place + MAX_NODES]), "--reason", _line(title)]
        yield ("" if is_all else "# ") + shlex.join(words)


def _line(text: str) -> str:
    return one_line(text, _MOST)
