"""Who comes with a browser: only to a name that botd has, and from elsewhere to look and not to have nodes asked.

A page of anybody's can send a browser that reaches botd here. By DNS rebinding even the answer would be its own: its
name then means botd's address, and only the Host header tells. A client that is no browser is asked for nothing.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.wrappers import Request

from botd.addresses import is_shared, who_asks
from botd.config import listen_address
from botd.display.formats import MIME
from botd.errors import BadRequest, BotdError, CrossSite, WrongHost
from botd.settings import ServerSettings
from botd.text import shown
from botd.web.below import read_prefix
from botd.web.faults import error_body, error_form
from botd.web.here import is_foreign

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

ASKER = "botd.asker"
"""Where the address of who asks stands for the application. No header gets there: theirs begin with HTTP_."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Visitors:
    """A WSGI application that stands before another one, and turns away who must not come."""

    def __init__(self, application: WSGIApplication, settings: ServerSettings) -> None:
        self._application = application
        self._proxies = settings.proxies
        self._names = frozenset(map(str.lower, settings.names))
        self._listens = listen_address(settings.listen)[0].lower()
        self._is_told = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer of the application, 421, 403 or 400."""
        try:
            self._look_behind_proxies(environ)
        except BadRequest as error:
            return _refuse(error, environ, start_response)
        host = _name(environ.get("HTTP_HOST", ""))
        if not (host == "" or self._is_ours(host, environ)):
            return _refuse(WrongHost(shown(host)), environ, start_response)
        if is_foreign(environ) and not _only_looks(environ):
            return _refuse(CrossSite(), environ, start_response)
        return self._application(environ, start_response)

    def _look_behind_proxies(self, environ: WSGIEnvironment) -> None:
        """Believes a proxy who asks, how, and below which path. Raises BadRequest for a path that is none."""
        peer, forwarded = str(environ.get("REMOTE_ADDR", "")), str(environ.get("HTTP_X_FORWARDED_FOR", ""))
        prefix = str(environ.pop("HTTP_X_FORWARDED_PREFIX", ""))
        environ[ASKER] = who_asks(peer, forwarded, self._proxies)
        if prefix and is_shared(peer, self._proxies):
            environ["SCRIPT_NAME"] = read_prefix(prefix)
        # gunicorn 27 believes it of unix sockets and loopback alone, and not of that on a socket for IPv6 and IPv4
        if environ.get("HTTP_X_FORWARDED_PROTO") == "https" and is_shared(peer, self._proxies):
            environ["wsgi.url_scheme"] = "https"

    def _is_ours(self, host: str, environ: WSGIEnvironment) -> bool:
        address = "" if not environ.get("REMOTE_PORT") else environ.get("SERVER_NAME", "")  # a unix socket has none
        if host in LOOPBACK or host in self._names or host in (address, self._listens) or "*" in self._names:
            return True
        if self._names or not (address == "" or _is_wildcard(address)):
            return False
        if not self._is_told:
            self._is_told = True
            log.warning("any Host is answered: say in [server] names by which names botd is reached")
        return True


def address_of(environ: WSGIEnvironment) -> str:
    """The address of who asks, of whom a proxy has named where one did; empty where nobody knows it."""
    return str(environ[ASKER])


def _only_looks(environ: WSGIEnvironment) -> bool:
    """Whether somebody followed a link to a page, which then shows what is known."""
    is_link = environ.get("HTTP_SEC_FETCH_DEST") == "document" and environ["REQUEST_METHOD"] in ("GET", "HEAD")
    asks = "max_age" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True) or environ.get(
        "PATH_INFO", ""
    ).startswith("/api/")
    return is_link and not asks


def _name(host: str) -> str:
    """The name or address in a Host header, without its port."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.rstrip(".").lower()


def _is_wildcard(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


def _refuse(error: BotdError, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    form = error_form(Request(environ))
    body, vary = error_body(error, form), "Sec-Fetch-Site, Accept"
    headers = [("Content-Type", MIME[form]), ("Content-Length", str(len(body))), ("Vary", vary)]
    start_response(f"{error.status} {error.code}", headers)
    return [body]
