"""A network between botd and a simulated BMC that loses packets, keeps them back and delivers them twice."""

from __future__ import annotations

import heapq
import itertools
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.transport.bmc.bmc_sim import BmcSim

ENCRYPTED = 0xC0
"""The payload type of IPMI inside a session, with integrity and confidentiality (IPMI v2.0 rev. 1.1, table 13-16)."""

Fate = Callable[["Packet"], Sequence[float]]
"""After how many seconds a packet is delivered: (0,) as it is, () never, (0, 0.5) twice."""


class Packet:
    """A datagram on its way: `to_bmc` or back, and the how manyth inside a session that is, from 1; 0 for the login."""

    def __init__(self, data: bytes, to_bmc: bool, number: int) -> None:
        self.data, self.to_bmc, self.number = data, to_bmc, number


def is_command(packet: Packet) -> bool:
    """Inside a session botd asks for its privilege, then it sends the command, then it logs out."""
    return packet.to_bmc and packet.number == 2


def is_answer(packet: Packet) -> bool:
    return not packet.to_bmc and packet.number == 2


class _Network:
    def __init__(self, front: socket.socket, sim: BmcSim, fate: Fate, remembers: bool) -> None:
        self._front, self._sim, self._fate, self._remembers = front, sim, fate, remembers
        self._had: set[bytes] = set()
        self._clients: dict[socket.socket, object] = {}
        self._due: list[tuple[float, int, socket.socket, bytes, object]] = []
        self._order = itertools.count()
        self._counts = {True: 0, False: 0}
        self._ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Delivers what is under way, and returns when the BMC has done it."""
        self._ended.set()
        self.thread.join()
        self._sim.wait_until_it_answers()

    def _run(self) -> None:
        while self._read() or not self._ended.is_set():
            self._deliver(time.monotonic())
        self._deliver(float("inf"))
        for sock in self._clients:
            sock.close()

    def _read(self) -> bool:
        """Takes what has come to either side; whether anything had."""
        ready = select.select([self._front, *self._clients], [], [], 0.01)[0]
        for sock in ready:
            data, peer = sock.recvfrom(2048)
            if sock is self._front:
                self._take(data, True, self._back(peer), (self._sim.address, self._sim.port))
            else:
                self._take(data, False, self._front, self._clients[sock])
        return bool(ready)

    def _back(self, peer: object) -> socket.socket:
        """The socket that speaks to the BMC for this client."""
        for sock, client in self._clients.items():
            if client == peer:
                return sock
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._clients[sock] = peer
        return sock

    def _take(self, data: bytes, to_bmc: bool, sock: socket.socket, peer: object) -> None:
        inside = data[5:6] == bytes((ENCRYPTED,))
        self._counts[to_bmc] += inside
        for after_s in self._fate(Packet(data, to_bmc, self._counts[to_bmc] if inside else 0)):
            heapq.heappush(self._due, (time.monotonic() + after_s, next(self._order), sock, data, peer))

    def _deliver(self, now_s: float) -> None:
        while self._due and self._due[0][0] <= now_s:
            *_, sock, data, peer = heapq.heappop(self._due)
            if sock is self._front or not self._is_known(data):
                sock.sendto(data, peer)  # type: ignore[call-overload]

    def _is_known(self, data: bytes) -> bool:
        """Whether the BMC has had this packet of a session, and remembers its session id and sequence number."""
        is_known = self._remembers and data[5:6] == bytes((ENCRYPTED,)) and data[6:14] in self._had
        self._had.add(data[6:14])
        return is_known


@contextmanager
def lossy(address: str, port: int, sim: BmcSim, fate: Fate, *, remembers: bool = False) -> Iterator[None]:
    """An address at which the BMC is reached over such a network; afterwards the BMC has had all that it will get.

    With `remembers` it is a BMC that leaves out what it has had, by its sequence number, as IPMI v2.0 rev. 1.1 wants it
    (6.12). ipmi_sim 2.0.33 looks at how old a number is only, and does a command again whose packet comes twice while
    the session lasts.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
        front.bind((address, port))
        network = _Network(front, sim, fate, remembers)
        try:
            yield
        finally:
            network.end()
