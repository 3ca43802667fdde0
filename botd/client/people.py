"""Who one is: logging in and out, what one may, and tokens for scripts."""

from __future__ import annotations

import re
from contextlib import suppress

from botd.client import person
from botd.client.asking import Asking, told
from botd.client.forms import Fields, Listing, write_listing
from botd.client.server import Server
from botd.client.shapes import Row, part_of, rows_of, text_of
from botd.client.tokens import keep
from botd.client.trouble import Refused, Strange, Unusable
from botd.output import write_out

ME = Fields(("login", "kind", "name", "scope", "until", "rights", "roles"), ("id", "address", "made_at", "used_at"))
TOKEN = Fields(("id", "name", "scope", "used_at", "until"), ("made_at", "address", "login", "kind"))

_SHAPE = re.compile(r"[A-Za-z0-9_-]{16,512}")
"""A token, as a header and a line of a file can have it."""


def login(run: Asking) -> int:
    """A session begins, and is kept for the next command."""
    site = run.server.site
    if site.token_file:
        raise Unusable(f"{site.url} is asked with the token of {site.token_file}: take token_file out to log in")
    if not site.is_private:
        raise Unusable(f"{site.url} is plain http: a password would go where others can listen; use its https URL")
    name = run.args.login or person.own_login() or person.asked("login")
    given = {"login": name, "password": person.secret(f"password of {name} at {site.url}")}
    given["code"] = person.asked("code of the moment")
    document = Server(site).send("POST", "/api/v2/login", given)
    keep(site, _token(document))
    told(f"logged in to {site.url} as {name}, until {text_of(document, 'until')} or half an hour without use")
    return 0


def logout(run: Asking) -> int:
    """The session ends, here and there."""
    server = run.server
    with suppress(Refused):  # it has ended already
        server.send("DELETE", "/api/v2/login")
    keep(server.site, "")
    return 0


def whoami(run: Asking) -> int:
    """Who one is, by which session or token, until when, and what one may."""
    document = run.server.get("/api/v2/me")
    if doubt := text_of(document, "doubt"):
        told(doubt)
    roles = [text_of(role, "name") for role in rows_of(document, "roles")]
    row: Row = {**part_of(document, "me"), "rights": document.get("rights"), "roles": roles}
    write_listing(Listing(ME, [row]), run.form)
    return 0


def tokens(run: Asking) -> int:
    """One's tokens for scripts; a new one, which is shown this once; or one that ends."""
    server, args = run.server, run.args
    if args.new:
        made = server.send("POST", "/api/v2/tokens", {"name": args.new, "hours": args.hours, "scope": args.scope})
        write_out(f"{_token(made)}\n".encode())
        return 0
    if args.end:
        server.send("DELETE", f"/api/v2/tokens/{args.end}")
        return 0
    write_listing(Listing(TOKEN, rows_of(server.get("/api/v2/tokens"), "tokens"), "there is no token"), run.form)
    return 0


def _token(document: Row) -> str:
    """The token of an answer. Raises Trouble where there is none that can be one."""
    token = text_of(document, "token")
    if not _SHAPE.fullmatch(token):
        raise Strange("the answer has no token that can be one")
    return token
