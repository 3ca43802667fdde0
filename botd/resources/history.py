"""What happened: to one node, in the cluster, and to which nodes again and again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Response

from botd.display.formats import MIME, Form, records_body
from botd.documents import Document, change_document, iso
from botd.errors import UnknownNode
from botd.history.bands import PAGE, Page, Span, moment, read_offenders, read_page
from botd.history.incidents import Offender
from botd.nodeset import check_name
from botd.resources.base import BotdResource
from botd.web.here import board, store
from botd.web.params import ChangesQuery, HistoryQuery, OffendersQuery, chosen_format, either, query
from botd.web.replies import reply

CHANGE_COLUMNS = ("at", "node", "subject", "old", "new", "why")
OFFENDER_COLUMNS = ("node", "incidents", "last_at", "last")

MORNING = timedelta(days=1)
"""What changed is asked once a day."""

WINDOW = timedelta(days=30)


class HistoryResource(BotdResource):
    """GET /api/v1/history/<node>: what happened to one node, newest first."""

    QUERY = HistoryQuery
    FORMS = tuple(MIME)
    ANSWER = "Changes"

    def get(self, node: str) -> Response:
        """Changes of one node, newest first."""
        args = query(HistoryQuery)
        page = node_history(check_name(node), args)
        return changes_reply(page, span_of(args), chosen_format(args))


class ChangesResource(BotdResource):
    """GET /api/v1/changes: what changed in the cluster, newest first."""

    QUERY = ChangesQuery
    FORMS = tuple(MIME)
    ANSWER = "Changes"

    def get(self) -> Response:
        """Changes of all nodes, or of some, newest first; of one day where nothing is said."""
        args = query(ChangesQuery)
        span = span_of({"since": "24h", **args})
        page = read_page(store(), chosen_nodes(args), span, **_place(args))
        return changes_reply(page, span, chosen_format(args))


class OffendersResource(BotdResource):
    """GET /api/v1/offenders: nodes by the number of their incidents."""

    QUERY = OffendersQuery
    FORMS = tuple(MIME)
    ANSWER = "Offenders"

    def get(self) -> Response:
        """Nodes by the number of incidents in a window, most first."""
        args = query(OffendersQuery)
        return offenders_reply(*offender_records(args), chosen_format(args))


def node_history(node: str, args: Mapping[str, Any]) -> Page:
    """A page of one node's history. Raises UnknownNode for a name that neither Slurm, groups nor history have."""
    page = read_page(store(), [node], span_of(args), **_place(args))
    if not page.changes and node not in board().known().inventory.names():
        board().question(groups=None, nodes=node, checks=None, max_age_s=None, wait_s=0)  # says the nearest name
        raise UnknownNode(f'there is no node "{node}"')
    return page


def chosen_nodes(args: Mapping[str, Any]) -> frozenset[str] | None:
    """The nodes that a request names; None where it names none, which is every node, those that are gone too."""
    groups, nodes = either(args, "groups", "g"), either(args, "nodes", "h")
    if not groups and not nodes:
        return None
    return frozenset(board().question(groups=groups, nodes=nodes, checks=None, max_age_s=None, wait_s=0).nodes)


def offender_document(offender: Offender) -> Document:
    """A node and its incidents."""
    return {
        "node": offender.node,
        "incidents": offender.incidents,
        "last_at": iso(offender.last_at),
        "last": offender.last,
    }


def span_of(args: Mapping[str, Any]) -> Span:
    """The time that a request asks about. Raises BadRequest."""
    now = board().now()
    return Span(moment("since", args.get("since"), now), moment("until", args.get("until"), now))


def _place(args: Mapping[str, Any]) -> dict[str, Any]:
    return {"before": args.get("before"), "limit": args.get("limit", PAGE)}


def changes_reply(page: Page, span: Span, form: Form) -> Response:
    """A page of changes in a form."""
    records = [change_document(change) for change in page.changes]
    head = {"since": iso(span.since), "until": iso(span.until), "count": len(records), "next": page.next}
    return reply(form.name, records_body(form, head, "changes", records, CHANGE_COLUMNS))


def offender_records(args: Mapping[str, Any]) -> tuple[datetime, list[Document]]:
    """Since when, and the nodes with incidents since then."""
    since = moment("since", args.get("since"), board().now()) or board().now() - WINDOW
    return since, [offender_document(found) for found in read_offenders(store(), chosen_nodes(args), since)]


def offenders_reply(since: datetime, records: list[Document], form: Form) -> Response:
    """Nodes and their incidents in a form."""
    head = {"since": iso(since), "count": len(records)}
    return reply(form.name, records_body(form, head, "nodes", records, OFFENDER_COLUMNS))
