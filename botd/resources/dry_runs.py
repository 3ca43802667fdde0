"""GET /api/v2/dry-runs: what would have been done, beside what people did."""

from __future__ import annotations

from flask import Response

from botd.display.formats import MIME
from botd.resources.base import BotdResource
from botd.web.dry_runs import DryRunsDocument, asked_dry_runs, dry_runs_reply
from botd.web.params import DryRunsQuery, chosen_format, query


class DryRunsResource(BotdResource):
    """GET /api/v2/dry-runs."""

    QUERY = DryRunsQuery
    FORMS = tuple(MIME)
    ANSWER = DryRunsDocument

    def get(self) -> Response:
        """Dry runs, newest first, each beside what people did to the node in the day after it."""
        args = query(DryRunsQuery)
        return dry_runs_reply(*asked_dry_runs(args), chosen_format(args))
