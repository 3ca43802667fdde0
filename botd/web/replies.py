"""Replies: an answer in its form with an entity tag."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Literal, TypedDict
from zlib import crc32

from flask import Response

from botd.board.answer import Question, StatusAnswer
from botd.board.record import AuditPage, AuditRowDocument
from botd.board.timeline import Page, Span
from botd.display.findings import Survey, survey
from botd.display.formats import MIME, Fields, Form, records_body, status_body
from botd.display.terminal import notes
from botd.documents import ChangeDocument, Time, change_document, iso
from botd.history.incidents import Offender
from botd.history.report import Period, ReportRow
from botd.web.here import board, may_ask
from botd.web.repeats import may_repeat

CHANGE_COLUMNS = ("at", "node", "subject", "old", "new", "why")
AUDIT_COLUMNS = ("number", "at", "kind", "by", "about", "words")
REPORT_COLUMNS = tuple(field.name for field in fields(ReportRow))
OFFENDER_COLUMNS = ("node", "incidents", "imported", "last_at", "last")


def reply(form: str, data: bytes, tag: str | None = None) -> Response:
    """The body in a form. With an entity tag, a client that has it already gets 304 and no body: see `coding`."""
    response = Response(data, content_type=MIME[form])
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept")
    if tag:
        response.set_etag(f"{tag}-{form}")
    return response


def tag_of(body: bytes) -> str:
    """The entity tag of a body, without its form."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def records_reply(
    form: Form, head: Fields, key: str, records: Sequence[Fields], columns: Sequence[str], *, moving: Sequence[str] = ()
) -> Response:
    """Records in a form, with an entity tag of all that is said.

    `moving` are members of the head that go on with the clock, such as the begin of the last 24 hours: answers that
    differ in nothing else are the same to who asks again, and their tag is a weak one (RFC 9110, 8.8.1).
    """
    body = records_body(form, head, key, records, columns)
    same = records_body(form, {**head, **dict.fromkeys(moving)}, key, records, columns) if moving else body
    response = reply(form.name, body)
    response.set_etag(f"{tag_of(same)}-{form.name}", weak=bool(moving))
    return response


class ChangesHead(TypedDict):
    """A page of changes without them. `next` is the cursor of the page after this one."""

    since: Time | None
    until: Time | None
    count: int
    next: int | None


class ChangesDocument(ChangesHead):
    """Changes, newest first."""

    changes: list[ChangeDocument]


class OffenderDocument(TypedDict):
    """A node, the number of its incidents, of imported ones among them, when the last one began and what it was."""

    node: str
    incidents: int
    imported: int
    last_at: Time
    last: str


class OffendersHead(TypedDict):
    """Nodes with incidents without them."""

    since: Time
    count: int


class OffendersDocument(OffendersHead):
    """Nodes with incidents, most first."""

    nodes: list[OffenderDocument]


def offender_document(offender: Offender) -> OffenderDocument:
    """A node and its incidents."""
    return {
        "node": offender.node,
        "incidents": offender.incidents,
        "imported": offender.imported,
        "last_at": iso(offender.last_at),
        "last": offender.last,
    }


def changes_reply(page: Page, span: Span, form: Form) -> Response:
    """A page of changes in a form."""
    records = [change_document(change) for change in page.changes]
    head: ChangesHead = {"since": iso(span.since), "until": iso(span.until), "count": len(records), "next": page.next}
    return records_reply(form, head, "changes", records, CHANGE_COLUMNS, moving=("since", "until"))


def offenders_reply(since: datetime, records: list[OffenderDocument], form: Form) -> Response:
    """Nodes and their incidents in a form."""
    head: OffendersHead = {"since": iso(since), "count": len(records)}
    return records_reply(form, head, "nodes", records, OFFENDER_COLUMNS, moving=("since",))


class ReportRowDocument(TypedDict):
    """A partition, a cause or a node that left service again. Times are hours of all nodes together."""

    about: Literal["partition", "cause", "repeater"]
    name: str
    nodes: int
    out_h: float
    in_service_h: float | None
    unknown_h: float | None
    available_percent: float | None
    incidents: int | None
    imported: int | None


class ReportHead(TypedDict):
    """What a report is about. `whole` is false where the record begins only at `since`."""

    since: Time
    until: Time
    whole: bool
    count: int


class ReportDocument(ReportHead):
    """What a time was like."""

    rows: list[ReportRowDocument]


def report_reply(period: Period, whole: bool, rows: Sequence[ReportRow], form: Form) -> Response:
    """A report in a form."""
    records = [dict(vars(row)) for row in rows]  # `asdict` copies each value, too
    head: ReportHead = {
        "since": iso(period.since),
        "until": iso(period.until),
        "whole": whole,
        "count": len(records),
    }
    return records_reply(form, head, "rows", records, REPORT_COLUMNS, moving=("since", "until"))


class AuditHead(TypedDict):
    """A page of the audit without its rows. `next` is the cursor of the page after this one."""

    count: int
    next: int | None


class AuditDocument(AuditHead):
    """Rows of the audit, newest first."""

    rows: list[AuditRowDocument]


def audit_reply(page: AuditPage, form: Form) -> Response:
    """A page of the audit in a form. It names people: nobody keeps it."""
    head: AuditHead = {"count": len(page.rows), "next": page.next}
    response = records_reply(form, head, "rows", page.rows, AUDIT_COLUMNS)
    response.headers["Cache-Control"] = "no-store"
    return response


def status_reply(question: Question, form: Form) -> Response:
    """The answer to a status question in one form. A table ends with the age of its readings, which is never kept;
    the ages in its rows are those of the minute.
    """
    here = board()
    minute = here.now().replace(second=0, microsecond=0)
    answer = here.answer(question, sweep_allowed=may_ask())

    def make() -> bytes:
        return status_body(
            form,
            answer.head(),
            lambda: here.bodies.node_documents(answer),
            lambda: here.bodies.node_json(answer),
            here.checks,
            minute,
        )

    body, tag = here.bodies.encoded(answer, (form, minute) if form.name == "table" else form, make)
    if form.name != "table":
        may_repeat(answer)
        return reply(form.name, body, tag)
    ages = notes([f"readings are {survey_of(answer).ages(here.now())}"], form.look).encode()
    return reply(form.name, body + ages, f"{tag}-{crc32(ages):x}")


def survey_of(answer: StatusAnswer) -> Survey:
    """The readings of an answer in a few figures."""
    view, nodes, checks = answer.view, answer.nodes, answer.checks
    readings = (view.readings.get(node, {}) for node in nodes)
    return view.once(("survey", nodes, checks), lambda: survey(readings, checks, board().checks))
