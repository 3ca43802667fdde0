"""Who asks: the session or token that a request shows, as the agent has told it.

This decides what somebody gets to see. What somebody may have done the agent decides, by its own record.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flask import request
from werkzeug.wrappers import Request

from botd.access.judge import Person
from botd.access.letters import HolderDocument, PersonDocument, read_told
from botd.access.tokens import is_token, token_hash
from botd.documents import iso
from botd.errors import BotdError, LoginRequired
from botd.store import Store
from botd.web.here import board, store
from botd.web.mail import send
from botd.web.proxy import VOUCHED
from botd.web.visitors import address_of

COOKIE = "botd"
SECURE_COOKIE = "__Host-botd"
"""Behind TLS: a browser takes it from nobody but this host (RFC 6265bis, 4.1.3.2)."""

SECURE_COOKIE_BELOW = "__Secure-botd"
"""The same below a path of a host: `__Host-` would have every other program there shown it as well."""

USED_EVERY = timedelta(seconds=60)
"""How often the agent is told that a session is in use."""

_FOUND = "botd.who"


@dataclass(frozen=True)
class Who:
    """Somebody who is logged in. `token` is what they showed, in a cookie or a header; empty where a proxy vouches."""

    token: str
    shown: Literal["cookie", "header", "proxy"]
    holder: HolderDocument

    @property
    def login(self) -> str:
        """The name that they are known by."""
        return self.holder["login"]

    @property
    def person(self) -> Person:
        """The person, as roles are tried on."""
        return Person(self.login, frozenset(self.holder["groups"]), frozenset(self.holder["roles"]))


def find_who(asked: Request, here: Store, now: datetime) -> Who | None:
    """Who sent a request, None where nobody is logged in. Looked up once for each request. Raises StoreUnavailable."""
    if _FOUND not in asked.environ:
        asked.environ[_FOUND] = _look_up(asked, here, now)
    found: Who | None = asked.environ[_FOUND]
    return found


def who() -> Who | None:
    """Who sent this request. Raises StoreUnavailable."""
    found = find_who(request, store(), board().now())
    if found and found.token and found.holder["used_at"] < iso(board().now() - USED_EVERY):
        minute = int(board().now().timestamp() // 60)
        with suppress(BotdError):  # it is told the next time
            send("used", f"used {token_hash(found.token)[:40]} {minute}", found.token, address_of(request.environ))
    return found


def known() -> Who:
    """Who sent this request. Raises LoginRequired."""
    found = who()
    if found is None:
        raise LoginRequired("log in: POST /api/v2/login, or the page /login")
    return found


def asker() -> Who | None:
    """Who sent this request, where that is by a session or a token that may ask for something."""
    found = who()
    return found if found and found.token and found.holder["scope"] == "ask" else None


def shown_token(asked: Request) -> tuple[str, Literal["cookie", "header"]] | None:
    """The token that a request shows. A header counts before a cookie: no other site can send one."""
    kind, _, token = asked.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and is_token(token.strip()):
        return token.strip(), "header"
    # By name: lynx 2.9 sends `$Path` and the like along as if they were cookies.
    cookie = asked.cookies.get(cookie_name(asked), "")
    return (cookie, "cookie") if is_token(cookie) else None


def cookie_name(asked: Request) -> str:
    """The name of the cookie here."""
    if not asked.is_secure:
        return COOKIE
    return SECURE_COOKIE_BELOW if asked.script_root else SECURE_COOKIE


def _look_up(asked: Request, here: Store, now: datetime) -> Who | None:
    shown = shown_token(asked)
    told = here.copies.get("session", token_hash(shown[0])) if shown else None
    if shown and told is not None:
        holder = read_told(HolderDocument, told)
        if holder["until"] > iso(now):  # the agent may be away, and the copy stay
            return Who(*shown, holder)
    return None if shown and shown[1] == "header" else _vouched(asked, here, now)


def _vouched(asked: Request, here: Store, now: datetime) -> Who | None:
    """Whom a proxy vouches for, if the agent knows them: for this request, and for no action."""
    login = str(asked.environ.get(VOUCHED, ""))
    told = here.copies.get("person", login) if login else None
    if told is None:
        return None
    known = read_told(PersonDocument, told)
    at, address = iso(now), address_of(asked.environ)
    holder: HolderDocument = {
        "id": 0,
        "kind": "session",
        "login": login,
        "name": "",
        "scope": "ask",
        "address": address,
        "made_at": at,
        "used_at": at,
        "until": at,
        "groups": known["groups"],
        "roles": known["roles"],
    }
    return Who("", "proxy", holder)
