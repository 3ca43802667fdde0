"""gunicorn's workers: no client holds one of their threads, and they end when they are told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.program import free_port, is_gone, wait_until

APPLICATION = """
import time

BIG = b"x" * 16 * 2**20

def events():
    while True:
        yield BIG[:2**16]
        time.sleep(0.001)

def app(environ, start_response):
    path, length = environ["PATH_INFO"], int(environ.get("CONTENT_LENGTH") or 0)
    print(path, "taken", file=environ["wsgi.errors"], flush=True)
    if path == "/hung":
        time.sleep(600)
    if path == "/events":
        start_response("200 OK", [])
        return events()
    body = {"/big": BIG}.get(path) or environ["SCRIPT_NAME"].encode() + environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
THREADS = 2
PATIENCE_S = 20
"""For an answer, on a machine that has much else to do."""


class Gunicorn:
    """gunicorn with one worker of two threads, and its log."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        (folder / "answers.py").write_text(APPLICATION)
        words = ["--bind", f"127.0.0.1:{self.port}", "--worker-class", "botd.commands.worker.Worker"]
        words += ["--threads", str(THREADS), "--graceful-timeout", "600", "--no-control-socket"]
        words = [sys.executable, "-m", "gunicorn", *words, "--pythonpath", str(folder), "answers:app"]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stderr=log)
        self.wait_for("Booting worker")

    def wait_for(self, words: str, times: int = 1) -> None:
        wait_until(lambda: self.log.read_text().count(words) >= times, PATIENCE_S)

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A client that has sent this."""
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        client.sendall(sent)
        return client

    def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to this."""
        with self.connect(sent) as client:
            return read_answer(client)


def read_answer(client: socket.socket) -> tuple[int, bytes]:
    """Raises TimeoutError where there is none."""
    with client.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers = dict(line.lower().split(b": ") for line in iter(lambda: file.readline().strip(), b""))
        return status, file.read(int(headers[b"content-length"]))


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    with running(tmp_path_factory.mktemp("gunicorn")) as made:
        yield made


@contextmanager
def running(folder: Path) -> Iterator[Gunicorn]:
    made = Gunicorn(folder)
    try:
        yield made
    finally:
        made.process.terminate()
        made.process.wait(PATIENCE_S)


def request(path: str, headers: str = "", body: bytes = b"") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


WHOLE = request("/echo", body=b"whole")

SLOW = {
    "nothing": b"",
    "a slow line": b"GET / HT",
    "slow headers": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ",
    "a slow body": request("/echo", body=b"slow")[:-1],
    "slow chunks": b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n",
    "an unread answer": request("/big"),
    "unread events": request("/events"),
    "an end that is not taken note of": request("/echo", "Connection: close\r\n"),
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_a_slow_client_holds_no_thread(gunicorn: Gunicorn, sent: bytes) -> None:
    with ExitStack() as clients:
        for _ in range(4 * THREADS):
            clients.enter_context(gunicorn.connect(sent))
        for _ in range(THREADS):
            assert gunicorn.ask(WHOLE) == (200, b"whole")


def test_who_sends_and_reads_slowly_gets_all_of_the_answer(gunicorn: Gunicorn) -> None:
    packet = request("/echo", body=b"12345")
    with gunicorn.connect() as client:
        for at in range(len(packet)):
            client.sendall(packet[at : at + 1])
        assert read_answer(client) == (200, b"12345")
        client.sendall(request("/big") + WHOLE + packet)
        for body in (b"x" * 16 * 2**20, b"whole", b"12345"):
            assert read_whole(client) == body


def read_whole(client: socket.socket) -> bytes:
    """The body of the next answer, and not a byte of the one after it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    body = bytearray()
    while len(body) < length:
        body += client.recv(min(2**16, length - len(body)))
    return bytes(body)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n", 400, "bad-request"),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n", 414, "uri-too-long"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431, "head-too-large"),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 20_000, 431, "head-too-large"),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 101 + b"\r\n", 431, "head-too-large"),
    ],
)
def test_what_is_no_request_is_answered_in_the_one_shape(
    gunicorn: Gunicorn, sent: bytes, status: int, code: str
) -> None:
    answered, body = gunicorn.ask(sent)
    error = json.loads(body)["error"]
    assert (answered, error["status"], error["code"]) == (status, status, code)


def test_no_header_says_where_the_application_stands(gunicorn: Gunicorn) -> None:
    """It was a 500 where the path did not begin with it."""
    for name in ("SCRIPT_NAME", "SCRIPT-NAME", "PATH_INFO"):
        assert gunicorn.ask(request("/echo", f"{name}: /botd\r\n", b"whole")) == (200, b"whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_request_without_end_holds_up_no_end(tmp_path: Path, number: signal.Signals) -> None:
    """gunicorn itself would wait ten minutes here."""
    with running(tmp_path) as gunicorn, gunicorn.connect(request("/hung")):
        family = [psutil.Process(gunicorn.process.pid), *psutil.Process(gunicorn.process.pid).children()]
        assert len(family) == 2
        gunicorn.wait_for("/hung taken")
        gunicorn.process.send_signal(number)
        wait_until(lambda: all(map(is_gone, family)))
    assert "memory" not in gunicorn.log.read_text()


COUNTING = """
import os
from types import SimpleNamespace
from botd.settings import Config
from botd.web.timings import Timings

def answer(environ, start_response):
    counted = sum(sum(timing.counts) for timing in app.figures())
    body = f"{os.getpid()} {counted}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

app = Timings(answer, {})
app.extensions = {"botd": SimpleNamespace(config=Config(), timings=app)}
"""


def test_workers_count_their_answers_together(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(globals(), "APPLICATION", COUNTING)
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    with running(tmp_path) as gunicorn:
        gunicorn.wait_for("Booting worker", times=2)
        said: list[list[int]] = []

        def both_have_answered() -> bool:
            _, body = gunicorn.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            said.append(list(map(int, body.split())))
            return len({pid for pid, _ in said}) == 2

        wait_until(both_have_answered, PATIENCE_S)
    assert [counted for _, counted in said] == list(range(len(said)))
