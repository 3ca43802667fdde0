"""The Flask application: the JSON interface, the pages, and one shape for every error."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, send_file

from botd import pages
from botd.board.board import Board
from botd.checks import site_checks
from botd.inventory.networks import Network, networks_of
from botd.model import Clock, utc_now
from botd.pages.bundle import bundle_file, bundle_url
from botd.resources import ROUTES
from botd.resources.base import BotdApi
from botd.resources.description import describe
from botd.settings import Config
from botd.store import Store
from botd.web.clients import wants_html
from botd.web.coding import deliver
from botd.web.door import Door
from botd.web.faults import error_reply
from botd.web.forms import check_form
from botd.web.proxy import Proxied
from botd.web.rates import Rates
from botd.web.repeats import Repeats
from botd.web.timings import ROUTE, Timings, named_routes
from botd.web.visitors import Visitors

MAX_BODY = 2_000_000
"""Bytes of a request body: a list of 50,000 full names fits."""

YEAR_S = 365 * 86400

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""What every answer says to a browser: nothing from elsewhere, no guessing of types."""


@dataclass(frozen=True)
class Botd:
    """What the resources and pages of one application share, as `app.extensions["botd"]`."""

    config: Config
    networks: tuple[Network, ...]
    store: Store
    board: Board
    openapi: dict[str, Any]
    streams: threading.BoundedSemaphore
    timings: Timings
    rates: Rates


def create_app(config: Config, *, clock: Clock = utc_now) -> Flask:
    """The web part of botd. It holds no key and no password, and opens nothing but the database.

    Raises ConfigError when the configuration cannot be used.
    """
    app = Flask(__name__, static_folder=str(shared_folder("static")), template_folder=str(shared_folder("templates")))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    checks = site_checks(config)
    store = Store(config)
    board = Board(config, checks, store, clock)
    api = BotdApi(app)
    for route in ROUTES:
        api.add_resource(route.resource, route.path, endpoint=route.name, defaults=dict(route.fixed))
    pages.register(app)
    app.add_url_rule(bundle_url(), "bundle", _bundle)
    inside: Any = Repeats(app.wsgi_app, board)
    if config.access.read == "known":
        inside = Door(inside, store, clock)
    if config.access.header:
        inside = Proxied(inside, config)
    timings = Timings(Visitors(inside, config.server), named_routes(app.url_map.iter_rules()))
    app.wsgi_app = timings  # type: ignore[method-assign]
    app.extensions["botd"] = Botd(
        config=config,
        networks=networks_of(config),
        store=store,
        board=board,
        openapi=describe(ROUTES),
        streams=threading.BoundedSemaphore(config.server.max_streams),
        timings=timings,
        rates=Rates(),
    )
    app.register_error_handler(Exception, _error)
    app.before_request(_tell_route)
    app.before_request(check_form)
    app.after_request(_harden)
    app.after_request(deliver)
    return app


def shared_folder(name: str) -> Path:
    """`static` or `templates`: inside the package where it is installed, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def _bundle() -> Response:
    """DataTables, for the page: the same for ever under this path."""
    response = send_file(bundle_file(), mimetype="text/javascript", max_age=YEAR_S)
    response.cache_control.public = True
    response.cache_control.immutable = True
    return response


def _error(error: Exception) -> Response:
    """Errors below /api/, and for clients that want no page, are JSON or text; the others get a page."""
    wants_page = not request.path.startswith("/api/") and wants_html()
    return pages.error_page(error) if wants_page else error_reply(error)


def _tell_route() -> None:
    """Flask forgets it before the answer is counted."""
    request.environ[ROUTE] = request.endpoint


def _harden(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
