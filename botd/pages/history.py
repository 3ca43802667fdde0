"""GET /changes, /offenders and the picture of a node's history: what happened, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Response, request, url_for

from botd.board.timeline import PAGE, Span, read_imported, read_page
from botd.display.plot import Line, Plot, Row, draw, level
from botd.documents import ChangeDocument, change_document, iso
from botd.history.bands import bands
from botd.history.changes import standing, word
from botd.model import BOOT, DIAGNOSIS, NOTE, REASON, SLURM, STARTED, Change, Check
from botd.nodeset import check_name
from botd.pages.base import page_form, render, same_page
from botd.web.here import board, store
from botd.web.params import ChangesQuery, HistoryQuery, OffendersQuery, query
from botd.web.questions import (
    CHANGES_SINCE,
    OFFENDERS_SINCE,
    chosen_nodes,
    moment,
    node_history,
    offender_records,
    span_of,
)
from botd.web.replies import changes_reply, offenders_reply

PLOTTED = "7d"
"""What the picture of a node shows where nothing else is said."""

SHORTEST = timedelta(minutes=10)
"""What the picture shows at least, however short the history is."""

REPEATED = 2
"""Incidents that make a repeat offender."""

FIRST = timedelta(minutes=10)
"""What is recorded so soon after the begin of the record was so before it."""

MAX_PLOTTED = 1000
"""Changes that the picture of a node is made from."""


class ShownChange(ChangeDocument):
    """A change as the pages show it: with the title of what changed, and the class of what it became."""

    title: str
    look: str


TITLES = {SLURM: "Slurm", REASON: "Reason", DIAGNOSIS: "Diagnosis", NOTE: "Note", BOOT: "Boot", STARTED: "slurmd start"}
"""The subjects of the history that are no checks."""


def changes() -> Response:
    """What changed in the cluster, newest first."""
    args = query(ChangesQuery)
    form = page_form(args)
    span = span_of({"since": CHANGES_SINCE, **args})
    begun_at = None if form else _begun_within(span)
    shown = Span(begun_at + FIRST, span.until) if begun_at else span
    page = read_page(store(), chosen_nodes(args), shown, before=args.get("before"), limit=args.get("limit", PAGE))
    if form:
        return changes_reply(page, span, form)
    return render(
        "changes.html",
        nodes=_by_node(shown_changes(page.changes)),
        begun=iso(begun_at) if not page.next else None,
        at_first=same_page("changes_page", since=iso(begun_at), until=iso(begun_at + FIRST), before=None)
        if begun_at
        else "",
        since=request.args.get("since", CHANGES_SINCE),
        asked=request.args.get("groups", request.args.get("g", request.args.get("nodes", ""))),
        older=same_page("changes_page", before=page.next) if page.next else "",
        now=board().now(),
    )


def begun() -> datetime | None:
    """When the record begins."""
    return store().pulse().history_since


def offenders() -> Response:
    """The nodes with two incidents and more, most first."""
    args = query(OffendersQuery)
    form = page_form(args)
    since, found = offender_records(args)
    records = [record for record in found if record["incidents"] >= REPEATED]
    if form:
        return offenders_reply(since, records, form)
    return render(
        "offenders.html",
        offenders=records,
        begun=iso(begun()),
        since=request.args.get("since", OFFENDERS_SINCE),
        asked=request.args.get("groups", request.args.get("g", request.args.get("nodes", ""))),
        now=board().now(),
    )


def history_picture(name: str) -> Response:
    """A node's history as SVG."""
    args = query(HistoryQuery)
    node = check_name(name)
    node_history(node, args)  # refuses what is no node
    since = moment("since", args.get("since", PLOTTED), board().now())
    response = Response(draw(node_plot(node, since)), content_type="image/svg+xml")
    response.headers["Cache-Control"] = "no-cache"
    return response


def timeline(node: str) -> dict[str, Any]:
    """What the page of a node shows of its history."""
    page = read_page(store(), [node], Span())
    plot = node_plot(node, moment("since", PLOTTED, board().now()))
    return {
        "changes": shown_changes(page.changes),
        "imported": list(map(iso, read_imported(store(), node))),
        "older": url_for("changes_page", nodes=node, since="9999d", before=page.next) if page.next else "",
        "picture": url_for("history_picture", name=node),
        "picture_words": f"Since {plot.since:%F %H:%M} UTC. {plot.words()}",
    }


def node_plot(node: str, since: datetime) -> Plot:
    """All that the picture of a node shows."""
    now, here = board().now(), board()
    found = store().changes.page(nodes=[node], since=since, limit=MAX_PLOTTED)
    by_subject: dict[str, list[Change]] = {}
    for change in found:
        by_subject.setdefault(change.subject, []).append(change)
    begun_at = store().pulse().history_since or since
    since = min(max(since, begun_at), now - SHORTEST)
    words, known_since = _words_now(node), max(since, begun_at)
    always = {SLURM, *(name for name, check in here.checks.items() if check.always_drawn)}
    rows = [
        Row(_title(subject), bands(happened, said, known_since, now))
        for subject, said in words.items()
        if (happened := by_subject.get(subject, [])) or subject in always or said != "ok"
    ]
    numbers = store().samples.of_node(node, since, now)
    lines = [
        Line(_line_title(check), None if check.bare else check.unit, points)
        for check in here.checks.values()
        if len(points := numbers.get(check.name, [])) > 1
    ]
    return Plot(since, now, rows, lines)


def shown_changes(found: Sequence[Change]) -> list[ShownChange]:
    """Changes as the pages show them."""
    return [{**change_document(change), "title": _title(change.subject), "look": level(change.new)} for change in found]


def _by_node(found: Sequence[ShownChange]) -> list[tuple[str, str, list[ShownChange]]]:
    """The changes of each node together, with what became of it in a word; nodes as newest first as the changes."""
    nodes: dict[str, list[ShownChange]] = {}
    for change in found:
        nodes.setdefault(change["node"], []).append(change)
    return [(node, _in_short(changes), changes) for node, changes in nodes.items()]


def _in_short(changes: Sequence[ShownChange]) -> str:
    """What a node is by its newest changes: what Slurm says of it, and its diagnosis."""
    newest = {change["subject"]: change for change in reversed(changes)}
    told = [newest[subject] for subject in (SLURM, DIAGNOSIS) if subject in newest] or list(newest.values())[:2]
    return ", ".join(f"{change['title']}: {change['new'] or '-'}" for change in told)


def _begun_within(span: Span) -> datetime | None:
    """When the record begins, where that is within a time that goes on after it: then all was new, and is no news."""
    begun_at = begun()
    if begun_at is None or (span.since and span.since > begun_at + FIRST):
        return None
    return begun_at if span.until is None or span.until > begun_at + FIRST else None


def _title(subject: str) -> str:
    """The name of a subject for a person."""
    known = board().checks.get(subject)
    return TITLES.get(subject) or (known.title if known else subject)


def _line_title(check: Check) -> str:
    """The name of a number: the check's title, and which number of its object it is."""
    return check.title if check.plotted == "value" else f"{check.title} {check.plotted}"


def _words_now(node: str) -> Mapping[str, str]:
    """The word of Slurm and of each check, as they are now."""
    view = board().known()
    readings = view.readings.get(node, {})
    said = {name: word(check, readings[name]) for name, check in board().checks.items() if name in readings}
    slurm = {SLURM: standing(view.inventory.nodes.get(node))}
    return slurm | {name: known for name, known in said.items() if known}
