"""The record of what was done and refused: a copy, and its signed head."""

from __future__ import annotations

from flask import Response

from botd.board.record import CheckpointDocument, read_audit, read_head
from botd.display.formats import MIME
from botd.documents import encode
from botd.resources.base import BotdResource
from botd.web.here import store
from botd.web.params import AuditQuery, JsonQuery, chosen_format, page_of, query
from botd.web.replies import AuditDocument, audit_reply, reply
from botd.web.rights import known_with


class AuditResource(BotdResource):
    """GET /api/v2/audit: what was done and refused, newest first."""

    QUERY = AuditQuery
    FORMS = tuple(MIME)
    ANSWER = AuditDocument

    def get(self) -> Response:
        """The copy of the audit that the agent has told, newest first; for who has the right `audit`."""
        args = query(AuditQuery)
        known_with("audit")
        return audit_reply(read_audit(store(), **page_of(args)), chosen_format(args))


class AuditHeadResource(BotdResource):
    """GET /api/v2/audit/head: the signed head of the audit."""

    QUERY = JsonQuery
    ANSWER = CheckpointDocument

    def get(self) -> Response:
        """How many rows the audit has and the hash of the last, signed by the agent; for watchers elsewhere too."""
        query(JsonQuery)
        return reply("json", encode(read_head(store())) + b"\n")
