"""The management controllers: which of them answer, and what they say of their node's power.

Presence goes first, for all at once and without a login, so that a dead BMC costs no session. Sessions are run
by one thread, many at a time, that serves all rounds in turn.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from botd.answers import Deliver, Delivery, EventsAnswer, PowerAnswer, PowerState, PresenceAnswer, Source
from botd.settings import BmcSettings
from botd.transport.addresses import SocketAddress, socket_address
from botd.transport.bmc.presence import find_present
from botd.transport.bmc.session import NO_SESSION, PowerQuery
from botd.transport.bmc.turns import Turns
from botd.transport.delivering import answered_for
from botd.transport.late import OwnDelay

LOG = logging.getLogger(__name__)

MAX_SESSIONS = 128
"""Sessions at once, whatever [bmc] parallel says.

Measured with 400 ipmi_sim and 40 BMCs that hang after presence: the last good answer after 3.5 s with 16 or 32,
2 s with 64, 1 s with 128 and 256. At 256 a healthy session takes 0.6 to 0.8 s, which is past pyghmi's first
retransmission (0.5 s), so more only makes more packets. 0.6 ms of CPU per BMC throughout.
"""

SESSION_LIMIT = 2
"""How often `bmc.timeout` one session may last: pyghmi has sent each packet three times by then."""

HELD_LIMIT = 4
"""How often `bmc.timeout` a request waits while an action has a session with its BMC: a login, a command, and more."""

RECEIVE_BUFFER = 1 << 20
PACKETS_AT_ONCE = 2048
"""More than so many sessions are owed: no session's time is up while its answer waits behind those of others."""

TICK_S = 0.05

EVENTS_LIMIT = 1
"""How often `bmc.timeout` a session may last after it, for the event log."""

NO_USER = "no [bmc] user is configured"
HELD = "botd is acting on this BMC just now"
STOPPED = "botd stopped before the BMC was asked"
ASKED_ANEW = "its power was asked for anew"

A = TypeVar("A")

Told = Callable[[A, float], None]
"""Called in the session thread with the answer and the seconds that it took."""


class BmcTransport:
    """Asks BMCs, for any number of callers at once. The password stays in here."""

    def __init__(self, settings: BmcSettings, password: str, turns: Turns | None = None) -> None:
        self._settings = settings
        self._sessions = _Sessions(settings, password, turns or Turns())

    def run(self, targets: Mapping[str, str | None], deliver: Deliver, *, power: bool, events: bool = False) -> None:
        """Delivers a PresenceAnswer for each node and, with `power`, a PowerAnswer for each whose BMC answers; with
        `events` an EventsAnswer besides, after it.

        Targets are addresses in digits by node. Returns when all are delivered: a silent BMC takes
        `bmc.timeout`, one that falls silent later three times that, after waiting for its turn, and its event log once
        more. No power waits for the log of another BMC.
        """
        round_ = _Round()
        deliver = answered_for(deliver)

        def on_presence(node: str, answer: PresenceAnswer, took_s: float) -> None:
            deliver(Delivery(node, Source.PRESENCE, answer, took_s))
            if (power or events) and answer.reachable:
                self._ask(round_, node, targets[node] or "", deliver, events=events)

        find_present(targets, port=self._settings.port, timeout_s=self._settings.timeout, deliver=on_presence)
        round_.wait()

    def close(self) -> None:
        """Ends the session thread; what was still to be asked is answered as unknown."""
        self._sessions.close()

    def _ask(self, round_: _Round, node: str, address: str, deliver: Deliver, *, events: bool) -> None:
        def tell_power(answer: PowerAnswer, took_s: float | None = None) -> None:
            deliver(Delivery(node, Source.POWER, answer, took_s))

        def tell_events(answer: EventsAnswer, took_s: float | None = None) -> None:
            deliver(Delivery(node, Source.EVENTS, answer, took_s))

        if self._settings.user:
            told = round_.expect(tell_power), round_.expect(tell_events) if events else None
            self._sessions.submit(round_, socket_address(address, self._settings.port), *told)
            return
        tell_power(PowerAnswer(PowerState.UNKNOWN, not_asked=NO_USER))
        if events:
            tell_events(EventsAnswer(nothing_kept=NO_USER))


@dataclass(frozen=True, slots=True)
class _Request:
    family: socket.AddressFamily
    peer: SocketAddress
    told: Told[PowerAnswer]
    events_told: Told[EventsAnswer] | None = None

    def refuse(self, detail: str) -> None:
        """Tells both that there was no session."""
        self.told(PowerAnswer(PowerState.UNKNOWN, detail), 0.0)
        if self.events_told:
            self.events_told(EventsAnswer(nothing_kept=NO_SESSION), 0.0)


