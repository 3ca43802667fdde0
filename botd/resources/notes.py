"""What people note on nodes: read by everybody, written by who may."""

from __future__ import annotations

from typing import TypedDict

from flask import Response, url_for

from botd.display.formats import MIME
from botd.documents import NoteDocument, encode, note_document
from botd.resources.base import BotdResource
from botd.web.notes import end_note, notes_of, write_note
from botd.web.params import JsonQuery, NoteBody, NoteEndQuery, NotesQuery, body, chosen_format, query
from botd.web.questions import chosen_nodes
from botd.web.replies import records_reply, reply

COLUMNS = ("id", "node", "kind", "until", "by", "at", "text")


class NotesDocument(TypedDict):
    """Notes that have not ended, oldest first."""

    count: int
    notes: list[NoteDocument]


class NotesResource(BotdResource):
    """GET /api/v1/notes: the notes on nodes."""

    QUERY = NotesQuery
    FORMS = tuple(MIME)
    ANSWER = NotesDocument

    def get(self) -> Response:
        """What people noted on nodes, oldest first; of one node where `node` names it."""
        args = query(NotesQuery)
        nodes = chosen_nodes({"nodes": args["node"]}) if args.get("node") else None
        records = list(map(note_document, notes_of(nodes)))
        return records_reply(chosen_format(args), {"count": len(records)}, "notes", records, COLUMNS)


class NewNoteResource(BotdResource):
    """POST /api/v2/notes: somebody notes something."""

    QUERY = JsonQuery
    BODY = NoteBody
    ANSWER = NoteDocument
    MADE = NoteDocument

    def post(self) -> Response:
        """Writes a note on a node: acknowledge, snooze until, say, or ticket."""
        query(JsonQuery)
        note = write_note(body(NoteBody))
        response = reply("json", encode(note_document(note)) + b"\n")
        response.status_code = 201
        response.headers["Location"] = url_for("note", note=note.id)
        return response


class NoteResource(BotdResource):
    """DELETE /api/v2/notes/<id>: somebody ends a note."""

    QUERY = NoteEndQuery
    ANSWER = str

    def delete(self, note: int) -> Response:
        """Ends a note; the history of its node says who did."""
        end_note(note, query(NoteEndQuery).get("by", ""))
        return Response(status=204)
