"""A login that a proxy has checked: taken from a header of its, and not from everybody who sends one.

On a host of many users anybody can send a header to loopback. So it counts where only the proxy can have sent it: on a
unix socket that others cannot reach, or beside a secret that the two share.
"""

from __future__ import annotations

import hmac
import socket
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botd.config import header_secret
from botd.errors import ConfigError
from botd.settings import Config

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

VOUCHED = "botd.vouched"
"""Where the login stands for the application. No header gets there: theirs begin with HTTP_."""

SECRET = "X-Botd-Secret"  # noqa: S105 - the name of the header
WHERE = "[access] header"


class Proxied:
    """A WSGI application that stands before another one, and tells it whom the proxy vouches for.

    Neither header goes further. With a secret it is asked for on a unix socket too. Raises ConfigError for a secret
    that is none.
    """

    def __init__(self, application: WSGIApplication, config: Config) -> None:
        self._application = application
        self._header, self._secret = _key(config.access.header), header_secret(config)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer of the application."""
        login, secret = str(environ.pop(self._header, "")).strip(), str(environ.pop(_key(SECRET), ""))
        if login and self._is_proxy(environ, secret):
            environ[VOUCHED] = login
        return self._application(environ, start_response)

    def _is_proxy(self, environ: Mapping[str, Any], secret: str) -> bool:
        if self._secret:
            return hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret.encode("utf-8", "replace"))
        # gunicorn 27: the client of a unix socket has no address, and only it has no port
        return not environ.get("REMOTE_ADDR") and "REMOTE_PORT" not in environ


def check_sockets(config: Config, sockets: Iterable[socket.socket]) -> None:
    """Raises ConfigError where a header is to be believed that others than the proxy could send."""
    if config.access.header and not header_secret(config):
        for each in sockets:
            if why := _why_open(each):
                raise ConfigError(
                    f"{WHERE} would be believed of anybody who sends it: {why}; listen on a unix socket that only the "
                    "proxy reaches, or share a secret with it by [access] header_secret_file",
                    WHERE,
                )


def _why_open(listener: socket.socket) -> str:
    """Why others than the proxy could connect, empty where they cannot."""
    if listener.family != socket.AF_UNIX:
        return "every user of this host can connect to loopback"
    name = listener.getsockname()
    if not isinstance(name, str) or not name.startswith("/"):
        return "every user of this host can connect to a socket without a path"
    path = Path(name)
    is_shut = not path.stat().st_mode & stat.S_IWOTH or any(
        not parent.stat().st_mode & stat.S_IXOTH for parent in path.parents
    )
    return "" if is_shut else f"every user of this host can connect to {path}"


def _key(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"
