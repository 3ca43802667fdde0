"""`botd serve`: the web server and the agent as two processes, kept running until somebody stops them."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from botd.commands.ending import end_with, stop_event
from botd.config import header_secret, listen_address
from botd.errors import ConfigError
from botd.settings import Config

log = logging.getLogger(__name__)

SECRETS = ("BOTD_BMC_PASSWORD", "BOTD_SSH_PASSPHRASE", "SSH_AUTH_SOCK")
"""What the agent may have in its environment and the web server may not."""

ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""glibc gives up to 16 of many threads an arena of their own, and what answers of megabytes leave behind in each is
never used by another: 230 MB a web process where 135 MB do (mallopt(3), glibc 2.36)."""

STOP_S = 2.5
"""Until a child that was asked to end is made to."""

MAX_PAUSE_S = 30.0


class Child:
    """A process that is started again when it ends, after a pause that doubles while it keeps ending."""

    def __init__(self, name: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._words = list(words)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._pause_s = 1.0
        self._started_s = 0.0

    def start(self) -> None:
        """Starts it, to end when this process does. Ctrl-C in a terminal does not reach it: it is told by `stop`."""
        self._process = subprocess.Popen(
            self._words,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=partial(end_with, os.getpid()),  # safe here: the supervisor has no other thread
        )
        self._started_s = time.monotonic()
        log.info("started process=%s pid=%d", self.name, self._process.pid)

    def tend(self) -> None:
        """Starts it again if it has ended and its pause is over."""
        if self._process is None or self._process.poll() is None:
            return
        if time.monotonic() < self._started_s + self._pause_s:
            return
        lasted = time.monotonic() - self._started_s > 60
        self._pause_s = 1.0 if lasted else min(MAX_PAUSE_S, self._pause_s * 2)
        log.error("ended process=%s status=%s; starting it again", self.name, self._process.returncode)
        self.start()

    def failed_to_start(self) -> bool:
        """Whether it said that it cannot work at all, which starting it again will not mend."""
        return self._process is not None and self._process.poll() == 2

    def ask_to_end(self) -> None:
        """Tells it to end, and does not wait for that."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self, until: float) -> None:
        """Returns when it has ended; at `until` (monotonic) it is made to."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.error("does not stop process=%s pid=%d; killing it", self.name, self._process.pid)
            self._process.kill()
            self._process.wait()


def serve(config: Config, log_level: str) -> int:
    """Runs web and agent until SIGINT, SIGTERM or SIGHUP; the exit status.

    Raises ConfigError where nobody can listen as asked, or would act as the user of the web part.
    """
    check_user(config)
    check_header(config)
    check_port(config.server.listen)
    children = [
        Child("agent", _agent_words(config, log_level), _environment(config)),
        Child("web", _web_words(config, log_level), _web_environment(config)),
    ]
    stop = stop_event()
    try:
        for child in children:
            child.start()
        while not stop.wait(0.25):
            if any(child.failed_to_start() for child in children):
                return 2
            for child in children:
                child.tend()
    finally:
        _end(children)
    return 0


def _end(children: Sequence[Child]) -> None:
    for child in children:
        child.ask_to_end()
    until = time.monotonic() + STOP_S
    for child in children:
        child.stop(until)


def check_user(config: Config) -> None:
    """Raises ConfigError where botd is to act and nobody has said that web and agent may be one user."""
    if config.actions.mode == "on" and not config.actions.one_user:
        raise ConfigError(
            '[actions] mode is "on", and `botd serve` runs web and agent as one user, so that the web part could write '
            "the agent's ledger: run the two as two users (docs/deployment.rst), or set [actions] one_user = true",
            "[actions] one_user",
        )


def check_header(config: Config) -> None:
    """Raises ConfigError where a proxy's header would be believed of anybody: `botd serve` listens on TCP alone."""
    if config.access.header and not config.access.header_secret_file:
        raise ConfigError(
            "[access] header would be believed of anybody who sends it, because every user of this host can connect to "
            "loopback: share a secret with the proxy by [access] header_secret_file, or run gunicorn on a unix socket "
            "(docs/access.rst)",
            "[access] header_secret_file",
        )
    header_secret(config)


def check_port(listen: str) -> None:
    """Raises ConfigError when nobody can listen there: it is no address, the port is taken, or the host not ours."""
    host, port = listen_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, ValueError) as error:  # ValueError: no name can be written like that
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError(
                f"cannot listen on {listen}: {why}; choose another address in [server] listen, or --listen"
            ) from error


def _environment(config: Config) -> dict[str, str]:
    """Ours, with the configuration named and `wsgi.py`, which stands beside the package, to be found."""
    beside = str(Path(__file__).resolve().parents[2])
    paths = [beside, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "BOTD_CONFIG": config.path, "PYTHONPATH": os.pathsep.join(paths)}


def _web_environment(config: Config) -> dict[str, str]:
    """The same without the agent's secrets."""
    return ONE_ARENA | {name: value for name, value in _environment(config).items() if name not in SECRETS}


def _agent_words(config: Config, log_level: str) -> list[str]:
    named = ["--config", config.path] if config.path else []
    return [sys.executable, "-m", "botd", "--log-level", log_level, "agent", *named]


def _web_words(config: Config, log_level: str) -> list[str]:
    server = config.server
    options = {
        "--bind": server.listen,
        "--workers": str(server.workers),
        "--worker-class": "botd.commands.worker.Worker",
        "--threads": str(server.threads),
        "--log-level": log_level,
        "--graceful-timeout": "2",
    }
    words = [*(word for option in options.items() for word in option), "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", *words, "wsgi:app"]
