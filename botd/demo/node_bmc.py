"""The BMCs of the simulated nodes: RMCP+ with cipher suite 3, through pyghmi's server side.

One UDP socket answers for all addresses: the kernel tells with each packet which address it was sent to, and sends
the answer from there (IP_PKTINFO, ip(7)). It is bound to the loopback device, so nothing outside ever reaches it.
pyghmi's own server has one socket and one thread for one BMC; here its sessions are driven by the demo's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import uuid
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from pyghmi.ipmi.bmc import Bmc
from pyghmi.ipmi.private.constants import payload_types
from pyghmi.ipmi.private.serversession import ServerSession
from pyghmi.ipmi.private.session import Session

from botd.demo.state import ClusterState

IP_PKTINFO = 8
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 32 << 20
"""Room for a burst from a sweep that asks every BMC at once."""

SESSIONS_PER_BMC = 4

Peer = tuple[str, int]
Do = Callable[[], int | None]

_ASF = 0x06
_OPEN_SESSION = 0x10
_HANDSHAKE = (0x12, 0x14)  # RAKP 1 and 3
_CHANNEL_CAPABILITIES = 0x38
_NO_SUCH_SUITE = 0x11
_SHA1 = 1
_UNAUTHORISED_NAME = 0x0D
_CHASSIS_CONTROL, _CHASSIS_IDENTIFY = (0, 2), (0, 4)
_SEL_INFO, _SEL_ENTRY, _SEL_TIME = 0x40, 0x43, 0x48
_LOG = [(0x0A, number) for number in (_SEL_INFO, _SEL_ENTRY, _SEL_TIME)]
_NOT_PRESENT = 0xCB
_TOO_LITTLE_PRIVILEGE, _NOT_IN_THIS_STATE, _INVALID_FIELD, _TOO_SHORT = 0xD4, 0xD5, 0xCC, 0xC7
_BLINKS_S = 15
_FOR_EVER_S = 1e9
_ASF_PONG = (bytes.fromhex("0600ff06000011be40"), bytes.fromhex("0010000011be000000008100000000000000"))
"""Presence Pong (ASF 2.0, 3.2.4.3), before and after the message tag: IPMI is supported."""


class Privilege(IntEnum):
    """What a session may do (IPMI v2.0 rev. 1.1, 6.8)."""

    USER = 2
    OPERATOR = 3


class Account(NamedTuple):
    """A user of the BMCs: the password, and the privilege that no session of theirs gets beyond."""

    password: str
    limit: Privilege


class BmcFront:
    """All BMCs of the site. Lives on the event loop. Raises OSError when the port is taken."""

    def __init__(self, state: ClusterState, accounts: Mapping[str, Account], port: int) -> None:
        self._state, self._accounts, self.port = state, accounts, port
        self._names = {node.bmc_address: name for name, node in state.nodes.items()}
        self._sessions: dict[tuple[str, Peer], NodeSession] = {}
        self._began = state.now()
        self._socket = _open_socket(port)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._receive)

    def close(self) -> None:
        """Closes the port."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _receive(self) -> None:
        # Many packets a turn: a burst must not wait for the loop's other work between any two.
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                data, extra, _, peer = self._socket.recvmsg(2048, 64, socket.MSG_DONTWAIT)
                self._handle(bytearray(data), _sent_to(extra), peer)

    def _handle(self, data: bytearray, address: str, peer: Peer) -> None:
        name = self._names.get(address)
        if name is None or not self._state.nodes[name].health.bmc or len(data) < 12:
            return
        reply = ReplySocket(self._socket, address)
        if data[3] == _ASF:
            reply.sendto(bytes([data[9]]).join(_ASF_PONG), peer)
        elif data[4] == 6 and data[5] & 0x3F == _OPEN_SESSION:
            self._open(name, reply, data, peer)
        elif data[4] == 6 and (data[5] & 0x3F in _HANDSHAKE or any(data[6:10])):
            session = self._sessions.get((address, peer))
            if session:
                session.handle(data)
        else:
            self._bmc(name, reply).sessionless_data(data, peer)

    def _open(self, name: str, reply: ReplySocket, data: bytearray, peer: Peer) -> None:
        key = (reply.address, peer)
        self._sessions.pop(key, None)
        if len(self._sessions) >= SESSIONS_PER_BMC * len(self._names):
            del self._sessions[next(iter(self._sessions))]
        if len(data) >= 48:
            self._sessions[key] = NodeSession(self._bmc(name, reply), reply, peer, data[16:])

    def _bmc(self, name: str, reply: ReplySocket) -> NodeBmc:
        return NodeBmc(self._state, name, self._accounts, self.port, reply, self._began)


