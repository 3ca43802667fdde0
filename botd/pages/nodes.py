"""GET /nodes: the matrix of nodes and readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from flask import Response, request, url_for

from botd.advice.rules import FAMILIES
from botd.board.answer import Question
from botd.board.choosing import FILTERS, RESULTS, UNLISTED, bare_state
from botd.display.cells import age, cell
from botd.display.findings import bad_first, verdict
from botd.display.fold import Shown, fold_nodes
from botd.documents import ReadingDocument
from botd.inventory import listed_groups
from botd.model import Check
from botd.pages.base import figures, page_form, render, same_page
from botd.text import fit, plain, width
from botd.web.clients import is_text_browser
from botd.web.here import board, may_ask
from botd.web.params import MatrixQuery, query
from botd.web.questions import new_since, patience, status_question
from botd.web.replies import status_reply

PLACE = "nodes"
"""Its endpoint. `/` answers with this page too, and then all links lead to where it lives."""

PAGE_NODES = 200
"""Nodes in the tables of one page: text browsers and phones choke on more."""

SORTS = {
    "": "name",
    "-since": "longest first",
    "since": "newest first",
    "family,-since": "what can be done",
    "state": "state",
}
"""What the form offers to sort by: `sort=` and its words."""

MAX_LINK = 1000
"""Characters of a nodeset in a link: escaped they are three times as many, and gunicorn takes lines of 4,094 bytes."""

MAX_CELL = 40
"""Columns of a value in the page's second table; the page of its node has it whole."""


class ShownRow(TypedDict):
    """A node, or a fold of nodes, as both tables show it. Cells are state, text and tip."""

    name: str
    count: int
    url: str
    state: str
    since: str
    by: str
    reason: str
    diagnosis: str
    verdict: str
    cells: list[tuple[str, str, str]]


def nodes_page() -> Response:
    """All nodes asked for with every reading, from the latest readings."""
    args = query(MatrixQuery)
    question = status_question(patience(args))
    form = page_form(args)
    if form:
        return status_reply(question, form)
    answer = board().answer(question, sweep_allowed=may_ask())
    folded = fold_nodes(board().bodies.node_documents(answer), board().checks) if args.get("fold") else None
    pages = max(1, -(-len(answer.nodes if folded is None else folded) // PAGE_NODES))
    page = min(args.get("page", 1), pages)
    part = slice((page - 1) * PAGE_NODES, page * PAGE_NODES)
    nodes = board().bodies.node_documents(replace(answer, nodes=answer.nodes[part])) if folded is None else folded[part]
    checks = [board().checks[name] for name in bad_first(answer.checks, [node["readings"] for node in nodes])]
    return render(
        "nodes.html",
        place=PLACE,
        **figures(answer),
        nodes=[_row(node, checks) for node in nodes],
        checks=[(check, check.short_title or check.title) for check in checks],
        groups=listed_groups(answer.view.inventory),
        pages=[(number, same_page(PLACE, page=number)) for number in range(1, pages + 1)] if pages > 1 else [],
        page=page,
        folded=folded is not None,
        scripted=not is_text_browser(),
        fold_url=same_page(PLACE, fold=None if args.get("fold") else 1, page=None),
        everything_url=same_page(PLACE, page=None, **dict.fromkeys(FILTERS)),
        **_offered(question),
    )


def _offered(question: Question) -> dict[str, object]:
    """What the form and the script offer to choose and to sort by, and from when on a node is new."""
    known = board().known().inventory.nodes
    states = {bare_state(known[node].state) if node in known else UNLISTED for node in question.nodes}
    return {
        "families": FAMILIES,
        "states": {state: state for state in sorted(states)},
        "results": {result: result for result in RESULTS},
        "sorts": SORTS,
        "new_since": new_since(request.args, board().now()),
    }


def _row(node: Shown, checks: Sequence[Check]) -> ShownRow:
    """A node, or a fold of nodes, as both tables show it."""
    name = node["nodeset"] if "nodeset" in node else node["node"]
    slurm, advice = node["slurm"], node["recommendation"]
    return {
        "name": name,
        "count": node["count"] if "nodeset" in node else 1,
        "url": _url(name, folded="nodeset" in node),
        "state": (slurm["state"] or "-") if slurm else "not in Slurm",
        "since": age(node["since"], board().now()) if node["since"] else "",
        "by": plain(slurm["reason_by"]) if slurm else "",
        "reason": plain(slurm["reason"]) if slurm else "",
        "diagnosis": plain(advice["title"]) if advice else "",
        "verdict": verdict(node["readings"], board().checks),
        "cells": [_cell(node["readings"][check.name], check) for check in checks],
    }


def _url(name: str, *, folded: bool) -> str:
    """Where a row leads to; a nodeset that is too long for a URL leads nowhere."""
    if folded:
        return url_for("nodes", nodes=name) if len(name) <= MAX_LINK else ""
    return url_for("node", name=name)


def _cell(reading: ReadingDocument, check: Check) -> tuple[str, str, str]:
    """State, text and tip of a cell. What is well needs no tip."""
    text = cell(reading, check)
    tip = "" if reading["state"] in ("ok", "skipped") else plain(reading["detail"])
    return reading["state"], fit(text, MAX_CELL) if width(text) > MAX_CELL else text, tip
