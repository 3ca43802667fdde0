"""GET /dry-runs: what would have been done, beside what people did."""

from __future__ import annotations

from flask import Response, request

from botd.board.dry_runs import DryRunDocument
from botd.board.timeline import PAGE
from botd.pages.base import page_form, render
from botd.pages.people import personal
from botd.web.dry_runs import asked_dry_runs, dry_runs_head, dry_runs_reply
from botd.web.here import board
from botd.web.params import DryRunsQuery, query
from botd.web.questions import OFFENDERS_SINCE
from botd.web.who import asker


def dry_runs_page() -> Response:
    """Dry runs, newest first, and at the top how often people did the same."""
    args = query(DryRunsQuery)
    form = page_form(args)
    since, runs = asked_dry_runs(args)
    if form:
        return dry_runs_reply(since, runs, form)
    shown: list[DryRunDocument] = runs[:PAGE]
    return personal(
        render(
            "dry_runs.html",
            head=dry_runs_head(since, runs),
            runs=shown,
            more=len(runs) - len(shown),
            since=request.args.get("since", OFFENDERS_SINCE),
            asked=request.args.get("groups", request.args.get("g", request.args.get("nodes", ""))),
            asker=asker(),
            now=board().now(),
        )
    )
