"""Which BMCs answer at all: one unauthenticated request each, from a few sockets.

The request is Get Channel Authentication Capabilities, the first packet of every IPMI session and the only one
that a BMC must answer to a stranger (IPMI v2.0 rev. 1.1, 22.13). It opens no session and takes no login slot.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from botd.answers import PresenceAnswer
from botd.transport.addresses import SocketAddress, socket_address

NO_ADDRESS = "the name has no address"

ATTEMPTS = 3
SHARE = 64
"""BMCs of one socket. A default receive buffer (208 kB, Linux) holds some 270 answers: all that these can send, however
late this thread comes to read them while others are at work."""

BURST = 64
"""Requests sent at once, which spares the network."""

BURST_PAUSE_S = 0.002

DeliverPresence = Callable[[str, PresenceAnswer, float], None]
"""Called with the node, the answer, and the seconds from the first request to it."""

_RMCP = b"\x06\x00\xff\x07"
_SESSIONLESS = bytes(9)  # no authentication, session sequence number 0, session id 0
_RESPONSE_NETFN = 0x07
_COMMAND = 0x38
_RMCP_PLUS = b"\x06"
_HEADER, _RMCP_PLUS_HEADER = 14, 16
"""Bytes before the message, by the authentication type in byte 4 (IPMI v2.0 rev. 1.1, table 13-8)."""


def find_present(targets: Mapping[str, str | None], *, port: int, timeout_s: float, deliver: DeliverPresence) -> None:
    """Calls `deliver` once per node, in this thread, and returns when all are answered for.

    Targets are addresses in digits by node; nodes may share one. Each BMC is asked three times, `timeout_s / 3`
    apart, and counts as silent `timeout_s` after the first time.
    """
    with _Search(port, timeout_s, deliver) as search:
        search.run(targets)


def request_packet(sequence: int) -> bytes:
    """The request for the channel it arrives on, as a stranger asks for administrator rights (table 22-15)."""
    header = bytes((0x20, 0x06 << 2))
    body = bytes((0x81, (sequence & 0x3F) << 2, _COMMAND, 0x0E, 0x04))
    message = header + _checksum(header) + body + _checksum(body)
    return _RMCP + _SESSIONLESS + bytes((len(message),)) + message


def read_answer(packet: bytes) -> PresenceAnswer | None:
    """What a datagram says, None when it is no answer to the request. Any completion code proves a BMC.

    No stricter than ipmitool 1.8.19, which lets the sums, the length, the addresses and the session of an answer
    without one be what they are: Supermicro X9 boards compute the sums wrongly (FreeIPMI's nochecksumcheck), others
    fill up the packet. The network function tells an answer from an echo of the request.
    """
    # 06 00 ff 07 | 00 | 00000000 | 00000000 | 10 | 81 1c 63 | 20 00 38 00 | 01 17 05 00 00 00 00 00 | 8b
    message = packet[_RMCP_PLUS_HEADER if packet[4:5] == _RMCP_PLUS else _HEADER :]
    if len(message) < 7 or packet[3] != _RMCP[3]:
        return None
    if message[1] >> 2 != _RESPONSE_NETFN or message[5] != _COMMAND:
        return None
    code = message[6]
    return PresenceAnswer(True, f"the BMC answers with completion code 0x{code:02x}" if code else "")


def _checksum(data: bytes) -> bytes:
    """Two's complement of the sum (IPMI 13.8): what makes the bytes add up to zero."""
    return bytes((-sum(data) & 0xFF,))


@dataclass(slots=True)
class _Bmc:
    """One address that is being asked, with the nodes behind it."""

    family: socket.AddressFamily
    nodes: list[str] = field(default_factory=list)
    sock: socket.socket | None = None
    asked_s: float | None = None
    trouble: str = ""


class _Search:
    """One run of find_present: its sockets, the BMCs still silent, and when to ask each of them next."""

    def __init__(self, port: int, timeout_s: float, deliver: DeliverPresence) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._deliver = deliver
        self._silent: dict[SocketAddress, _Bmc] = {}
        self._due: list[tuple[float, int, SocketAddress]] = []
        self._sockets: dict[socket.AddressFamily, list[socket.socket]] = {}
        self._shared: Counter[socket.AddressFamily] = Counter()
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for sock in itertools.chain(*self._sockets.values()):
            sock.close()

    def run(self, targets: Mapping[str, str | None]) -> None:
        for node, address in targets.items():
            self._add(node, address)
        now = time.monotonic()
        self._due = [(now, 0, peer) for peer in self._silent]
        heapq.heapify(self._due)
        while self._silent:
            now = time.monotonic()
            wait_s = self._due[0][0] - now if self._due else 0.0
            self._read(max(BURST_PAUSE_S, wait_s))
            self._ask_some(now)

    def _add(self, node: str, address: str | None) -> None:
        if not address:
            self._deliver(node, PresenceAnswer(False, not_asked=NO_ADDRESS), 0.0)
            return
        try:
            family, peer = socket_address(address, self._port)
        except ValueError as error:
            self._deliver(node, PresenceAnswer(False, str(error)), 0.0)
            return
        self._silent.setdefault(peer, _Bmc(family)).nodes.append(node)

    def _ask_some(self, now: float) -> None:
        """Sends at most one burst of the requests that are due, and gives up the BMCs whose time is over.

        `now` was before the last reading, however long this thread has been kept from running since.
        """
        sent = 0
        while self._due and self._due[0][0] <= now and sent < BURST:
            _, attempt, peer = heapq.heappop(self._due)
            bmc = self._silent.get(peer)
            if bmc is None:
                continue
            if attempt == ATTEMPTS:
                self._finish(peer, PresenceAnswer(False, bmc.trouble or f"no answer within {self._timeout_s:g} s"))
                continue
            self._ask(peer, bmc, attempt)
            sent += 1
            heapq.heappush(self._due, (time.monotonic() + self._timeout_s / ATTEMPTS, attempt + 1, peer))

    def _ask(self, peer: SocketAddress, bmc: _Bmc, attempt: int) -> None:
        if bmc.asked_s is None:
            bmc.asked_s = time.monotonic()
        try:
            bmc.sock = bmc.sock or self._socket(bmc.family)
            bmc.sock.sendto(request_packet(attempt), peer)
        except BlockingIOError:
            pass  # the send buffer is full: this request counts as lost, and the next attempt makes up for it
        except OSError as error:
            bmc.trouble = f"cannot send to the BMC: {error.strerror}"

    def _socket(self, family: socket.AddressFamily) -> socket.socket:
        """The socket for one more BMC."""
        sockets = self._sockets.setdefault(family, [])
        if self._shared[family] == len(sockets) * SHARE:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sockets.append(sock)
            self._selector.register(sock, selectors.EVENT_READ)
        self._shared[family] += 1
        return sockets[-1]

    def _read(self, wait_s: float) -> None:
        """Takes the answers that are there: all of them, so that none is given up whose answer waits to be read."""
        for key, _ in self._selector.select(wait_s):
            for _ in range(2 * ATTEMPTS * SHARE):  # an end, where somebody sends without one
                try:
                    packet, peer = key.fileobj.recvfrom(1024)  # type: ignore[union-attr]
                except OSError:
                    break  # nothing left to read, or an ICMP error that the kernel hands over in its place
                self._take(packet, peer)

    def _take(self, packet: bytes, peer: SocketAddress) -> None:
        bmc = self._silent.get(peer)
        if bmc is None:
            return
        answer = read_answer(packet)
        if answer:
            self._finish(peer, answer)
        else:
            bmc.trouble = "something answered that is not IPMI"

    def _finish(self, peer: SocketAddress, answer: PresenceAnswer) -> None:
        bmc = self._silent.pop(peer)
        took_s = time.monotonic() - (bmc.asked_s or time.monotonic())
        for node in bmc.nodes:
            self._deliver(node, answer, took_s)
