"""What happened: to one node, in the cluster, and to which nodes again and again."""

from __future__ import annotations

from flask import Response

from botd.board.timeline import read_page
from botd.display.formats import MIME
from botd.nodeset import check_name
from botd.resources.base import BotdResource
from botd.web.here import store
from botd.web.params import ChangesQuery, HistoryQuery, OffendersQuery, ReportQuery, chosen_format, query
from botd.web.questions import (
    CHANGES_SINCE,
    _place,
    chosen_nodes,
    node_history,
    offender_records,
    report_rows,
    span_of,
)
from botd.web.replies import (
    ChangesDocument,
    OffendersDocument,
    ReportDocument,
    changes_reply,
    offenders_reply,
    report_reply,
)


class HistoryResource(BotdResource):
    """GET /api/v1/history/<node>: what happened to one node, newest first."""

    QUERY = HistoryQuery
    FORMS = tuple(MIME)
    ANSWER = ChangesDocument

    def get(self, node: str) -> Response:
        """Changes of one node, newest first."""
        args = query(HistoryQuery)
        page = node_history(check_name(node), args)
        return changes_reply(page, span_of(args), chosen_format(args))


class ChangesResource(BotdResource):
    """GET /api/v1/changes: what changed in the cluster, newest first."""

    QUERY = ChangesQuery
    FORMS = tuple(MIME)
    ANSWER = ChangesDocument

    def get(self) -> Response:
        """Changes of all nodes, or of some, newest first; of one day where nothing is said."""
        args = query(ChangesQuery)
        span = span_of({"since": CHANGES_SINCE, **args})
        page = read_page(store(), chosen_nodes(args), span, **_place(args))
        return changes_reply(page, span, chosen_format(args))


class OffendersResource(BotdResource):
    """GET /api/v1/offenders: nodes by the number of their incidents."""

    QUERY = OffendersQuery
    FORMS = tuple(MIME)
    ANSWER = OffendersDocument

    def get(self) -> Response:
        """Nodes by the number of incidents in a window, most first."""
        args = query(OffendersQuery)
        return offenders_reply(*offender_records(args), chosen_format(args))


class ReportResource(BotdResource):
    """GET /api/v1/report: what a time was like."""

    QUERY = ReportQuery
    FORMS = tuple(MIME)
    ANSWER = ReportDocument

    def get(self) -> Response:
        """How available partitions were, what kept nodes out of service, and which left it again."""
        args = query(ReportQuery)
        return report_reply(*report_rows(args), chosen_format(args))
