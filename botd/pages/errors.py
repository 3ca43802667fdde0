"""Errors for a person: what was wrong, what may have been meant, and what to do."""

from __future__ import annotations

from flask import Response, request, url_for

from botd.errors import BotdError, NotFound
from botd.inventory import Inventory, listed_groups
from botd.pages.base import render
from botd.web.here import board
from botd.web.replies import error_reply

HINTS = {
    "no-node-list": "Start the agent, with `botd serve` or `botd agent`: its first look at Slurm takes some seconds. "
    "Then load this page again.",
    "slurm-failed": "Groups from files can be shown without Slurm. The agent tries again by itself.",
    "slurm-timeout": "Groups from files can be shown without Slurm. The agent tries again by itself.",
    "store-unavailable": "Web server and agent share one database: start the agent once, which makes it, and see that "
    "both may write it ([store] url). Then load this page again.",
    "too-many": "Load this page again when the sweeps that are waiting are done.",
}
"""What to do about an error, by its code, where its own words do not say."""


def error_page(error: Exception) -> Response:
    """An error for a person, with the status and the words of the JSON one, what may have been meant, what to do."""
    response = error_reply(error)
    details = response.get_json()["error"]
    known = _inventory()
    near = [(name, _url_of(name, known)) for name in error.near] if isinstance(error, NotFound) else []
    page = render(
        "error.html",
        **details,
        near=near,
        hint=HINTS.get(details["code"], ""),
        groups=listed_groups(known) if known else [],
        asked=request.args.get("groups", request.args.get("nodes", "")),
    )
    page.status_code = response.status_code
    page.headers.extend((name, value) for name, value in response.headers if name in ("Allow", "Retry-After"))
    return page


def _inventory() -> Inventory | None:
    """The nodes and groups as far as they are known: an error page must not fail over them."""
    try:
        return board().known().inventory
    except BotdError:
        return None


def _url_of(name: str, known: Inventory | None) -> str:
    is_node = known and (known.is_known(name) or known.named_in_short(name)) and name not in known.groups
    if is_node:
        return url_for("node", name=name)
    return url_for("nodes" if request.endpoint == "nodes" else "round", groups=name)
