"""gunicorn's threaded worker, with a loop before its threads that has the patience for clients, and a quick end.

As it comes (gunicorn 27), a thread reads a request and writes the answer, as slowly as the client likes: as many slow
clients as there are threads hold it up for ever. Here a thread gets a request when all of it has come, and its answer
is taken at once; what a client has not sent or not read yet waits in the loop, with a limit.
"""

from __future__ import annotations

import errno
import mmap
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from types import FrameType
from typing import Any

from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from botd.commands.wire import Wire
from botd.errors import BadRequest, BotdError, HeadTooLarge, RequestTimeout, UriTooLong
from botd.text import plain
from botd.web.timings import PLACE_BYTES

GRACE_S = 1.0
"""What an answer under way has left; who follows a sweep or waits for one would hold the end up for minutes."""

READ_S = 20.0
"""Until a request is there, from its first byte to its last: 2 MB at 100 kB/s."""

WRITE_S = 120.0
"""Until an answer is read: 22 MB, all readings of 10,000 nodes without gzip, at 180 kB/s."""

LINGER_S = 2.0
"""Until a client whose connection ends has taken note of that: closed at once it might lose the end of its answer."""

PLACES = 64
"""Workers that count apart. A new worker takes over the place of one that is long gone, and counts on there."""

MAX_UNSENT = 2**26
"""Bytes of all answers together that wait to be read; of more, the oldest is given up."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """A connection is in the hands of the loop (`_watched`), or of a thread that works out its answer."""

    COUNTS = mmap.mmap(-1, PLACES * PLACE_BYTES)
    """What all workers of a gunicorn count in, each in its place: made in the master, which loads this class."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # A client's own header would be the path that the application stands at.
        self.cfg.set("forwarder_headers", "")
        self.worker_connections: int = min(
            self.cfg.worker_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        )
        self._watched: dict[TConn, None] = {}  # the longest in the loop's hands first
        self._looked_at = 0.0

    def load_wsgi(self) -> None:
        """Loads the application, and has it count how long answers take where its siblings do."""
        super().load_wsgi()
        if botd := getattr(self.wsgi, "extensions", {}).get("botd"):
            from botd.web.proxy import check_sockets  # the master has no need of it

            check_sockets(botd.config, [each.sock for each in self.sockets])
            botd.timings.share(self.COUNTS, self.age)

    # ---- from one hand to the other ----

    def accept(self, listener: socket.socket) -> None:
        """Takes a new client. With as many as there may be, or no file left, the one that waits longest goes."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._give_up_oldest()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):  # another worker was faster; the client is gone
                raise
            return
        self.nr_conns += 1
        client = TConn(self.cfg, Wire(accepted), address, listener.getsockname())
        client.data_ready = True  # whenever a thread gets it
        self._watch(client, selectors.EVENT_READ, self._arrive, READ_S)
        if self.nr_conns >= self.worker_connections:
            self._give_up_oldest()

    def finish_request(self, client: TConn, answered: Future[bool]) -> None:
        """Takes a client back from its thread, with its answer, of which it may not have read all."""
        goes_on = not answered.cancelled() and answered.exception() is None and answered.result() is True and self.alive
        self._try(partial(self._back, goes_on), client)

    def _back(self, goes_on: bool, client: TConn) -> None:
        if client.sock.fileno() < 0:  # gunicorn has closed it in the midst of an answer
            self._give_up(client)
        elif client.sock.is_sent:
            self._answered(goes_on, client)
        else:
            self._watch(client, selectors.EVENT_WRITE, partial(self._leave, goes_on), WRITE_S)
            self._bound_unsent()

    def _answered(self, goes_on: bool, client: TConn) -> None:
        """Waits for the next request of a client that has its answer, or for its end."""
        wire = client.sock
        if not goes_on or wire.incoming.is_cut or wire.recv(1) or client.parser.unreader.take_buffered():
            self._end(client)
        elif wire.next_request():
            self.enqueue_req(client)
        else:
            patience_s = READ_S if wire.incoming.has_begun else self.cfg.keepalive
            self._watch(client, selectors.EVENT_READ, self._arrive, patience_s)

    def _end(self, client: TConn) -> None:
        """Says that nothing more will come, and waits for the client to say the same."""
        client.sock.shutdown(socket.SHUT_WR)
        self._watch(client, selectors.EVENT_READ, self._ignore, LINGER_S)

    # ---- in the loop's hands ----

    def _watch(self, client: TConn, event: int, then: Callable[[TConn], None], patience_s: float) -> None:
        client.timeout = time.monotonic() + patience_s
        self._watched[client] = None
        self.poller.register(client.sock, event, lambda _: self._ready(then, client))

    def _unwatch(self, client: TConn) -> None:
        del self._watched[client]
        self.poller.unregister(client.sock)

    def _ready(self, then: Callable[[TConn], None], client: TConn) -> None:
        if client in self._watched:  # it may have been given up a moment ago
            self._try(then, client)

    def _try(self, then: Callable[[TConn], None], client: TConn) -> None:
        """Does what comes next for a client, unless it is gone."""
        try:
            then(client)
        except OSError:
            self._give_up(client)

    def _arrive(self, client: TConn) -> None:
        """More of a request is there, perhaps all of it."""
        wire = client.sock
        if not wire.incoming.has_begun:
            client.timeout = time.monotonic() + READ_S
        if not wire.receive():
            self._give_up(client)
        elif wire.next_request():
            self._unwatch(client)
            self.enqueue_req(client)

    def _leave(self, goes_on: bool, client: TConn) -> None:
        """More of an answer was read, perhaps all of it."""
        if client.sock.flush():
            self._unwatch(client)
            self._answered(goes_on, client)

    def _ignore(self, client: TConn) -> None:
        """What comes behind the last answer is read by nobody."""
        if not client.sock.discard():
            self._give_up(client)

    # ---- limits ----

    def murder_keepalived(self, force: bool = False) -> None:
        """Gives up the clients whose time is over; all of them when it ends."""
        now = time.monotonic()
        if force or now >= self._looked_at + 1:
            self._looked_at = now
            for client in [client for client in self._watched if force or client.timeout <= now]:
                if client.sock.incoming.has_begun and client.sock.is_sent:
                    self.handle_error(None, client.sock, client.client, RequestTimeout())
                self._give_up(client)

    def _give_up(self, client: TConn) -> None:
        if client in self._watched:
            self._unwatch(client)
        self.nr_conns -= 1
        client.close()

    def _give_up_oldest(self) -> None:
        if oldest := next(iter(self._watched), None):
            self._give_up(oldest)

    def _bound_unsent(self) -> None:
        """Gives up the answers that wait longest, while all of them together are too large."""
        waiting = [client for client in self._watched if not client.sock.is_sent]
        while sum(dict(pair for client in waiting for pair in client.sock.bodies().items()).values()) > MAX_UNSENT:
            self._give_up(waiting.pop(0))

    # ---- errors ----

    def handle_error(self, _request: object, client: Wire, address: Any, error: Exception) -> None:
        """Answers what is no request, in the one shape of every error."""
        from botd.web.faults import error_body  # the master, which makes this class, has no need of it

        ours = _ours(error)
        if ours is None:
            self.log.error("request failed", exc_info=error)
            ours = BotdError("botd failed; its log says how")
        self.log.warning("refused client=%s error=%s", address[0] if address else "", plain(str(ours)))
        body = error_body(ours)
        head = f"HTTP/1.1 {ours.status} {ours.code}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        try:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        except OSError:
            self.log.debug("the client is gone before its answer")

    # ---- its end ----

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: no more requests, and the end of those under way."""
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)
        super().handle_exit(sig, frame)

    def is_parent_alive(self) -> bool:
        """Looked at once a second."""
        alive = bool(super().is_parent_alive())
        if not alive:
            self.handle_exit(signal.SIGTERM, None)
        return alive

    def run(self) -> None:
        """Works until it is told to stop. Threads that are still at something do not hold up the end."""
        super().run()
        os._exit(0)


def _ours(error: Exception) -> BotdError | None:
    """What gunicorn refuses, as an error of ours; None for a fault of botd's."""
    if isinstance(error, BotdError):
        return error
    if isinstance(error, LimitRequestLine):
        return UriTooLong()
    if isinstance(error, LimitRequestHeaders):
        return HeadTooLarge()
    return BadRequest(f"this is no request: {error}") if isinstance(error, ParseException) else None
