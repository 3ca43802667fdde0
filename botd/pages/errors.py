"""Errors for a person: what was wrong, what may have been meant, and what to do."""

from __future__ import annotations

from flask import Response, request, url_for

from botd.errors import BotdError, NotFound
from botd.inventory import Inventory, listed_groups
from botd.pages.base import render
from botd.web.faults import HINTS, fault_of
from botd.web.here import board


def error_page(error: Exception) -> Response:
    """An error for a person, with the status and the words of the JSON one, what may have been meant, what to do."""
    ours, headers = fault_of(error)
    known = _inventory()
    near = [(name, _url_of(name, known)) for name in ours.near] if isinstance(ours, NotFound) else []
    page = render(
        "error.html",
        status=ours.status,
        code=ours.code,
        message=str(ours),
        near=near,
        hint=HINTS.get(ours.code, ""),
        groups=listed_groups(known) if known else [],
        asked=request.args.get("groups", request.args.get("nodes", "")),
    )
    page.status_code = ours.status
    page.headers.extend(headers)
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
