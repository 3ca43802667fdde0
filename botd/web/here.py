"""The parts of this application that a request is answered from, and whether it may have nodes asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from flask import current_app, request

from botd.board.board import Board
from botd.inventory.networks import Network
from botd.settings import Config
from botd.store import Store


def board() -> Board:
    """This process's view of the store."""
    return cast(Board, current_app.extensions["botd"].board)


def store() -> Store:
    """The store itself, for what the board does not hold."""
    return cast(Store, current_app.extensions["botd"].store)


def config() -> Config:
    """The configuration of this process."""
    return cast(Config, current_app.extensions["botd"].config)


def networks() -> tuple[Network, ...]:
    """The networks of the site, which only workers reach."""
    return cast(tuple[Network, ...], current_app.extensions["botd"].networks)


def may_ask() -> bool:
    """Whether this request may have nodes asked: not one that a page of another site sent."""
    return not is_foreign(request.environ)


def is_foreign(environ: Mapping[str, Any]) -> bool:
    """Whether a page of another site sent a request (Fetch Metadata; Origin where the browser has none)."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = environ.get("HTTP_ORIGIN")
    return origin is not None and urlsplit(origin).netloc.lower() != environ.get("HTTP_HOST", "").lower()
