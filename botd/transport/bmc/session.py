"""One authenticated exchange with one BMC: pyghmi's RMCP+ state machine, without pyghmi's input and output.

pyghmi 1.6.19 reads its sockets in a thread of its own with select(2), which fails for good in a process with
more than 1,024 open files; it waits inside a packet callback for the answer to its privilege request, and so
lets one stalled BMC stop all others; and it repeats a command that it lost the answer to after a new login,
which must never happen to a power cycle. So this class keeps the protocol (packets, keys, retransmission) and
replaces those parts: it never waits, never looks up a name and shares nothing with other sessions. The caller
owns the socket, feeds the packets of this BMC, and calls `tick` now and then.

Everything here may raise whatever pyghmi trips over in a malformed packet.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

from pyghmi.ipmi.private import session
from pyghmi.ipmi.private.util import _monotonic_time

from botd.answers import EventsAnswer, PowerAnswer, PowerState
from botd.text import shown
from botd.transport.addresses import SocketAddress
from botd.transport.bmc.event_log import Question, Reading, Said, read_events

USER = 2
"""Privilege level. Get Chassis Status asks for no more (IPMI v2.0 rev. 1.1, table G-1), and a session starts
with it, so that the request for a higher one is not sent at all."""

_RMCP_CLASS_IPMI = 0x07
_SET_PRIVILEGE = (0x06, 0x3B)
_CHASSIS_STATUS = (0x00, 0x01)
_STORAGE = 0x0A
_POWER_IS_ON = 0x01

_REFUSALS = ("Incorrect password", "Unauthorized name", "Invalid integrity check value", "Invalid username length")
"""How pyghmi words that the user or the password is wrong (constants.rmcp_codes and _got_rakp2)."""

NO_SESSION = "there was no session to read it in"
REFUSED = "the BMC did not accept the user or password of [bmc]"


A = TypeVar("A")


class Exchange(session.Session, Generic[A]):  # type: ignore[misc]
    """A login, one command, a logout. Made, it has sent its first packet; `answer` is None until it is over.

    `sock` must be of the family of `peer`, and no two open exchanges may share both. `known_hash` is the `hash` of
    an earlier exchange with this BMC: it saves the question what the BMC can do, and the suite that it refuses.
    Subclasses say what to ask once the login is through, and what an answer is.
    """

    def __new__(cls, *_: object, **__: object) -> Self:
        """A new object each time, where pyghmi would look for an open session of any other caller to share."""
        exchange = object.__new__(cls)
        exchange.forbidsock = []
        return exchange

    def __init__(
        self,
        sock: socket.socket,
        peer: SocketAddress,
        user: str,
        password: str,
        *,
        privilege: int = USER,
        known_hash: int = 0,
    ) -> None:
        self.answer: A | None = None
        self._known_hash = known_hash
        self._is_short = False
        self._then: Callable[[], None] | None = None
        self._udp = sock
        self._peer = peer
        self.socketpool = {sock: 1}
        self.allsockaddrs: list[SocketAddress] = []
        super().__init__(
            peer[0], user, password, port=peer[1], onlogon=self._logged_on, privlevel=privilege, keepalive=False
        )

    @property
    def hash(self) -> int:
        """What pyghmi calls the hash of the suite that the BMC took: 256 or 1. 0 for a login without one."""
        return int(self.attemptedhash) if self.ipmiversion == 2.0 and self.logged else 0

    def feed(self, packet: bytes) -> None:
        """Takes one datagram from this BMC; what is not IPMI is left out."""
        if packet[3:4] == bytes((_RMCP_CLASS_IPMI,)):
            self._handle_ipmi_packet(bytearray(_plain(packet)), sockaddr=self._peer, qent=(None, None, None))
        if then := self._then:
            self._then = None
            then()

    def tick(self) -> None:
        """Sends the last packet again, or gives up, when its time has come."""
        if self.answer is None and _monotonic_time() >= self.expiration:
            self._timedout()

    def end(self) -> None:
        """Logs out, without waiting for the BMC to confirm it, and forgets the session."""
        self.incommand = False  # otherwise pyghmi waits for the answer that it is still owed
        self._mark_broken()

    def send_next(self, send: Callable[[], None]) -> None:
        """Has `feed` send a request: pyghmi forgets one that is sent from within the callback of another."""
        self._then = send

    def ask(self) -> None:
        """Sends the command, once the login is through; its callback sets `answer` and `incommand` to False."""
        raise NotImplementedError

    def fail(self, detail: str) -> None:
        """Ends the exchange without a result."""
        raise NotImplementedError

    def _logged_on(self, response: dict[str, Any]) -> None:
        if self.answer is not None:
            return
        if "error" in response:
            self.fail(_login_failure(str(response["error"])))
        else:
            self.ask()

    # ---- pyghmi's own methods from here on, replaced ----

    def _assignsocket(self, server: object = None, forbiddensockets: object = ()) -> socket.socket:
        """The caller's socket, where pyghmi opens one and starts its thread."""
        return self._udp

    def _initsession(self) -> None:
        """As pyghmi does, with the peer already known: otherwise each packet would go through getaddrinfo."""
        super()._initsession()
        self.sockaddr = self._peer

    def _get_channel_auth_cap(self) -> None:
        """Goes straight to the session where the hash is known. Once: a login that begins anew asks first."""
        self._is_short = bool(self._known_hash)
        if self._is_short:
            self.ipmiversion, self.attemptedhash, self._known_hash = 2.0, self._known_hash, 0
            self._open_rmcpplus_request()
        else:
            super()._get_channel_auth_cap()

    def _got_rmcp_response(self, data: bytes) -> Any:
        """A BMC that does not take the known hash any more, after an update, is asked like one never seen."""
        if self._is_short and data[0] == self.rmcptag and data[1]:
            return self._relog()
        return super()._got_rmcp_response(data)

    def _req_priv_level(self) -> None:
        """Goes on without waiting, where pyghmi blocks. From here on a lost answer is not followed by a login.

        `feed` sends the command.
        """
        self.logged = 1
        self.logoutexpiry = None
        self.logontries = 0
        if self.privlevel <= USER:
            self._privileged({"code": 0})
        else:
            netfn, command = _SET_PRIVILEGE
            self.raw_command(netfn=netfn, command=command, data=[self.privlevel], callback=self._privileged)

    def _privileged(self, response: dict[str, Any]) -> None:
        self.incommand = False
        self.logging = False
        if "error" in response or response["code"]:
            self.fail(f"the BMC does not grant privilege level {self.privlevel}")
        else:
            self.send_next(lambda: self.onlogon({"success": True}))


