"""GET /audit: the record of what was done and refused, for people."""

from __future__ import annotations

from flask import Response, request

from botd.audit import KINDS
from botd.board.record import read_audit
from botd.pages.base import page_form, render, same_page
from botd.pages.people import personal, redirected
from botd.web.below import asked_url
from botd.web.here import board, store
from botd.web.params import AuditQuery, page_of, query
from botd.web.replies import audit_reply
from botd.web.rights import known_with
from botd.web.who import who


def audit() -> Response:
    """What was done and refused, newest first, for who has the right `audit`: it names logins and addresses."""
    args = query(AuditQuery)
    form = page_form(args)
    if not form and who() is None:
        return redirected("login_page", to=asked_url(request))
    known_with("audit")
    page = read_audit(store(), **page_of(args))
    if form:
        return audit_reply(page, form)
    shown = render(
        "audit.html",
        rows=page.rows,
        kinds=KINDS,
        older=same_page("audit_page", before=page.next) if page.next else "",
        now=board().now(),
    )
    return personal(shown)