class ReplySocket:
    """What pyghmi takes for a socket: it sends from the address that the request was sent to."""

    def __init__(self, wire: socket.socket, address: str) -> None:
        self._wire, self.address = wire, address
        info = struct.pack("I4s4s", 0, socket.inet_aton(address), bytes(4))
        self._from = [(socket.IPPROTO_IP, IP_PKTINFO, info)]

    def setblocking(self, flag: bool) -> None:
        """The shared socket stays as it is."""

    def sendto(self, packet: bytes, peer: Peer) -> None:
        """Sends the packet; one that does not fit is lost, as on a wire."""
        with contextlib.suppress(OSError):
            self._wire.sendmsg([packet], self._from, socket.MSG_DONTWAIT, peer)


class NodeBmc(Bmc):  # type: ignore[misc]
    """The BMC of one node: chassis power and LED. What it does not override, pyghmi answers with "unrecognized"."""

    def __init__(
        self,
        state: ClusterState,
        name: str,
        accounts: Mapping[str, Account],
        port: int,
        reply: ReplySocket,
        began: float,
    ) -> None:
        # Not pyghmi's own constructor: that one binds a socket and starts a thread.
        self._state, self._name, self.accounts = state, name, accounts
        self.authdata = {user: account.password for user, account in accounts.items()}
        self.port, self.serversocket, self.kg = port, reply, None
        self._began = began
        self.uuid = uuid.uuid5(uuid.NAMESPACE_DNS, name)
        self.deviceid, self.revision, self.firmwaremajor, self.firmwareminor = 32, 1, 1, 0
        self.ipmiversion, self.additionaldevices, self.mfgid, self.prodid = 2, 0, 0, 0
        # Completion code, channel 1, IPMI 2.0 only, non-null users, 2.0 supported, no OEM data.
        self.authcap = struct.pack("9B", 0, 1, 0b1000_0000, 0b100, 0b10, 0, 0, 0, 0)

    def sessionless_data(self, data: bytearray, peer: Peer) -> None:
        """Answers a stranger. pyghmi answers only one that asks for IPMI 2.0 data, a real BMC everyone."""
        if data[4] == 0 and len(data) > 20 and data[19] == _CHANNEL_CAPABILITIES:
            data[20] |= 0x80
        super().sessionless_data(data, peer)

    def get_power_state(self) -> str:
        """`on` or `off`."""
        return "on" if self._state.nodes[self._name].health.powered else "off"

    def get_system_guid(self) -> uuid.UUID:
        """The same for the same node."""
        return self.uuid

    def power_on(self) -> None:
        """Starts the node's boot."""
        self._state.power_on(self._name)

    def power_off(self) -> None:
        """Takes the power at once."""
        self._state.power_off(self._name)

    def power_shutdown(self) -> None:
        """A soft shutdown; the simulated system has nothing to put away."""
        self._state.power_off(self._name)

    def power_cycle(self) -> int:
        """Off and on; a node without power refuses (completion code D5h)."""
        if self.get_power_state() == "off":
            return _NOT_IN_THIS_STATE
        self._state.power_cycle(self._name)
        return 0

    power_reset = power_cycle

    def storage(self, command: int, data: bytes) -> tuple[int, bytes]:
        """Completion code and data of a question about the event log (IPMI v2.0 rev. 1.1, 31)."""
        records = [
            _record(i + 1, self._began, *event) for i, event in enumerate(self._state.nodes[self._name].health.sel)
        ]
        if command == _SEL_INFO:
            added = records[-1][3:7] if records else b"\xff" * 4
            return 0, b"\x51" + struct.pack("<HH", len(records), 16_000) + added + b"\xff" * 4 + b"\x02"
        if command == _SEL_TIME:
            return 0, struct.pack("<I", int(self._state.now()))
        wanted = int.from_bytes(data[2:4], "little")
        number = {0: 1, 0xFFFF: len(records)}.get(wanted, wanted)
        if not 1 <= number <= len(records):
            return _NOT_PRESENT, b""
        return 0, struct.pack("<H", number + 1 if number < len(records) else 0xFFFF) + records[number - 1]

    def order(self, request: tuple[int, int], data: bytes, privilege: int) -> int:
        """The completion code of Chassis Control or Identify, which goes into the journal with it."""
        words, do = self._control(data) if request == _CHASSIS_CONTROL else self._identify(data)
        code = _TOO_LITTLE_PRIVILEGE if privilege < Privilege.OPERATOR else do() or 0
        self._state.journal.note("BMC", self._name, words, f"completion code {code:02X}h" if code else "")
        return code

    def _control(self, data: bytes) -> tuple[str, Do]:
        """IPMI v2.0 rev. 1.1, 28.3."""
        known: dict[int, tuple[str, Do]] = {
            0: ("power off", self.power_off),
            1: ("power on", self.power_on),
            2: ("power cycle", self.power_cycle),
            3: ("power reset", self.power_reset),
            5: ("power soft off", self.power_shutdown),
        }
        if not data:
            return "power", lambda: _TOO_SHORT
        return known.get(data[0] & 0xF, (f"power {data[0]}", lambda: _INVALID_FIELD))

    def _identify(self, data: bytes) -> tuple[str, Do]:
        """For so many seconds, 15 where none are said, or until told otherwise (IPMI v2.0 rev. 1.1, 28.5)."""
        seconds = data[0] if data else _BLINKS_S
        if len(data) > 1 and data[1] & 1:
            return "identify until told otherwise", lambda: self._state.identify(self._name, _FOR_EVER_S)
        return f"identify {seconds} s", lambda: self._state.identify(self._name, seconds)


