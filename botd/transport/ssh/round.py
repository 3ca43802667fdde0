"""The connect loop: it reaches many nodes at once, in the thread that asks.

A `LoginRound` walks through the visits: it opens the connections, waits for the first bytes of sshd, which speaks
first, and only then gives the visit a thread. So nodes that are dead, refuse or stay silent cost a file
descriptor each and no thread. It also looks at the clock for all visits.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import ipaddress
import itertools
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from botd.answers import LoginAnswer, Output, SshState
from botd.text import one_line
from botd.transport.late import OwnDelay
from botd.transport.ssh.answers import connect_answer
from botd.transport.ssh.places import Places, spare_files
from botd.transport.ssh.visit import Over, Visit

LOG = logging.getLogger(__name__)

MAX_OPEN = 1000
"""Nodes between their first packet and their last answer at once, in one run; each holds at most one thread."""

CONNECT_SILENT_S = 0.25
"""How long a node keeps its place before the connection opens: a living node's kernel answers at once, however busy
the node is."""

FAILED = "botd failed, see its log"

TICK_S = 0.1
"""How often the clock is looked at."""


class LoginRound:
    """One run over many nodes. `work` is called in a thread for each visit that sshd has answered."""

    def __init__(self, places: Places, work: Callable[[Visit], None], *, timeout_s: float, deadline_s: float) -> None:
        self._places = places
        self._work = work
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        # Half of what is left: other runs, and the connections that are kept, need files as well.
        self._max_open = min(MAX_OPEN, max(1, spare_files() // 2))
        self._delay = OwnDelay(2 * TICK_S)
        self._live: dict[str, Visit] = {}
        self._visits: Iterator[Visit] = iter(())
        self._ready: deque[Visit] = deque()
        self._ended: deque[Visit] = deque()
        self._selector = selectors.DefaultSelector()
        self._bell, self._button = socket.socketpair()
        self._rung = False

    def run(self, visits: Iterator[Visit]) -> None:
        """Makes the visits; every one has ended when this returns."""
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._places.join(self._wake)
        try:
            self._visits = visits
            self._loop()
        finally:
            self._places.leave(self._wake)
            for visit in list(self._live.values()):
                visit.finish(missing=Output(detail="the run was given up"))
                self._drop(visit)
            self._selector.close()
            self._bell.close()
            self._button.close()

    def _loop(self) -> None:
        tick_until = 0.0
        more = True
        while more or self._live:
            more = more and self._open()
            for key, _ in self._selector.select(TICK_S):
                self._on_event(key)
            while self._ended:
                self._drop(self._ended.popleft())
            self._start_threads()
            if (now_s := time.monotonic()) >= tick_until:
                tick_until = now_s + TICK_S
                self._check_clock(now_s)

    def _open(self) -> bool:
        """Begins visits while there are places and nobody waits for one. Whether there are more.

        A connection makes sshd start a process, so it is made only when there is a place for what follows.
        """
        while len(self._live) < self._max_open and not self._ready and self._places.take():
            visit = next(self._visits, None)
            if visit is None:
                self._places.give()
                return False
            visit.has_place = True
            visit.start(self._deadline_s)
            self._live[visit.node] = visit
            self._guarded(visit, self._connect if visit.direct else self._await_place)
        return True

    def _connect(self, visit: Visit) -> None:
        visit.step(SshState.TIMEOUT, "no answer", self._timeout_s)
        try:
            version = ipaddress.ip_address(visit.address).version
        except ValueError:
            self._fail(visit, LoginAnswer(SshState.UNRESOLVED, f'"{one_line(visit.address)}" is not an address'))
            return
        try:
            visit.sock = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM)
            visit.sock.setblocking(False)
            visit.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a command is three small packets
            code = visit.sock.connect_ex((visit.address, visit.port))
        except OSError as error:
            self._postpone(visit, error)
            return
        if code not in (0, errno.EINPROGRESS):
            self._fail(visit, connect_answer(OSError(code, os.strerror(code))))
            return
        self._selector.register(visit.sock, selectors.EVENT_WRITE, visit)

    def _postpone(self, visit: Visit, error: OSError) -> None:
        """Tries again when another visit has ended, if there is one: it is botd that has no file left."""
        if error.errno not in (errno.EMFILE, errno.ENFILE) or len(self._live) == 1:
            self._fail(visit, connect_answer(error))
            return
        del self._live[visit.node]
        self._give_place(visit)
        self._max_open = len(self._live)
        self._visits = itertools.chain([visit], self._visits)

    def _on_event(self, key: selectors.SelectorKey) -> None:
        visit: Visit | None = key.data
        if visit is None:
            self._silence_bell()
        elif visit.sock is not None and not visit.done:
            step = self._on_first_bytes if visit.connected else self._on_connected
            self._guarded(visit, functools.partial(step, sock=visit.sock))

    def _guarded(self, visit: Visit, step: Callable[[Visit], None]) -> None:
        """A step of one visit in the loop of all; whatever goes wrong with it is that visit's answer."""
        try:
            step(visit)
        except OSError as error:
            self._fail(visit, connect_answer(error))
        except Exception as error:
            LOG.exception("the visit to %s failed", visit.node)
            self._fail(visit, LoginAnswer(SshState.HUNG, f"{FAILED}: {type(error).__name__}"))

    def _on_connected(self, visit: Visit, sock: socket.socket) -> None:
        if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        visit.connected = True
        visit.step(SshState.HUNG, "the connection opened, but sshd said nothing", self._timeout_s)
        self._selector.modify(sock, selectors.EVENT_READ, visit)

    def _on_first_bytes(self, visit: Visit, sock: socket.socket) -> None:
        # Lines may come before the version (RFC 4253, 4.2), so any byte will do; the login reads them.
        if not sock.recv(1, socket.MSG_PEEK):
            self._fail(visit, LoginAnswer(SshState.REFUSED, "closed the connection before saying anything"))
            return
        self._selector.unregister(sock)
        self._await_place(visit)

    def _await_place(self, visit: Visit) -> None:
        visit.pause()
        self._ready.append(visit)

    def _start_threads(self) -> None:
        while self._ready:
            if self._ready[0].done:
                self._ready.popleft()
            elif self._ready[0].has_place or self._places.take():
                visit = self._ready.popleft()
                visit.has_place = True
                visit.resume()
                threading.Thread(target=self._visit, args=(visit,), name=f"ssh {visit.node}", daemon=True).start()
            else:
                return

    def _visit(self, visit: Visit) -> None:
        """What a visit's thread does. The last line of defence: whatever goes wrong, the node gets an answer."""
        try:
            self._work(visit)
        except Over:
            pass
        except Exception as error:
            LOG.exception("the visit to %s failed", visit.node)
            detail = f"{FAILED}: {type(error).__name__}"
            visit.finish(LoginAnswer(SshState.HUNG, detail), Output(detail=detail))
        visit.finish()
        self._ended.append(visit)
        self._wake()

    def _check_clock(self, now_s: float) -> None:
        late_s = self._delay.since_last(now_s)
        for visit in list(self._live.values()):
            visit.check_time(now_s, late_s)
            if visit.done:
                self._drop(visit)
            elif visit.has_place and now_s - visit.heard_s > self._patience_s(visit):
                self._give_place(visit)

    def _patience_s(self, visit: Visit) -> float:
        connecting = visit.sock is not None and not visit.connected
        return CONNECT_SILENT_S if connecting else self._places.patience_s

    def _fail(self, visit: Visit, answer: LoginAnswer) -> None:
        visit.finish(answer)
        self._drop(visit)

    def _drop(self, visit: Visit) -> None:
        """Forgets a visit that has ended, and frees what it held."""
        if self._live.pop(visit.node, None) and visit.answered:
            self._places.learn(visit.longest_silence_s)
        self._give_place(visit)
        if sock := visit.take_socket():
            if sock.fileno() in self._selector.get_map():
                self._selector.unregister(sock)
            sock.close()

    def _give_place(self, visit: Visit) -> None:
        if visit.has_place:
            visit.has_place = False
            self._places.give()

    def _wake(self) -> None:
        if not self._rung:
            self._rung = True
            with contextlib.suppress(OSError):  # the buffer is full, so the loop will wake; or it has ended
                self._button.send(b"!")

    def _silence_bell(self) -> None:
        try:
            while self._bell.recv(4096):
                pass
        except BlockingIOError:
            pass
        # Only now, and what wakers have left is looked at after this: so none of them is overheard.
        self._rung = False
