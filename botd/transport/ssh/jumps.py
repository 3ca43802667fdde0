"""Ways through jump nodes (ProxyJump): one connection to each, for all nodes behind it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future

import paramiko

from botd.answers import SshState
from botd.text import one_line
from botd.transport.ssh.answers import LoginFailed, connect_answer
from botd.transport.ssh.login import Logins
from botd.transport.ssh.routes import SshRoute
from botd.transport.ssh.session import LOST, Session
from botd.transport.ssh.visit import Visit

CONNECT_FAILED = 2
"""Why sshd opens no channel: it tried and could not connect (RFC 4254, 5.1)."""


class Jumps:
    """The jump nodes of one run. A session to one is known by the path to it, its own route last."""

    def __init__(self, logins: Logins, resolve: Callable[[str], str | None], timeout_s: float) -> None:
        self._logins = logins
        self._resolve = resolve
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._sessions: dict[tuple[SshRoute, ...], Future[Session]] = {}

    def reach(self, visit: Visit, route: SshRoute, address: str) -> paramiko.Channel:
        """A connection to a node through its jump nodes. Raises LoginFailed and Over."""
        session = self._session(visit, route.jumps)
        visit.step(SshState.TIMEOUT, f'no answer through the jump node "{route.jumps[-1].name}"', self._timeout_s)
        return self._forward(session, address, route.port)

    def close(self) -> None:
        """Closes the connections to the jump nodes."""
        for future in self._sessions.values():
            if future.done() and not future.exception():
                future.result().close()

    def _session(self, visit: Visit, path: tuple[SshRoute, ...]) -> Session:
        """The session to the last of these jump nodes: the first who comes makes it, the others wait for it."""
        no_answer = f'no answer from the jump node "{path[-1].name}"'
        with self._lock:
            first = path not in self._sessions
            future = self._sessions.setdefault(path, Future())
        if not first:
            visit.step(SshState.TIMEOUT, no_answer, 3 * self._timeout_s)
            return future.result()
        try:
            future.set_result(self._connect(visit, path))
        except LoginFailed as failed:
            future.set_exception(failed)
        finally:
            # Those who wait need a word, whatever has happened: the failure, or that this visit's time is up.
            if not future.done():
                future.set_exception(LoginFailed(SshState.TIMEOUT, no_answer))
        return future.result()

    def _connect(self, visit: Visit, path: tuple[SshRoute, ...]) -> Session:
        route = path[-1]
        try:
            before = self._session(visit, path[:-1]) if path[1:] else None
            visit.step(SshState.TIMEOUT, f'no answer from the jump node "{route.name}"', self._timeout_s)
            if before:
                sock: socket.socket | paramiko.Channel = self._forward(before, route.hostname, route.port)
                address = route.hostname
            else:
                sock, address = self._dial(route)
            session = self._logins.log_in(visit, sock, route, address)
        except LoginFailed as failed:
            raise LoginFailed(failed.answer.state, f'jump node "{route.name}": {failed.answer.detail}') from None
        session.carry()
        visit.hold(lambda: None)  # from here on the session is everybody's, not this visit's to close
        return session

    def _dial(self, route: SshRoute) -> tuple[socket.socket, str]:
        address = self._resolve(route.hostname)
        if address is None:
            raise LoginFailed(SshState.UNRESOLVED, f'"{one_line(route.hostname)}" has no address')
        try:
            return socket.create_connection((address, route.port), self._timeout_s), address
        except OSError as error:
            answer = connect_answer(error)
            raise LoginFailed(answer.state, answer.detail) from None

    def _forward(self, session: Session, address: str, port: int) -> paramiko.Channel:
        try:
            return session.transport.open_channel(
                "direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=self._timeout_s
            )
        except paramiko.ChannelException as error:
            # paramiko drops the text in which sshd says whether the node refused or did not answer.
            if error.code == CONNECT_FAILED:
                raise LoginFailed(SshState.TIMEOUT, "the jump node could not connect to it") from None
            raise LoginFailed(SshState.REFUSED, f"the jump node does not let botd through: {error.text}") from None
        except LOST:
            raise LoginFailed(SshState.TIMEOUT, "no answer through the jump node") from None