class NodeSession(ServerSession):  # type: ignore[misc]
    """One RMCP+ session, fed with packets from outside."""

    k1 = None  # pyghmi looks at it before RAKP 3 has set it
    clientpriv = Privilege.USER  # what a session begins with (IPMI 2.0, 13.31)

    def __new__(cls, *_: object) -> NodeSession:
        """A new session, never the one that pyghmi already has for the client."""
        session: NodeSession = object.__new__(cls)
        return session

    def __init__(self, bmc: NodeBmc, reply: ReplySocket, peer: Peer, request: bytearray) -> None:
        super().__init__(bmc.authdata, bmc.kg, peer, reply, request, bmc.uuid, bmc)
        # pyghmi has one BMC per socket and finds sessions by the client alone; BmcFront finds them by both.
        Session.bmc_handlers.pop(peer, None)

    def create_open_session_response(self, request: bytes) -> bytearray:
        """The answer to an open session request: suite 3, or that there is no such suite.

        pyghmi's own answer takes any proposal and then uses SHA1, which its own client reads as a wrong password.
        """
        response: bytearray = super().create_open_session_response(request)
        if request[12] != _SHA1:
            return bytearray([request[0], _NO_SUCH_SUITE, 0, 0]) + bytearray(request[4:8])
        return response

    def _got_rakp1(self, data: bytearray) -> None:
        """pyghmi says nothing to a user that it does not know; a BMC does (IPMI 2.0, table 13-15)."""
        super()._got_rakp1(data)
        account = self.bmc.accounts.get(bytes(data[28:]).decode("utf-8", "replace"))
        if account:
            self.maxpriv = min(data[24] & 0xF, account.limit)
        else:
            refusal = bytearray([data[0], _UNAUTHORISED_NAME, 0, 0]) + self.clientsessionid
            self.send_payload(refusal, payload_types["rakp2"], retry=False)

    def handle_client_request(self, request: dict[str, Any]) -> None:
        """Power and LED are for an operator and an administrator only, which pyghmi does not look at."""
        asked = (request["netfn"], request["command"])
        if asked in _LOG:
            code, said = self.bmc.storage(asked[1], bytes(request["data"]))
            self.send_ipmi_response(code=code, data=list(said))
        elif asked in (_CHASSIS_CONTROL, _CHASSIS_IDENTIFY):
            self.send_ipmi_response(code=self.bmc.order(asked, bytes(request["data"]), self.clientpriv))
        else:
            super().handle_client_request(request)

    def handle(self, data: bytearray) -> None:
        """Takes one packet of the session and answers it. What is no packet of it is dropped."""
        with contextlib.suppress(IndexError, AttributeError, ValueError, struct.error):
            self._handle_ipmi_packet(data, self.sockaddr, [data, self.sockaddr, self.socket])


def _record(number: int, began: float, hours: float, event: str) -> bytes:
    """A record of the event log: of type 02h, made by the BMC itself (IPMI v2.0 rev. 1.1, 32.1)."""
    return struct.pack("<HBIBBB", number, 2, int(began - 3600 * hours), 0x20, 0, 4) + bytes.fromhex(event)


def _open_socket(port: int) -> socket.socket:
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        wire.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        try:
            wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        wire.bind(("", port))
        # Only now: a second demo still finds the port taken, but a single address of it may be bound by who asks so.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        wire.close()
        raise
    return wire


def _sent_to(extra: list[tuple[int, int, bytes]]) -> str:
    """The address that a packet was sent to (struct in_pktinfo, ip(7))."""
    for level, kind, info in extra:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return socket.inet_ntoa(info[8:12])
    return ""