class _Round:
    """One caller's requests: those that wait for their turn, and how many are not answered yet."""

    def __init__(self) -> None:
        self.waiting: deque[_Request] = deque()
        self._open = 0
        self._changed = threading.Condition()

    def expect(self, told: Told[A]) -> Told[A]:
        """The same callback, counted: `wait` returns after each of these was called."""
        with self._changed:
            self._open += 1

        def counted(answer: A, took_s: float) -> None:
            try:
                told(answer, took_s)
            finally:
                with self._changed:
                    self._open -= 1
                    self._changed.notify_all()

        return counted

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0)


@dataclass(slots=True)
class _Active:
    """A session that is open, and everybody who wants its answer. For `late_s` this process could not run.

    Once its power was told it only `reads` the event log, `started_s` anew.
    """

    exchange: PowerQuery
    started_s: float
    late_s: float = 0.0
    reads: bool = False
    requests: list[_Request] = field(default_factory=list)

    def add(self, request: _Request) -> None:
        """One more who wants the answer."""
        self.requests.append(request)
        if request.events_told:
            self.exchange.want_events()

    def tell_power(self, answer: PowerAnswer, now_s: float) -> None:
        for request in self.requests:
            request.told(answer, now_s - self.started_s)
        self.started_s, self.late_s, self.reads = now_s, 0.0, True

    def tell_events(self, now_s: float) -> None:
        for request in self.requests:
            if request.events_told:
                request.events_told(self.exchange.events, now_s - self.started_s)


