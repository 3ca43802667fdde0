"""Ticket numbers in what people and Slurm say, as links."""

from __future__ import annotations

from functools import cache
from re import Pattern
from urllib.parse import quote

from markupsafe import Markup, escape

from botd.patterns import bounded
from botd.text import plain
from botd.web.here import config

MAX_LINKED = 1000
"""Characters of a text that are looked through; a reason of Slurm may be of any length."""


def linked(text: str) -> Markup:
    """The text as HTML, with nothing that a reader could be fooled by, in which the tickets of this site are links."""
    words, settings, at = plain(text), config().tickets, 0
    parts: list[Markup] = []
    for found in _compiled(settings.pattern).finditer(words[:MAX_LINKED]) if settings.pattern else ():
        number = found[1] if found.re.groups else found[0]
        if number:
            where = settings.url.replace("{}", quote(number, safe=""))
            link = Markup('<a href="{}" rel="noreferrer">{}</a>').format(where, found[0])
            parts += [escape(words[at : found.start()]), link]
            at = found.end()
    return Markup("").join([*parts, escape(words[at:])])


@cache
def _compiled(pattern: str) -> Pattern[str]:
    return bounded(pattern)
