"""GET /: the morning round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from flask import Response, request, url_for

from botd.acting.words import DONE
from botd.board.answer import StatusAnswer
from botd.board.choosing import FILTERS
from botd.display.findings import verdict
from botd.display.round import (
    RoundDocument,
    RoundFamilyDocument,
    can_press,
    news_words,
    next_words,
    note_words,
    read_words,
    shown,
    since_words,
)
from botd.display.round_text import NONE, WELL
from botd.documents import ReadingDocument
from botd.inventory import listed_groups
from botd.model import Change, Check
from botd.nodeset import expand
from botd.pages.base import figures, page_form, render, same_page
from botd.pages.history import ShownChange, shown_changes
from botd.pages.nodes import nodes_page
from botd.pages.press import Offer, offers
from botd.pages.several import Together, free_places, together
from botd.text import width
from botd.web.clients import is_text_browser
from botd.web.here import board, config, store
from botd.web.params import RoundQuery, query
from botd.web.questions import patience, status_question
from botd.web.replies import status_reply
from botd.web.rounds import asked_round, round_reply
from botd.web.who import asker

PLACE = "round"

MATRIX = frozenset({"checks", "fold", "page"})
"""Parameters that only the matrix has: who gives one at `/` gets the matrix, as before there was a round."""

HOSTS = 76
"""Characters of a hostlist that stands as it is copied; a longer one is shown folded."""

OPENED = 300
"""Nodes whose rows open: of more, the page would be megabytes, and each has a page of its own."""

CHANGES, OF_EACH = 500, 4
"""The newest changes of all rows that open, and of each."""

BACK = 30
"""Nodes that are back which the page names."""


LOOKS = ("format", "width", "color")
"""Parameters that say how the round looks, and nothing of which nodes are in it."""


class Opened(TypedDict):
    """What a row opens to: the readings that are not well, and what happened last."""

    verdict: str
    bad: list[tuple[Check, ReadingDocument]]
    changes: list[ShownChange]


def round_page() -> Response:
    """The morning round; the matrix, byte for byte, for who asks in the matrix's own words.

    As JSON, NDJSON and CSV it is the answer of `status`, as it has always been.
    """
    if not MATRIX.isdisjoint(request.args):
        return nodes_page()
    args = query(RoundQuery)
    form = page_form(args)
    if form and form.name != "table":
        return status_reply(status_question(patience(args)), form)
    answer, document = asked_round(args)
    if form:
        return round_reply(document, form)
    scripted, families = not is_text_browser(), document["families"]
    offered = offers(asker(), dict(_advised(document)[:OPENED]))
    names = [node["node"] for family in families for node in family["nodes"]]
    return render(
        "round.html",
        **figures(answer),
        **_news(document),
        round=document,
        read=read_words(document, board().now()),
        shown=shown(document),
        nobody=NONE if document["chosen"] else WELL,
        usual=answer.groups == tuple(config().sweep.groups),
        scripted=scripted,
        details=_details(answer, names[:OPENED]) if scripted else {},
        offered=offered,
        together=_together(document, offered),
        titles={name: told.title for name, told in DONE.items()},
        hostlists={family["family"]: _hosts(family) for family in families},
        family_urls={family["family"]: same_page(PLACE, family=family["family"]) for family in families},
        groups=listed_groups(answer.view.inventory),
        round_url=same_page("round-data"),
        all_url=same_page(PLACE, **dict.fromkeys(FILTERS)),
        text_url=same_page(PLACE, format="table"),
        can_press=can_press,
        note_words=note_words,
        next_words=next_words,
    )


def _together(document: RoundDocument, offered: Mapping[str, Offer]) -> dict[str, list[tuple[Together, str]]]:
    """By family what may be pressed for several of its nodes, with where that is done."""
    if not offered:
        return {}
    free = free_places(asker())
    return {
        family["family"]: [
            (each, same_page("several_page", **dict.fromkeys(LOOKS), family=family["family"], action=each.action))
            for each in together(family["nodes"], offered, free)
        ]
        for family in document["families"]
        if not family["aside"]
    }


def _advised(document: RoundDocument) -> list[tuple[str, str | None]]:
    """Every node of the round with what is recommended for it."""
    return [(node["node"], node["action"]) for family in document["families"] for node in family["nodes"]]


def _news(document: RoundDocument) -> dict[str, object]:
    """What is new, with links to it: new nodes in this page, the others where what changed stands."""
    news = document["news"]
    if not news:
        return {"news": None}
    changes = url_for("changes_page", since=news["since"])
    urls = {
        "new": same_page(PLACE, only="new") if news["new"] else "",
        "back": "#round-back",
        "changed": changes,
    }
    back = expand(news["back_nodes"]) if news["back"] else []
    return {
        "news": news,
        "news_since": since_words(news, board().now()),
        "news_links": [(words, urls.get(words.split()[-1], "")) for words in news_words(news)],
        "back": back[:BACK],
        "back_more": len(back) - len(back[:BACK]),
    }


def _hosts(family: RoundFamilyDocument) -> str:
    """A family's nodes in few characters."""
    return family["hostlist"] if width(family["hostlist"]) <= HOSTS else family["nodeset"]


def _details(answer: StatusAnswer, names: Sequence[str]) -> dict[str, Opened]:
    """What the rows of these nodes open to."""
    happened = _by_node(store().changes.page(nodes=names, limit=CHANGES))
    return {name: _opened(answer, name, happened.get(name, [])) for name in names}


def _opened(answer: StatusAnswer, node: str, happened: Sequence[Change]) -> Opened:
    readings, checks = answer.view.readings.get(node, {}), board().checks
    known = {name: readings[name] for name in checks if name in readings}
    bad = [(checks[name], found) for name, found in known.items() if found["state"] not in ("ok", "skipped")]
    return {"verdict": verdict(known, checks), "bad": bad, "changes": shown_changes(happened[:OF_EACH])}


def _by_node(changes: Iterable[Change]) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.node, []).append(change)
    return found
