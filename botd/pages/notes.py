"""POST /node/<name>/notes and below: notes from the page of a node, which is shown again when one is written."""

from __future__ import annotations

from typing import Any

from flask import redirect, url_for
from werkzeug.wrappers import Response

from botd.documents import note_document
from botd.model import NoteKind
from botd.nodeset import check_name
from botd.web.notes import end_note, known_name, may_write, notes_of, write_note
from botd.web.params import NodeNoteForm, NoteEndQuery, form


def shown_notes(node: str, token: str) -> dict[str, Any]:
    """What the page of a node shows of its notes, and whether it has a form for more, with this token."""
    return {
        "form": token,
        "notes": list(map(note_document, notes_of([node]))),
        "may_note": may_write(),
        "writer": known_name(),
        "kinds": [kind.value for kind in NoteKind],
    }


def write(name: str) -> Response:
    """Writes a note on this node."""
    node = check_name(name)
    write_note({**form(NodeNoteForm), "node": node})
    return _back(node)


def end(name: str, note: int) -> Response:
    """Ends a note of this node."""
    node = check_name(name)
    end_note(note, form(NoteEndQuery).get("by", ""), node=node)
    return _back(node)


def _back(node: str) -> Response:
    """To the page of the node, so that loading it again writes nothing twice."""
    return redirect(url_for("node", name=node, _anchor="notes"), 303)
