"""Commands to BMCs, each one packet that is sent once.

pyghmi 1.6.19 sends a command again whose answer was lost, and after a new login once more: a BMC that was told to
cycle did it two to four times. Here the login may be repeated, the command may not: when no answer comes it may have
been done, and whoever wants to know reads the power. Only the agent may use this.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from botd.settings import BmcSettings
from botd.transport.addresses import SocketAddress, socket_address
from botd.transport.bmc.outcome import Answered, NoAnswer, NotSent, Outcome
from botd.transport.bmc.session import Exchange
from botd.transport.bmc.turns import Turns

LOG = logging.getLogger(__name__)

OPERATOR = 3
"""Privilege level of Chassis Control and Chassis Identify (IPMI v2.0 rev. 1.1, table G-1)."""

APART_S = 5.0
"""Between two commands to one BMC: a chassis that is switched while it switches is where BMCs lose their way."""

LOGIN_LIMIT = 2
"""How often `bmc.timeout` a login may last, as in a sweep."""

TURN_LIMIT_S = 30.0
TICK_S = 0.05

NO_USER = "no [actions] bmc_user is configured"


Go = Callable[[], bool]


class Command(NamedTuple):
    """A request of IPMI v2.0 rev. 1.1: its network function, its number, its data, and whether it changes anything."""

    netfn: int
    number: int
    data: bytes = b""
    changes: bool = True


HARD_OFF = Command(0x00, 0x02, b"\x00")
POWER_ON = Command(0x00, 0x02, b"\x01")
POWER_CYCLE = Command(0x00, 0x02, b"\x02")
SOFT_OFF = Command(0x00, 0x02, b"\x05")
"""Chassis Control (28.3). Soft off asks the operating system through ACPI."""

SYSTEM_GUID = Command(0x06, 0x37, changes=False)
"""Get System GUID (22.14). It is in the login too, where a key vouches for it."""


def identify(seconds: int) -> Command:
    """Chassis Identify (28.5): the LED for so many seconds, at most 255; 0 ends it."""
    return Command(0x00, 0x04, bytes((seconds,)))


class Order(Exchange[Outcome]):
    """A login, one command that is sent once, a logout. `guid` is the BMC that is meant, None is any."""

    def __init__(
        self, sock: socket.socket, peer: SocketAddress, user: str, password: str, command: Command, guid: str | None
    ) -> None:
        self.ready = False
        self.sent = False
        self.remoteguid = b""
        self._command = command
        self._meant = guid
        super().__init__(sock, peer, user, password, privilege=OPERATOR)

    def ask(self) -> None:
        """Is ready for the command, unless this is another BMC than the one that is meant."""
        if self._meant is not None and self._guid != self._meant:
            self.withdraw("other-bmc", "another BMC than last time answers at this address")
        self.ready = self.answer is None

    def withdraw(self, why: str, words: str) -> None:
        """Ends the exchange before the command was sent."""
        self.answer = NotSent(why, words, self._guid)

    def transmit(self) -> None:
        """Sends the command, and never a second time."""
        if not self.sent:
            self.sent = True
            netfn, number, data, _ = self._command
            self.raw_command(netfn=netfn, command=number, data=data, callback=self._read, retry=False)

    def fail(self, detail: str) -> None:
        """Ends the exchange: unknown once the command was sent."""
        self.answer = NoAnswer(detail, self._guid) if self.sent else NotSent("no-session", detail, self._guid)

    @property
    def _guid(self) -> str | None:
        """The System GUID of RAKP message 2 (13.21) in hexadecimal digits, which the password vouches for."""
        return self.remoteguid.hex() if any(self.remoteguid) else None

    def _read(self, response: dict[str, Any]) -> None:
        self.incommand = False
        if "error" in response:
            self.fail("the BMC stopped answering in the middle of a session")
        else:
            self.answer = Answered(response["code"], self._guid, bytes(response["data"]))


class BmcControl:
    """Sends commands as a user of their own. Each call waits for its answer; calls from several threads are fine."""

    def __init__(
        self,
        settings: BmcSettings,
        user: str,
        password: str,
        turns: Turns,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._user = user
        self._password = password
        self._turns = turns
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._last_s: dict[SocketAddress, float] = {}  # when a command went out
        self._begun_s = clock()

    def send(self, address: str, command: Command, *, guid: str | None = None, go: Go = lambda: True) -> Outcome:
        """What came of one command to the BMC at this address, in digits, which must be the one with that GUID.

        It waits for a sweep's session with the same BMC, until the last command is 5 s ago, and for the login. Then
        `go` is called, in this thread and right before the packet leaves: there the action is written ahead. Where it
        is False nothing is sent, nor where it raises, which is raised here too.
        """
        if not self._user:
            return NotSent("no-user", NO_USER)
        try:
            family, peer = socket_address(address, self._settings.port)
        except ValueError as error:
            return NotSent("bad-address", str(error))
        while True:
            with self._turns.taken(peer, TURN_LIMIT_S) as is_mine:
                if not is_mine:
                    return NotSent("busy", "another session with this BMC does not end")
                early_s = self._early_s(peer) if command.changes else 0.0
                if early_s <= 0:
                    return self._session(family, peer, command, guid, go)
            self._pause(early_s)  # without the turn, which a sweep may have meanwhile

    def _early_s(self, peer: SocketAddress) -> float:
        """How long it is until the next command may go out.

        What the process before this one sent is not known, so that the first 5 s of this one are kept free too.
        """
        with self._lock:
            return self._last_s.get(peer, self._begun_s) + APART_S - self._clock()

    def _session(
        self, family: socket.AddressFamily, peer: SocketAddress, command: Command, guid: str | None, go: Go
    ) -> Outcome:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                order = Order(sock, peer, self._user, self._password, command, guid)
            except Exception:
                LOG.exception("cannot begin a session with the BMC %s", peer[0])
                return NotSent("no-session", "cannot begin a session with the BMC")
            try:
                return self._drive(sock, peer, order, go)
            finally:
                self._note(peer, order)
                with contextlib.suppress(Exception):  # a logout that fails changes nothing
                    order.end()

    def _note(self, peer: SocketAddress, order: Order) -> None:
        if order.sent:
            with self._lock:
                self._last_s[peer] = self._clock()

    def _drive(self, sock: socket.socket, peer: SocketAddress, order: Order, go: Go) -> Outcome:
        limit_s = LOGIN_LIMIT * self._settings.timeout
        self._wait(sock, peer, order, limit_s, f"no session within {limit_s:g} s")
        if order.answer is None and not go():
            order.withdraw("withdrawn", "it was withdrawn before it was sent")
        if order.answer is None:
            self._transmit(peer, order)
            self._wait(sock, peer, order, self._settings.timeout, "no answer to the command")
        return order.answer or NoAnswer("no answer to the command")

    def _transmit(self, peer: SocketAddress, order: Order) -> None:
        try:
            order.transmit()
        except Exception:  # it may have left all the same
            LOG.exception("cannot send a command to the BMC %s", peer[0])
            order.fail("the command was perhaps not sent")

    def _wait(self, sock: socket.socket, peer: SocketAddress, order: Order, limit_s: float, late: str) -> None:
        """Until the order is ready, or is answered once it was sent."""
        until = time.monotonic() + limit_s
        while order.answer is None and (order.sent or not order.ready):
            self._step(sock, peer, order)
            if order.answer is None and time.monotonic() > until:
                order.fail(late)

    def _step(self, sock: socket.socket, peer: SocketAddress, order: Order) -> None:
        """One packet, or what is due when none comes; whatever pyghmi trips over in it ends this order."""
        try:
            if select.select([sock], [], [], TICK_S)[0]:
                packet, sender = sock.recvfrom(4096, socket.MSG_DONTWAIT)
                if sender == peer:
                    order.feed(packet)
            order.tick()
        except OSError:
            return  # an ICMP error that the kernel hands over in place of a packet
        except Exception:
            LOG.exception("pyghmi failed on what the BMC %s sent", peer[0])
            order.fail("the BMC sent what pyghmi cannot read")