class _Sessions:
    """The thread that runs all sessions, its sockets, and the queue of rounds that take turns."""

    def __init__(self, settings: BmcSettings, password: str, turns: Turns) -> None:
        self._settings = settings
        self._password = password
        self._turns = turns
        self._held: list[tuple[_Request, float]] = []  # whose BMC somebody else has, and until when they wait
        self._parallel = min(settings.parallel, MAX_SESSIONS)
        self._lock = threading.Lock()
        self._rounds: deque[_Round] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._active: dict[SocketAddress, _Active] = {}
        self._reading = 0  # of these, those that only read the event log: they take no other's place
        self._hashes: dict[SocketAddress, int] = {}
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}
        self._delay = OwnDelay(2 * TICK_S)
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_out, selectors.EVENT_READ)

    def submit(
        self,
        round_: _Round,
        target: tuple[socket.AddressFamily, SocketAddress],
        told: Told[PowerAnswer],
        events_told: Told[EventsAnswer] | None,
    ) -> None:
        """Queues a request at the end of its round; each of both is called once, whatever happens."""
        request = _Request(*target, told, events_told)
        with self._lock:
            if not self._closed:
                round_.waiting.append(request)
                if round_ not in self._rounds:
                    self._rounds.append(round_)
                self._start()
                self._wake()
                return
        request.refuse(STOPPED)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wake()
        if self._thread:
            self._thread.join()
        else:
            self._stop()
        for sock in (self._wake_in, self._wake_out):
            sock.close()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="bmc", daemon=True)
            self._thread.start()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # full: the thread has been woken already
            self._wake_in.send(b"x")

    # ---- in the thread ----

    def _work(self) -> None:
        try:
            tick_until = 0.0
            while not self._closed:
                self._begin_some()
                for key, _ in self._selector.select(TICK_S if self._active or self._held else None):
                    self._read(key.fileobj)  # type: ignore[arg-type]
                if (now_s := time.monotonic()) >= tick_until:
                    self._tick(now_s)
                    tick_until = time.monotonic() + TICK_S
        finally:
            self._stop()

    def _begin_some(self) -> None:
        while len(self._active) - self._reading < self._parallel and (request := self._next()):
            if not self._join(request):
                self._held.append((request, time.monotonic() + HELD_LIMIT * self._settings.timeout))

    def _join(self, request: _Request) -> bool:
        """Whether the request is under way now, with that of others for the same BMC; not while an action has it.

        A session whose power was told already ends for it: what it said may be older than the request.
        """
        if (same := self._active.get(request.peer)) and same.reads:
            self._give_up(request.peer, same, ASKED_ANEW)
            same = None
        if same:
            same.add(request)
        elif self._turns.try_take(request.peer):
            self._begin(request)
        else:
            return False
        return True

    def _try_held(self, now_s: float) -> None:
        """Another try for those whose BMC was somebody else's; who has waited too long is told so."""
        held, self._held = self._held, []
        for request, until in held:
            if self._join(request):
                continue
            if now_s < until:
                self._held.append((request, until))
            else:
                request.refuse(HELD)

    def _next(self) -> _Request | None:
        """The first request of the round whose turn it is; a round with more goes to the end of the queue."""
        with self._lock:
            if not self._rounds:
                return None
            round_ = self._rounds.popleft()
            request = round_.waiting.popleft()
            if round_.waiting:
                self._rounds.append(round_)
            return request

    def _begin(self, request: _Request) -> None:
        started_s = time.monotonic()
        try:
            sock = self._socket(request.family)
            known = self._hashes.pop(request.peer, 0)
            exchange = PowerQuery(sock, request.peer, self._settings.user, self._password, known_hash=known)
        except Exception:
            LOG.exception("cannot begin a session with the BMC %s", request.peer[0])
            self._turns.give(request.peer)
            request.refuse("cannot begin a session with the BMC")
            return
        self._active[request.peer] = active = _Active(exchange, started_s)
        active.add(request)

    def _socket(self, family: socket.AddressFamily) -> socket.socket:
        if family not in self._sockets:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._sockets[family] = sock
            self._selector.register(sock, selectors.EVENT_READ)
        return self._sockets[family]

    def _read(self, sock: socket.socket) -> None:
        """Hands what has arrived to its sessions. MSG_DONTWAIT: pyghmi makes the socket blocking to send."""
        for _ in range(PACKETS_AT_ONCE):
            try:
                packet, peer = sock.recvfrom(4096, socket.MSG_DONTWAIT)
            except OSError:
                return  # nothing left to read, or an ICMP error that the kernel hands over in its place
            active = self._active.get(peer)
            if active:
                self._step(peer, active, partial(active.exchange.feed, packet))

    def _tick(self, now_s: float) -> None:
        self._try_held(now_s)
        late_s = self._delay.since_last(now_s)
        for peer, active in list(self._active.items()):
            active.late_s += min(late_s, now_s - active.started_s)
            if why := self._why_over(peer, active, now_s):
                active.exchange.fail(why)
            self._step(peer, active, active.exchange.tick)

    def _why_over(self, peer: SocketAddress, active: _Active, now_s: float) -> str:
        """Why a session ends now though it has not answered; empty as long as it may go on."""
        limit_s = (EVENTS_LIMIT if active.reads else SESSION_LIMIT) * self._settings.timeout
        if active.reads and self._turns.is_wanted(peer):
            return HELD
        if now_s - active.started_s - active.late_s <= limit_s:
            return ""
        if active.reads:
            return f"its event log was not read within {limit_s:g} s"
        return f"the BMC answers, but a session did not end within {limit_s:g} s"

    def _step(self, peer: SocketAddress, active: _Active, step: Callable[[], None]) -> None:
        """One step of one session; whatever pyghmi trips over in it is that BMC's answer and nobody else's."""
        try:
            step()
        except Exception:
            LOG.exception("pyghmi failed on what the BMC %s sent", peer[0])
            active.exchange.fail("the BMC sent what pyghmi cannot read")
        self._tell(peer, active)

    def _give_up(self, peer: SocketAddress, active: _Active, why: str) -> None:
        active.exchange.fail(why)
        self._tell(peer, active)

    def _tell(self, peer: SocketAddress, active: _Active) -> None:
        """Tells the power as soon as it is known, whatever becomes of the event log.

        A session that is over gives its turn back first: who is told may want the BMC next.
        """
        answer, was_told = active.exchange.answer, active.reads
        if answer:
            self._finish(peer, active, answer)
        if (power := active.exchange.power) and not was_told:
            active.tell_power(power, time.monotonic())
            self._reading += not answer
        if answer:
            active.tell_events(time.monotonic())

    def _finish(self, peer: SocketAddress, active: _Active, answer: PowerAnswer) -> None:
        del self._active[peer]
        self._reading -= active.reads
        if answer.power is not PowerState.UNKNOWN:
            self._hashes[peer] = active.exchange.hash
        try:
            active.exchange.end()
        except Exception:
            LOG.exception("pyghmi failed to log out of the BMC %s", peer[0])
        self._turns.give(peer)

    def _stop(self) -> None:
        """Answers everything that is left, then closes what the thread owned."""
        with self._lock:
            self._closed = True
        for peer, active in list(self._active.items()):
            self._give_up(peer, active, STOPPED)
        for held, _ in self._held:
            held.refuse(STOPPED)
        while request := self._next():
            request.refuse(STOPPED)
        self._selector.close()
        for sock in self._sockets.values():
            sock.close()
