"""One ssh connection per node, one command for all its remote checks, on paramiko.

A run walks through its nodes with `botd.transport.ssh.round.LoginRound`: connection, first bytes of sshd, then a thread
for the login (`login`, through `jumps` where the way leads there) and the command (`command`).
Limits are kept by the clock of the round, which closes what takes too long; the threads here wait without
limits of their own. Connections stay open for the next run (`session`), where only a probe of the port and
the command are left to do.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from botd.answers import Deliver, Delivery, LoginAnswer, Source, SshState
from botd.config import resolve_path
from botd.settings import Config, SshSettings
from botd.text import one_line
from botd.transport.delivering import answered_for
from botd.transport.ssh.answers import LoginFailed
from botd.transport.ssh.command import run_fragments, window_for
from botd.transport.ssh.follow import Follower, Take
from botd.transport.ssh.hung import Hung
from botd.transport.ssh.jumps import Jumps
from botd.transport.ssh.keys import Keys
from botd.transport.ssh.known_hosts import Shelf
from botd.transport.ssh.login import Logins
from botd.transport.ssh.places import Places, spare_files
from botd.transport.ssh.round import FAILED, LoginRound
from botd.transport.ssh.routes import NoWay, Routes, SshRoute
from botd.transport.ssh.script import Fragment
from botd.transport.ssh.session import LOST, Kept, Session
from botd.transport.ssh.visit import Over, Visit

LOG = logging.getLogger(__name__)

T = TypeVar("T")

KEPT_ANSWER_S = 2.0
"""How long a kept connection may take to open a channel before a new login is tried."""


Addresses = Mapping[str, str | None]
Fragments = Callable[[str], Sequence[Fragment]]
Resolve = Callable[[Iterable[str]], Addresses]
"""The addresses of some names, None for those that have none."""


def resolve_names(names: Iterable[str]) -> Addresses:
    """The first address of each name. Blocks as long as the resolver does."""
    return {name: _first_address(name) for name in names}


def _first_address(name: str) -> str | None:
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, ValueError):
        return None


class SshTransport:
    """Logs in to nodes and runs the fragments of the remote checks there.

    `base` is the configuration whose file relative paths start at, `resolve` finds the addresses of
    the HostNames of ssh_config, all at once, and of jump nodes. paramiko's own loggers are silenced unless the
    application has given them a level: what they say of a failed login stands in the answer.

    Raises ConfigError for a key or an ssh_config that cannot be used.
    """

    def __init__(
        self,
        settings: SshSettings,
        *,
        base: Config | None = None,
        passphrase: str = "",
        resolve: Resolve = resolve_names,
    ) -> None:
        def path(text: str) -> Path | None:
            return resolve_path(base or Config(), text) if text else None

        if not logging.getLogger("paramiko").level:
            logging.getLogger("paramiko").setLevel(logging.CRITICAL)
        self._settings = settings
        self._resolve = resolve
        self._routes = Routes(settings, path(settings.config), path(settings.known_hosts))
        self._shelf = Shelf()
        self._shelf.known(self._routes.known_hosts)  # what is wrong with them is told at the start
        self._logins = Logins(settings, self._shelf, Keys(settings, path(settings.key_file), passphrase))
        self._places = Places(settings.parallel)
        self._kept = Kept(min(settings.keep, spare_files() // 2), settings.keep_for)
        self._hung = Hung(min(settings.keep, spare_files() // 4))
        # Run before paramiko's own hook at exit, which waits for threads that do not know that they should end.
        weakref.finalize(self, self._kept.close)
        weakref.finalize(self, self._hung.close)

    def run(
        self,
        targets: Addresses,
        fragments: Fragments,
        deliver: Deliver,
        *,
        node_deadline_s: float,
        fresh: bool = False,
    ) -> None:
        """Delivers how the login to each node ended and what its fragments printed; returns when all is told.

        `targets` are nodes and their addresses, None where the name has none. Of each node one LOGIN is
        delivered; when that is `up`, also one COMMAND for each of its fragments, where an Output without a
        status says why. A node is answered for within `node_deadline_s` seconds of its first packet, in which what it
        waited for botd does not count.
        Connections that were kept are used, once a probe has shown that sshd still takes new ones; `fresh`
        closes them and proves the login again. May be called from several threads at once.
        """
        run = self._begun(answered_for(deliver), fresh=fresh)
        try:
            self._round(run.work, node_deadline_s).run(run.visits(targets, fragments))
        finally:
            run.jumps.close()

    def follow(self, node: str, address: str | None, command: str, take: Take, *, node_deadline_s: float) -> str:
        """Has a node run a command that has no end, and `take` hear of it: see `Follower`. Why it ended, in words.

        The connection is one that was kept, where there is one, and is kept afterwards.
        """
        heard: list[Delivery] = []
        entered: list[tuple[Visit, Session]] = []
        run = self._begun(heard.append)

        def work(visit: Visit) -> None:
            if session := run.enter(visit):
                entered.append((visit, session))
                visit.finish()

        try:
            self._round(work, node_deadline_s).run(run.visits({node: address}, lambda _: ()))
            return run.follow(*entered[0], command, take) if entered else _refused(heard)
        finally:
            run.jumps.close()

    def _begun(self, deliver: Deliver, *, fresh: bool = False) -> _Run:
        self._shelf.refresh()
        self._kept.purge()
        settings, kept, hung = self._settings, self._kept, self._hung
        jumps = Jumps(self._logins, lambda name: self._resolve([name])[name], settings.connect_timeout)
        return _Run(settings, self._routes, self._logins, kept, hung, jumps, self._resolve, deliver, fresh)

    def _round(self, work: Callable[[Visit], None], deadline_s: float) -> LoginRound:
        return LoginRound(self._places, work, timeout_s=self._settings.connect_timeout, deadline_s=deadline_s)

    def close(self) -> None:
        """Closes the connections that were kept."""
        self._kept.close()
        self._hung.close()


@dataclass(frozen=True)
class _Run:
    """What one call of `SshTransport.run` is about."""

    settings: SshSettings
    routes: Routes
    logins: Logins
    kept: Kept
    hung: Hung
    jumps: Jumps
    resolve: Resolve
    deliver: Deliver
    fresh: bool

    def visits(self, targets: Addresses, fragments: Fragments) -> Iterator[Visit]:
        """A visit for each node that there is a way to; the others are answered for here."""
        ways = {node: _made(node, partial(self.routes.route, node)) for node in targets}
        renamed = {way.hostname for way in ways.values() if isinstance(way, SshRoute) and _is_looked_up(way)}
        found = self.resolve(renamed) if renamed else {}
        for node, way in ways.items():
            made: Visit | LoginAnswer
            if isinstance(way, SshRoute):
                made = _made(node, partial(self._visit, node, way, targets[node], found, fragments))
            else:
                made = way
            if isinstance(made, Visit):
                yield made
            else:
                self._pass_on(Delivery(node, Source.LOGIN, made))

    def _visit(self, node: str, route: SshRoute, given: str | None, found: Addresses, fragments: Fragments) -> Visit:
        address = _address(route, given, found)
        if not address:
            raise NoWay(f'"{route.hostname}" has no address')
        return Visit(node, address, route.port, fragments(node), self._pass_on, direct=not route.jumps)

    def work(self, visit: Visit) -> None:
        """The visit, in its thread: on a kept connection or after a login, the command."""
        session = self.enter(visit)
        if session is None:
            return
        complete = False
        try:
            complete = self._ask(visit, session)
        finally:
            if not self.hung.holds(visit.node, session):
                self._put_away(visit, session, keep=complete)
            visit.finish()

    def enter(self, visit: Visit) -> Session | None:
        """A session with the node of the visit; None where there is none, which is told. Raises Over."""
        probe = visit.take_socket()
        try:
            return self._resume(visit, probe) or self._log_in(visit, probe)
        except LoginFailed as failed:
            visit.finish(failed.answer)
            return None
        except Over:
            if probe:
                probe.close()
            raise

    def follow(self, visit: Visit, session: Session, command: str, take: Take) -> str:
        """Runs a command that has no end. Why it ended, in words."""
        hangs, follower = self.hung.answer(visit.node), Follower(session, take)
        try:
            why = hangs.detail if hangs else follower.run(command, self.settings.command_timeout)
            if follower.hangs:
                self.hung.note(visit.node, session, follower, direct=visit.direct)
            return why
        finally:
            if not self.hung.holds(visit.node, session):
                self._put_away(visit, session, keep=session.alive and not follower.hangs)

    def _ask(self, visit: Visit, session: Session) -> bool:
        """Runs the visit's fragments, where no shell hangs. Whether the connection has nothing left to do."""
        if not visit.fragments:
            return True
        if answer := self.hung.answer(visit.node):
            visit.finish(missing=answer)
            return True
        stuck = partial(self.hung.note, visit.node, session, direct=visit.direct)
        return run_fragments(visit, session, self.settings.command_timeout, stuck)

    def _pass_on(self, delivery: Delivery) -> None:
        if isinstance(delivery.answer, LoginAnswer) and delivery.answer.state is not SshState.UP:
            self.kept.drop(delivery.node)
        self.deliver(delivery)

    def _resume(self, visit: Visit, probe: socket.socket | None) -> Session | None:
        """The kept session of the node, if it is there and answers."""
        if self.fresh or probe is None:
            self.kept.drop(visit.node)
            return None
        session = self.kept.take(visit.node, (visit.address, visit.port, self.routes.route(visit.node).user))
        if session is None:
            return None
        visit.hold(session.close)
        visit.step(SshState.HUNG, "the kept connection did not answer", self.settings.connect_timeout)
        try:
            session.open(min(KEPT_ANSWER_S, self.settings.connect_timeout / 2), window_for(visit.fragments))
        except LOST:
            session.close()
            return None
        _leave_politely(probe)
        visit.up("on a connection that was kept")
        return session

    def _log_in(self, visit: Visit, probe: socket.socket | None) -> Session:
        route = self.routes.route(visit.node)
        sock = probe or self.jumps.reach(visit, route, visit.address)
        session = self.logins.log_in(visit, sock, route, visit.address)
        visit.up()
        return session

    def _put_away(self, visit: Visit, session: Session, *, keep: bool) -> None:
        """Keeps or closes the session. One through a jump node ends with the run, as its way does."""
        try:
            if keep and visit.direct:
                session.rest()
                self.kept.put(visit.node, session)
            else:
                session.close()
        except LOST:  # after its last answer, which counts
            session.close()


