"""`botd serve`: the web server and the agent as two processes, kept running until somebody stops them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from botd.errors import ConfigError
from botd.settings import Config

log = logging.getLogger(__name__)

SECRETS = ("BOTD_BMC_PASSWORD", "BOTD_SSH_PASSPHRASE", "SSH_AUTH_SOCK")
"""What the agent may have in its environment and the web server may not."""

ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""glibc gives up to 16 of many threads an arena of their own, and what answers of megabytes leave behind in each is
never used by another: 230 MB a web process where 135 MB do (mallopt(3), glibc 2.36)."""

STOP_S = 10.0
MAX_PAUSE_S = 30.0


class Child:
    """A process that is started again when it ends, after a pause that doubles while it keeps ending."""

    def __init__(self, name: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._words = list(words)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._pause_s = 1.0
        self._started = 0.0

    def start(self) -> None:
        """Starts it. It shares the terminal, so Ctrl-C reaches it too."""
        self._process = subprocess.Popen(self._words, env=self._environment, stdin=subprocess.DEVNULL)
        self._started = time.monotonic()
        log.info("started process=%s pid=%d", self.name, self._process.pid)

    def tend(self) -> None:
        """Starts it again if it has ended and its pause is over."""
        if self._process is None or self._process.poll() is None:
            return
        if time.monotonic() < self._started + self._pause_s:
            return
        lasted = time.monotonic() - self._started > 60
        self._pause_s = 1.0 if lasted else min(MAX_PAUSE_S, self._pause_s * 2)
        log.error("ended process=%s status=%s; starting it again", self.name, self._process.returncode)
        self.start()

    def failed_to_start(self) -> bool:
        """Whether it said that it cannot work at all, which starting it again will not mend."""
        return self._process is not None and self._process.poll() == 2

    def stop(self) -> None:
        """Ends it: asked first, then made to."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            log.error("does not stop process=%s pid=%d; killing it", self.name, self._process.pid)
            self._process.kill()
            self._process.wait()


def serve(config: Config, log_level: str) -> int:
    """Runs web and agent until SIGINT or SIGTERM; the exit status. Raises ConfigError where the port is taken."""
    check_port(config.server.listen)
    children = [
        Child("agent", _agent_words(config, log_level), _environment(config)),
        Child("web", _web_words(config, log_level), _web_environment(config)),
    ]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        for child in children:
            child.start()
        while not stop.wait(0.25):
            if any(child.failed_to_start() for child in children):
                return 2
            for child in children:
                child.tend()
    finally:
        for child in reversed(children):
            child.stop()
    return 0


def check_port(listen: str) -> None:
    """Raises ConfigError when nobody can listen there: the port is taken, or the address is not ours."""
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {listen}: {error.strerror}; choose another address in [server] listen, or --listen"
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
        "--worker-class": "gthread",
        "--threads": str(server.threads),
        "--log-level": log_level,
        "--graceful-timeout": "3",
    }
    words = [*(word for option in options.items() for word in option), "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", *words, "wsgi:app"]
