"""Below which path of its proxy's host botd stands: what a browser has before each of botd's own paths.

A proxy that takes `/botd` off a path says so in `X-Forwarded-Prefix: /botd`. WSGI has it as SCRIPT_NAME (PEP 3333), and
so every URL that Flask makes begins with it.
"""

from __future__ import annotations

import re

from werkzeug.wrappers import Request

from botd.errors import BadRequest
from botd.text import shown

_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?")
"""No empty part: a URL that begins with two slashes names a host."""

MAX_PREFIX = 200


def read_prefix(text: str) -> str:
    """The path in an X-Forwarded-Prefix, without a slash at its end; empty for the root. Raises BadRequest."""
    if len(text) > MAX_PREFIX or not _PREFIX.fullmatch(text):
        raise BadRequest(f'the proxy says X-Forwarded-Prefix: "{shown(text[:60])}", which is no path such as /botd')
    return text.rstrip("/")


def asked_url(asked: Request) -> str:
    """Path and query of a request as its browser has them."""
    return f"{asked.script_root}{asked.full_path}".rstrip("?")


def cookie_path(asked: Request) -> str:
    """Where a browser shows a session's cookie: to botd, and not to what else stands on the host."""
    return asked.script_root or "/"
