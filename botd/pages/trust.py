"""GET /trust: how good botd's word is."""

from __future__ import annotations

from flask import Response

from botd.advice.rules import RULES
from botd.advice.trust import TrustDocument
from botd.board.trust import read_trust
from botd.display.reliability import Point, draw, words
from botd.pages.base import render
from botd.web.here import board, store
from botd.web.params import JsonQuery, query

TITLES = {
    rule.name: rule.title.replace("{mount}", "a file system").replace("{check}", "a check of the site")
    for rule in RULES
}


def trust_page() -> Response:
    """Chances that were told before, beside what came of it; and what was counted, by diagnosis."""
    query(JsonQuery)
    told = read_trust(store())
    return render("trust.html", told=told, titles=TITLES, picture_words=words(_points(told)), now=board().now())


def trust_picture() -> Response:
    """What came of what was told, as SVG."""
    query(JsonQuery)
    response = Response(draw(_points(read_trust(store()))), content_type="image/svg+xml")
    response.headers["Cache-Control"] = "no-cache"
    return response


def _points(told: TrustDocument) -> list[Point]:
    return [Point(each["told"], each["good"] / max(1, each["of"]), each["of"]) for each in told["tenths"]]
