"""Hostile nodes and BMCs, in a process of their own: what they burn is not taken from the tests that measure."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import paramiko

from botd.commands.ending import end_with
from tests.program import wait_until
from tests.transport.ssh.hostile import (
    Behave,
    HostileNode,
    answer_and_go_on,
    flood,
    flood_beside,
    flood_errors,
)
from tests.transport.sshd import make_key

ALL = "all of these at once"
AGAIN = "each answer 200 times"


def change_key(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
    """Shows another host key at a rekey."""
    transport.add_server_key(paramiko.ECDSAKey.generate())
    transport.renegotiate_keys()
    channel.sendall(b"x")


def print_anything(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
    """Bytes that are no answer, with the marks of one."""
    channel.sendall(b"\x1e" + random.Random(0).randbytes(20_000) + b"\x1f\n")
    channel.close()


BEHAVIOURS: Mapping[str, Behave] = {
    "output without end": flood,
    "standard error without end": flood_errors,
    "packets without end beside the answer": flood_beside,
    "an answer, then never silent": answer_and_go_on,
    "another host key at a rekey": change_key,
    "an output that is no answer": print_anything,
}
SPEECHES: Mapping[str, bytes] = {
    "a banner without end": bytes(1 << 20),
    "a packet of four gigabytes": b"SSH-2.0-x\r\n\xff\xff\xff\xf4\x04\x14" + bytes(1 << 20),
}
NODES = (*BEHAVIOURS, *SPEECHES, ALL)


def serve_nodes(what: str, key: Path, addresses: Sequence[str], port: int) -> None:
    """A node at each address that does `what`."""
    kinds = cycle(NODES[:-1] if what == ALL else [what])
    for address, kind in zip(addresses, kinds, strict=False):
        if kind in BEHAVIOURS:
            HostileNode(key, address, BEHAVIOURS[kind], port)
        else:
            _in_thread(_speak, socket.create_server((address, port), backlog=50), SPEECHES[kind])


def _speak(listener: socket.socket, said: bytes) -> None:
    while True:
        _in_thread(_say, listener.accept()[0], said)


def _say(client: socket.socket, said: bytes) -> None:
    with client, contextlib.suppress(OSError):  # botd has hung up
        for _ in range(64):
            client.sendall(said)


Ask = Callable[[bytes], bytes]
Reply = Callable[[Ask, bytes], Sequence[bytes]]
"""The datagrams that come for one. It may ask the BMC that really stands there."""


def spoil(answer: bytes) -> bytes:
    """One bit of what comes after the header is another one."""
    place = 4 + random.randrange(len(answer) - 4)
    return answer[:place] + bytes([answer[place] ^ 1 << random.randrange(8)]) + answer[place + 1 :]


REPLIES: Mapping[str, Reply] = {
    "random bytes": lambda ask, request: [random.randbytes(900)],
    "datagrams of 60 KB": lambda ask, request: [request + bytes(60_000)] * 20,
    "the request again": lambda ask, request: [request],
    AGAIN: lambda ask, request: [ask(request)] * 200,
    "each answer with a wrong bit": lambda ask, request: [spoil(ask(request))],
    "each answer cut": lambda ask, request: [(answer := ask(request))[: random.randrange(len(answer))]],
}
BMCS = (*REPLIES, ALL)


def serve_bmcs(what: str, places: Mapping[str, str], port: int) -> None:
    """A BMC at each address that does `what`; beside each stands the address of the one that it stands for."""
    kinds = cycle(BMCS[:-1] if what == ALL else [what])
    for (address, real), kind in zip(places.items(), kinds, strict=False):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the simulated cluster has this port everywhere
        sock.bind((address, port))
        behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        behind.settimeout(2)
        behind.connect((real, port))
        _in_thread(_answer, sock, behind, REPLIES[kind])


def _answer(sock: socket.socket, behind: socket.socket, reply: Reply) -> None:
    def ask(request: bytes) -> bytes:
        behind.send(request)
        return behind.recv(2048)

    while True:
        request, peer = sock.recvfrom(2048)
        with contextlib.suppress(OSError):  # the BMC behind said nothing
            for answer in reply(ask, request):
                sock.sendto(answer, peer)


def _in_thread(work: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=work, args=args, daemon=True).start()


@contextlib.contextmanager
def apart(serve: Callable[..., None], *args: Any) -> Iterator[None]:
    """What `serve` starts, in a process that ends with the block."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_stand, args=(serve, args, ready, os.getpid()), daemon=True)
    process.start()
    try:
        wait_until(lambda: ready.is_set() or not process.is_alive())
        assert process.is_alive()
        yield
    finally:
        process.kill()
        process.join()


def _stand(serve: Callable[..., None], args: Sequence[Any], ready: Event, parent: int) -> None:
    end_with(parent)
    os.nice(5)  # other machines than botd's burn for it
    logging.disable()
    serve(*args)
    ready.set()
    threading.Event().wait()


def host_key(folder: Path) -> tuple[Path, str]:
    """The key that hostile nodes show at first: its file, and what known_hosts has of it."""
    path = make_key(folder / "hostile_key")
    return path, " ".join(Path(f"{path}.pub").read_text().split()[:2])
