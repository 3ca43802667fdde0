"""HTTP as its bytes, so that a test can send what no library would."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from urllib.parse import quote

from tests.fuzz.conftest import ANSWERS_WITHIN_S
from tests.program import DemoProgram

FINE = (502, 503, 504)
"""Documented answers that are no fault of botd's: Slurm, the database or the agent."""


def escaped(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as its bytes, with the target as it is."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def send(program: DemoProgram, packet: bytes, *, hang_up: bool = False) -> bytes:
    """The whole answer to these bytes. Fails when it does not end in time; `hang_up` ends our side first."""
    host, _, port = program.base.removeprefix("http://").partition(":")
    ends_s = time.monotonic() + ANSWERS_WITHIN_S
    answer = bytearray()
    with socket.create_connection((host, int(port)), ANSWERS_WITHIN_S) as connection:
        with contextlib.suppress(OSError):  # it has answered and hung up without reading to the end
            connection.sendall(packet)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
        while piece := _receive(connection):
            answer += piece
            assert time.monotonic() < ends_s, f"no end after {len(answer)} bytes"
    return bytes(answer)


def _receive(connection: socket.socket) -> bytes:
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(65536)
    return b""


def answered(program: DemoProgram, packet: bytes) -> int:
    """The status of the answer, which is a sound one: no fault of botd's, and nothing of the request in its head."""
    answer = send(program, packet)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), answer[:200]
    status = int(head.split(None, 2)[1])
    assert status < 500 or status in FINE, (packet[:300], answer[:500])
    assert b"X-Evil:" not in head
    assert b"Traceback" not in body
    if status >= 400 and b"application/json" in head and b'"error"' in body:
        error = json.loads(body)["error"]
        assert error["status"] == status
        assert error["message"].isprintable()
    return status
