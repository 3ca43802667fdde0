"""`botd web`: the web part alone, as a service manager runs it, where the agent is a service of its own."""

from __future__ import annotations

import os
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.util import import_app  # type: ignore[import-untyped]

from botd.config import listen_address, load_config
from botd.manager import Manager


def run_web(path: str | None, listen: str | None, log_level: str) -> None:
    """Serves until SIGINT or SIGTERM, where `[server] listen` says or on the sockets that systemd hands over.

    SIGHUP takes the configuration up anew. Raises ConfigError where it cannot be used, SystemExit at the end.
    """
    address = listen or load_config(path).server.listen
    listen_address(address)
    os.environ["BOTD_CONFIG"] = path or os.environ.get("BOTD_CONFIG", "")  # wsgi.py reads it
    Master(Web(path, address, log_level), Manager(os.environ)).run()


class Web(BaseApplication):  # type: ignore[misc]
    """The application with its settings of gunicorn, both of one configuration file."""

    def __init__(self, path: str | None, address: str, log_level: str) -> None:
        self._path = path
        self._address = address
        self._log_level = log_level
        super().__init__()

    def load_config(self) -> None:
        """Raises ConfigError. The address is that of the start: another one needs another start."""
        server = load_config(self._path).server
        settings = {
            "bind": self._address,
            "workers": server.workers,
            "threads": server.threads,
            "worker_class": "botd.commands.worker.Worker",
            "loglevel": self._log_level,
            "graceful_timeout": 2,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The WSGI application. Raises ConfigError."""
        return import_app("wsgi:app")


class Master(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which has its manager know how it is, and keeps its workers where new ones could not start."""

    def __init__(self, app: Web, manager: Manager) -> None:
        self._manager = manager
        super().__init__(app)

    def murder_workers(self) -> None:
        """What the master's loop does once a second."""
        self._manager.alive()
        super().murder_workers()

    def handle_hup(self) -> None:
        """SIGHUP: workers with a new configuration, or none: of one that fails to start gunicorn 27 would end."""
        self._manager.reloading()
        if self._can_load():
            super().handle_hup()
            self._manager.ready("serves with a new configuration")
        else:
            self.log.error("not reloaded, the old configuration stays")
            self._manager.ready("the new configuration cannot be used; the old one stays")

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """Ends with its workers."""
        self._manager.stopping()
        super().halt(reason, exit_status)

    def _can_load(self) -> bool:
        """Whether a child can make the application. It says what is wrong, and is gone afterwards."""
        if child := os.fork():
            return os.waitpid(child, 0)[1] == 0
        try:
            self.app.load_config()
            self.app.load()
            status = 0
        except BaseException as error:  # noqa: BLE001 - SystemExit too
            self.log.error("the new configuration cannot be used: %s", error)
            status = 1
        os._exit(status)
