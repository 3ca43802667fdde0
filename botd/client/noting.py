"""What people note on nodes: written on several at once, listed, ended."""

from __future__ import annotations

from collections.abc import Mapping

from botd.client import person
from botd.client.asking import Asking, merged, told
from botd.client.forms import Fields, Listing, write_listing
from botd.client.server import Server
from botd.client.shapes import rows_of
from botd.client.trouble import Refused, Trouble
from botd.nodeset import expand

NOTE = Fields(("id", "node", "kind", "until", "by", "at", "text"))


def note(run: Asking) -> int:
    """Says something of nodes."""
    kind = "ticket" if run.args.ticket else "say"
    return _written(run, {"kind": kind, "text": run.args.text})


def acknowledge(run: Asking) -> int:
    """Says that somebody knows of them."""
    return _written(run, {"kind": "acknowledge", "text": run.args.text})


def snooze(run: Asking) -> int:
    """Says that nobody needs to look before a time."""
    return _written(run, {"kind": "snooze", "text": run.args.text, "until": run.args.until})


def notes(run: Asking) -> int:
    """The notes that have not ended, or the end of one."""
    if run.args.end:
        run.server.send("DELETE", f"/api/v2/notes/{run.args.end}", query={"by": person.own_login()})
        return 0

    def ask(server: Server) -> Listing:
        rows = rows_of(server.get("/api/v1/notes", {"node": run.args.nodes}), "notes")
        return Listing(NOTE, rows, "there is no note")

    listing, is_whole = merged(run, ask)
    write_listing(listing, run.form)
    return 0 if is_whole else 1


def _written(run: Asking, said: Mapping[str, str]) -> int:
    """One note for each node. Where one is refused the others are written all the same, and it is said which."""
    server, refused = run.server, []
    names = expand(run.args.nodes)
    for node in names:
        try:
            server.send("POST", "/api/v2/notes", {**said, "node": node, "by": person.own_login()})
        except Refused as error:
            refused.append(error)
            told(f"{node}: {error}" if len(names) > 1 else str(error))
        except Trouble as error:
            raise Trouble(f"{error}; the nodes before {node} have their note") from error
    return max((error.exit_status for error in refused), default=0)