class PowerQuery(Exchange[PowerAnswer]):
    """Reads the chassis power and, where it is wanted, the end of the event log after it.

    `power` is there as soon as it is known; `answer`, which is the same, when all is over. Whatever happens to the log
    is told in `events` alone.
    """

    def __init__(self, *where: Any, **how: Any) -> None:
        self.power: PowerAnswer | None = None
        self.events = EventsAnswer(nothing_kept=NO_SESSION)
        self._log: Reading | None = None
        super().__init__(*where, **how)

    def want_events(self) -> None:
        """Has the event log read too; the power must not be known yet."""
        self._log = self._log or read_events()

    def fail(self, detail: str) -> None:
        """Ends the exchange: what cannot be read is unknown."""
        if self.power:
            self.events = EventsAnswer(error=detail)
        self.power = self.answer = self.power or PowerAnswer(PowerState.UNKNOWN, detail)

    def ask(self) -> None:
        """Get Chassis Status (IPMI v2.0 rev. 1.1, 28.2)."""
        netfn, command = _CHASSIS_STATUS
        self.raw_command(netfn=netfn, command=command, callback=self._read)

    def _read(self, response: dict[str, Any]) -> None:
        self.incommand = False
        if "error" in response:
            self.fail("the BMC stopped answering in the middle of a session")
        elif response["code"] or not response["data"]:
            self.fail(f"the BMC refused to say: completion code 0x{response['code']:02x}")
        else:
            is_on = response["data"][0] & _POWER_IS_ON
            self.power = PowerAnswer(PowerState.ON if is_on else PowerState.OFF)
            self._read_on(None)

    def _read_on(self, said: Said | None) -> None:
        """One step through the log: the answer goes in, the next question comes out, until it returns what it has."""
        if self._log is None:
            self.answer = self.power
            return
        try:
            question = self._log.send(said)  # type: ignore[arg-type]
        except StopIteration as end:
            self.events, self.answer = end.value, self.power
        else:
            self.send_next(lambda: self._ask_storage(question))

    def _ask_storage(self, question: Question) -> None:
        self.raw_command(netfn=_STORAGE, command=question.number, data=question.data, callback=self._heard)

    def _heard(self, response: dict[str, Any]) -> None:
        self.incommand = False
        if "error" in response:
            self.fail("the BMC stopped answering while its event log was read")
        else:
            self._read_on(Said(response["code"], bytes(response["data"])))


def _plain(packet: bytes) -> bytes:
    """The datagram; an answer of no session as IPMI 1.5 with the number and the id 0, which pyghmi insists on.

    ipmitool 1.8.19 takes one with any number and id, and one in the form of RMCP+ (IPMI v2.0 rev. 1.1, table 13-8).
    """
    # 06 00 ff 07 | 00 | 00000000 | 00000000 | 10 | 81 1c 63 ...
    # 06 00 ff 07 | 06 00 | 00000000 | 00000000 | 10 00 | 81 1c 63 ...
    if packet[4:5] == b"\x00":
        return packet[:5] + bytes(8) + packet[13:]
    if packet[4:10] == b"\x06" + bytes(5):
        return packet[:4] + bytes(9) + packet[14:15] + packet[16:]
    return packet


def _login_failure(error: str) -> str:
    if error.startswith(_REFUSALS):
        return REFUSED
    if error == "timeout":
        return "the BMC did not finish the login"
    return f"the BMC refused the session: {shown(error, 120)}"