def _refused(heard: Sequence[Delivery]) -> str:
    """Why there was no way in, in words."""
    answers = [each.answer for each in heard if isinstance(each.answer, LoginAnswer)]
    return ", ".join(f"ssh {answer.state}: {answer.detail}".rstrip(": ") for answer in answers) or f"ssh: {FAILED}"


def _made(node: str, make: Callable[[], T]) -> T | LoginAnswer:
    """What `make` makes for a node. Whatever it raises is the answer of this node, and of no other."""
    try:
        return make()
    except NoWay as no_way:
        return LoginAnswer(SshState.UNRESOLVED, one_line(str(no_way)))
    except Exception as error:
        LOG.exception("the way to %s cannot be worked out", node)
        return LoginAnswer(SshState.UNRESOLVED, f"{FAILED}: {type(error).__name__}: {one_line(str(error))}")


def _is_looked_up(route: SshRoute) -> bool:
    """Whether botd itself needs the address of another name than the node's. Behind a jump node it does not."""
    return route.hostname != route.name and not route.jumps


def _address(route: SshRoute, given: str | None, found: Addresses) -> str | None:
    """What to connect to: the address given for the node, unless ssh_config has another name for it."""
    if _is_looked_up(route):
        return found.get(route.hostname)
    # Behind a jump node the name may mean something only there.
    return route.hostname if route.hostname != route.name else given or (route.hostname if route.jumps else None)


def _leave_politely(probe: socket.socket) -> None:
    """Closes a connection that only asked whether sshd speaks; closed with bytes unread it would be reset."""
    with contextlib.suppress(OSError):
        probe.recv(4096)
    probe.close()
