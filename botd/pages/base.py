"""What all pages share: the figures above every table, and the page itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Response, current_app, render_template, request, url_for
from markupsafe import Markup, escape

from botd import __version__
from botd.board.answer import StatusAnswer
from botd.display.cells import age, cell, with_ages
from botd.display.formats import Form
from botd.documents import Time
from botd.errors import StoreUnavailable
from botd.pages.tickets import linked, tickets_in
from botd.text import plain
from botd.web.clients import wants_html
from botd.web.here import board
from botd.web.params import chosen_format
from botd.web.replies import survey_of
from botd.web.who import who

LONG_WORD = 16
"""Characters from which on a word in a cell may break."""

PROGRAMS = ("botd", "ssh", "slurmd", "munge")
"""Names that have no capital."""

_UNIT = re.compile(r"(?<=\d) (?=(?:d|h|min|s)\b)")

_PUNCTUATION = re.compile(r"([-._/,])(?=[\w\[])")


def page_form(args: Mapping[str, Any]) -> Form | None:
    """The form that a client of a page asks for; None is HTML."""
    return None if "format" not in args and wants_html() else chosen_format(args, "table")


def same_page(place: str, **changed: Any) -> str:
    """The page at this endpoint with the parameters of this one, but for some; None takes one away.

    Following it makes no node be asked again.
    """
    given: dict[str, Any] = {name: ",".join(values) for name, values in request.args.lists()}
    kept = {**given, "max_age": None, "wait": None, **changed}
    return url_for(place, **kept)


def figures(answer: StatusAnswer) -> dict[str, object]:
    """What every page says of its answer: how old it is, and what could not be reached."""
    now, found = board().now(), survey_of(answer)
    return {
        "head": answer.head(),
        "problems": [with_ages(plain(problem), now) for problem in answer.problems],
        "readings_age": found.ages(now),
        "reached": found.reached(board().checks),
        "asked": ",".join(answer.groups) or request.args.get("nodes", request.args.get("h", "")),
        "now": now,
    }


def render(template: str, **values: object) -> Response:
    """A page of this template, with what every template may call."""
    callables = {
        "age": age,
        "breakable": breakable,
        "capital": capital,
        "cell": cell,
        "clock": clock,
        "linked": linked,
        "plain": plain,
        "tickets_in": tickets_in,
    }
    html = render_template(template, version=__version__, login=login_name(), **callables, **values)
    response = current_app.make_response(html)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.update(("Accept", "Cookie", "User-Agent"))
    return response


def login_name() -> str:
    """Who is logged in; empty for nobody, and where that cannot be looked up: a page must not fail over it."""
    with suppress(StoreUnavailable):
        found = who()
        return found.login if found else ""
    return ""


def capital(text: str) -> str:
    """The text with a capital at its start, where no name of a program stands there."""
    return text if text.startswith(PROGRAMS) else text[:1].upper() + text[1:]


def clock(at: Time) -> str:
    """A time to the minute: `2026-11-23 20:16 UTC`."""
    return f"{at[:10]} {at[11:16]} UTC"


def breakable(text: str) -> Markup:
    """The text as HTML in which a span stays with its unit, and a long word may break behind its punctuation."""
    words = [str(escape(word)) for word in _UNIT.sub("\u00a0", text).split(" ")]
    broken = (_PUNCTUATION.sub(r"\1<wbr>", word) if len(word) > LONG_WORD else word for word in words)
    return Markup(" ".join(broken))  # noqa: S704 - every word is escaped
