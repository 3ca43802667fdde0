"""A load for web servers that costs next to nothing itself: one request, asked again and again over kept connections.

Each client is a process with one connection that asks, reads the answer and asks again. An answer is only counted and
measured: whoever wants to know whether it is right compares `seen` with what must be there.
"""

from __future__ import annotations

import itertools
import multiprocessing
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import median, quantiles

BUFFER = 2**20


@dataclass
class Answers:
    """What came of a time of asking: how long each answer took, and status and body size of those that there were."""

    wall_s: float = 0.0
    took_s: list[float] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return len(self.took_s) / self.wall_s

    @property
    def median_ms(self) -> float:
        """What half of the answers took at most."""
        return median(self.took_s) * 1000

    @property
    def p99_ms(self) -> float:
        """What 99 in 100 of the answers took at most."""
        return quantiles(self.took_s, n=100, method="inclusive")[98] * 1000


@dataclass(frozen=True)
class Clients:
    """Processes that ask when they are told to."""

    ends: tuple[Connection, ...]

    def ask(self, port: int, paths: Sequence[str], seconds: float, **headers: str) -> Answers:
        """What all clients together got of these paths in turn in some seconds, each path once at least."""
        rest = "".join(f"{name}: {text}\r\n" for name, text in {"Host": "127.0.0.1", **headers}.items())
        requests = [f"GET {path} HTTP/1.1\r\n{rest}\r\n".encode() for path in paths]
        began_s = time.monotonic()
        for end in self.ends:
            end.send((port, requests, seconds))
        found = [end.recv() for end in self.ends]
        made = Answers(time.monotonic() - began_s)
        for took_s, seen in found:
            made.took_s += took_s
            made.seen |= seen
        return made


@contextmanager
def clients(count: int) -> Iterator[Clients]:
    """So many clients, for as long as they are needed."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    children = [context.Process(target=_serve, args=(theirs,)) for _, theirs in pipes]
    for child in children:
        child.start()
    for _, theirs in pipes:
        theirs.close()
    try:
        yield Clients(tuple(ours for ours, _ in pipes))
    finally:
        for ours, _ in pipes:
            ours.close()
        for child in children:
            child.join()


def _serve(orders: Connection) -> None:
    """Asks as it is told, until nobody tells it any more."""
    while True:
        try:
            port, requests, seconds = orders.recv()
        except EOFError:
            return
        orders.send(_ask(port, requests, seconds))


def _ask(port: int, requests: Sequence[bytes], seconds: float) -> tuple[list[float], set[tuple[int, int]]]:
    took_s, seen = [], set()
    buffer = memoryview(bytearray(BUFFER))
    ends_s = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for turn in itertools.count():
            if turn >= len(requests) and time.monotonic() >= ends_s:
                break
            began_s = time.perf_counter()
            connection.sendall(requests[turn % len(requests)])
            seen.add(_read(connection, buffer))
            took_s.append(time.perf_counter() - began_s)
    return took_s, seen


def _read(connection: socket.socket, buffer: memoryview) -> tuple[int, int]:
    """Status and size of the next answer. Raises ConnectionError when it breaks off."""
    got, end = 0, -1
    while end < 0:
        got += _receive(connection, buffer[got:])
        end = bytes(buffer[:got]).find(b"\r\n\r\n")
    head = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    status = int(head[0].split()[1])
    size = 0 if status == 304 else _size(dict(line.split(": ", 1) for line in head[1:]))
    left = size - (got - end - 4)
    while left > 0:
        left -= _receive(connection, buffer[: min(left, BUFFER)])
    return status, size


def _receive(connection: socket.socket, into: memoryview) -> int:
    got = connection.recv_into(into)
    if not got:
        raise ConnectionError("the server has closed the connection within an answer")
    return got


def _size(headers: Mapping[str, str]) -> int:
    """The size of the body. Raises KeyError where it is not said: botd's answers say it."""
    return int({name.lower(): text for name, text in headers.items()}["content-length"])
