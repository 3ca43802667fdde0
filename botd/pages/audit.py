"""GET /audit: the record of what was done and refused, for people."""

from __future__ import annotations

from flask import Response

from botd.audit import KINDS
from botd.board.record import read_audit
from botd.pages.base import page_form, render, same_page
from botd.web.here import board, store
from botd.web.params import AuditQuery, page_of, query
from botd.web.replies import audit_reply


def audit() -> Response:
    """What was done and refused, newest first."""
    args = query(AuditQuery)
    form = page_form(args)
    page = read_audit(store(), **page_of(args))
    if form:
        return audit_reply(page, form)
    return render(
        "audit.html",
        rows=page.rows,
        kinds=KINDS,
        older=same_page("audit_page", before=page.next) if page.next else "",
        now=board().now(),
    )
