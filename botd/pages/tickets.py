"""Ticket numbers in what people and Slurm say, and actions in reasons that botd has given, as links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from re import Match, Pattern
from urllib.parse import quote

from flask import url_for
from markupsafe import Markup, escape

from botd.patterns import bounded
from botd.text import plain
from botd.web.here import config

MAX_LINKED = 1000
"""Characters of a text that are looked through; a reason of Slurm may be of any length."""


_OURS = re.compile(r"botd: [a-z-]{1,32} ([0-9]{1,9})(?= by )")
"""How a reason begins that botd has given: `botd: drain 7 by anna`."""


def linked(text: str) -> Markup:
    """The text as HTML, with nothing that a reader could be fooled by, in which tickets and actions are links."""
    words, at = plain(text), 0
    parts: list[Markup] = []
    for found, url in sorted([*_ours(words), *_tickets(words)], key=lambda each: each[0].start()):
        if found.start() >= at:
            parts += [escape(words[at : found.start()]), _link(found, url)]
            at = found.end()
    return Markup("").join([*parts, escape(words[at:])])


def tickets_in(texts: Iterable[str]) -> list[Markup]:
    """The tickets of this site in these texts as links, each once, as it was written first."""
    links: dict[str, Markup] = {}
    for found, url in (each for text in texts for each in _tickets(plain(text))):
        links.setdefault(url, _link(found, url))
    return list(links.values())


def _ours(words: str) -> Iterator[tuple[Match[str], str]]:
    """Each action that a reason says it is of, and where that is."""
    for found in _OURS.finditer(words, 0, MAX_LINKED):
        yield found, url_for("action_page", action=int(found[1]))


def _tickets(words: str) -> Iterator[tuple[Match[str], str]]:
    """Each ticket, and where it is."""
    settings = config().tickets
    for found in _compiled(settings.pattern).finditer(words[:MAX_LINKED]) if settings.pattern else ():
        number = found[1] if found.re.groups else found[0]
        if number:
            yield found, settings.url.replace("{}", quote(number, safe=""))


def _link(found: Match[str], url: str) -> Markup:
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, found[0])


@cache
def _compiled(pattern: str) -> Pattern[str]:
    return bounded(pattern)
