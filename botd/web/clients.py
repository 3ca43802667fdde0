"""What kind of client asks: a browser, a text browser, or a program."""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Request


def wants_html(asked: Request | None = None) -> bool:
    """Whether the client is a browser. curl asks for */*, and so does elinks, which says who it is."""
    accepted = (asked or request).accept_mimetypes
    named = "text/html" in [mime for mime, _ in accepted]
    return is_text_browser(asked) or (named and accepted["text/html"] >= accepted["text/plain"])


def is_text_browser(asked: Request | None = None) -> bool:
    """Whether the client shows even what is hidden until a script runs: text browsers know no `hidden`."""
    return ((asked or request).user_agent.string or "").lower().startswith(("elinks", "links", "lynx", "w3m"))
