"""The running program as a client meets it: `botd serve` in processes of its own, and its answers over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from botd.demo import DemoCluster

PATIENCE_S = 60.0
"""How long a test waits for what must come: long enough for a machine with much else to do."""


def wait_until(true: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """What `true` returns once it is true. Fails when it never is."""
    ends_at = time.monotonic() + seconds
    while not (result := true()):
        assert time.monotonic() < ends_at, "it never came true"
        time.sleep(0.01)
    return result


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended, also one that nobody has waited for."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def endless_request(port: int) -> Iterator[None]:
    """A client whose request never comes to its end, which holds a thread of a worker."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        yield


class Program:
    """`botd serve` with a configuration that listens on a port of loopback."""

    def __init__(self, config_path: Path, port: int) -> None:
        self.config_path = config_path
        self.base = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "botd", "serve", "--config", str(self.config_path)]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)

    def get(self, path: str, *, data: object = None, accept: str = "*/*") -> tuple[int, str]:
        """Status and text of a URL."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.base + path, data=body, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def json(self, path: str, **more: Any) -> Any:
        """The JSON of a URL that answers with 200."""
        status, text = self.get(path, **more)
        assert status == 200, text
        return json.loads(text)

    def is_well(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def web(self) -> list[psutil.Process]:
        """gunicorn and its workers."""
        agent = self.json("/healthz")["agent"]["pid"]
        (gunicorn,) = (child for child in psutil.Process(self.process.pid).children() if child.pid != agent)
        return [gunicorn, *gunicorn.children()]

    def stop(self) -> None:
        """Ends it as systemd does."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class DemoProgram(Program):
    """`botd serve` on a simulated cluster."""

    def __init__(self, cluster: DemoCluster, port: int) -> None:
        self.cluster = cluster
        super().__init__(cluster.config_path, port)

    def tool(self, name: str, *words: str) -> str:
        """The output of one of the cluster's commands."""
        return subprocess.run([self.cluster.tools / name, *words], capture_output=True, text=True, check=True).stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
