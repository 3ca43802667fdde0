"""How a connection becomes a session: key exchange, host key, authentication.

The clock of the round limits each step; nothing here waits with a limit of its own.
"""

from __future__ import annotations

import functools
import logging
import socket
from collections.abc import Sequence

import paramiko

from botd.answers import SshState
from botd.settings import SshSettings
from botd.transport.ssh.answers import LoginFailed, keys_refused, login_ended, wanted_instead
from botd.transport.ssh.keys import Keys
from botd.transport.ssh.known_hosts import HostKey, KnownHosts, Shelf, Verdict, fingerprint, key_names
from botd.transport.ssh.routes import SshRoute
from botd.transport.ssh.session import Session
from botd.transport.ssh.visit import Visit

LOG = logging.getLogger(__name__)

KEX = (
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
)
"""Key exchanges, the cheapest first: curve25519 takes 1 ms, group14 24, group16 81."""

CHEAP_CIPHERS = "-gcm@"
"""Ciphers to offer first. They check a packet by themselves; with the others paramiko 5.1 compares the MAC of each
packet byte by byte in Python, a third of its CPU on a kept connection."""

KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""Host key algorithms, the cheapest first; those of the keys that are known go before."""

KEY_PROBLEMS = {
    Verdict.UNKNOWN: "the host key is not known",
    Verdict.CHANGED: "the host key has changed",
    Verdict.REVOKED: "the host key is revoked",
}


class Logins:
    """Logs in on connections that are open, to nodes and to jump nodes."""

    def __init__(self, settings: SshSettings, shelf: Shelf, keys: Keys) -> None:
        self._policy = settings.host_key_policy
        self._timeout_s = settings.connect_timeout
        self._shelf = shelf
        self._keys = keys

    def log_in(self, visit: Visit, sock: socket.socket | paramiko.Channel, route: SshRoute, address: str) -> Session:
        """A session on this connection, which is closed on any failure. Raises LoginFailed and Over."""
        session = Session(sock, (address, route.port, route.user))
        try:
            visit.hold(session.close)
            known = self._shelf.known(route.known_hosts)
            names = key_names(route.key_alias, [route.hostname, route.name, address], route.port)
            self._exchange_keys(visit, session, known.types(names))
            self._check_host_key(session, known, names)
            self._authenticate(visit, session, route)
        except BaseException:
            session.close()
            raise
        session.rest()
        return session

    def _exchange_keys(self, visit: Visit, session: Session, known: Sequence[str]) -> None:
        transport = session.transport
        options = transport.get_security_options()
        options.kex = [name for name in KEX if name in options.kex]
        options.ciphers = sorted(options.ciphers, key=lambda name: CHEAP_CIPHERS not in name)
        options.key_types = sorted(KEY_ALGORITHMS, key=lambda name: _key_type(name) not in known)
        visit.step(SshState.HUNG, "the key exchange did not end", self._timeout_s)
        session.wait(lambda event: transport.start_client(event=event))
        if not (session.alive and transport.initial_kex_done):
            raise login_ended(transport, "during the key exchange")

    def _check_host_key(self, session: Session, known: KnownHosts, names: Sequence[str]) -> None:
        try:
            shown = session.transport.get_remote_server_key()
        except paramiko.SSHException:
            raise login_ended(session.transport, "after the key exchange") from None
        key = HostKey(shown.get_name(), shown.asbytes())
        verdict = known.judge(names, key)
        if verdict is Verdict.KNOWN or self._policy == "accept-any":
            return
        if verdict is Verdict.UNKNOWN and self._policy == "accept-new":
            LOG.info("took the new host key of %s: %s %s", names[0], key.type, fingerprint(key.blob))
            known.remember(names[0], key)
            return
        raise LoginFailed(SshState.HOST_KEY, f"{KEY_PROBLEMS[verdict]}: it showed {key.type} {fingerprint(key.blob)}")

    def _authenticate(self, visit: Visit, session: Session, route: SshRoute) -> None:
        transport = session.transport
        refused: list[str] = []
        wanted = ""
        for source, key in self._keys.offers(route):
            visit.step(SshState.HUNG, f'the authentication as "{route.user}" did not end', self._timeout_s)
            try:
                session.wait(functools.partial(transport.auth_publickey, route.user, key))
            except paramiko.SSHException:
                break  # the connection ended just before
            if transport.is_authenticated():
                return
            refused.append(f"{source} ({key.get_name()} {fingerprint(key.asbytes())})")
            if not session.alive:
                break
            wanted = wanted_instead(transport.get_exception()) or wanted
        # sshd hangs up after too many keys (MaxAuthTries), so of several that were refused all are named.
        if len(refused) > 1 or session.alive:
            raise keys_refused(route.user, refused, wanted)
        raise login_ended(transport, f'during the authentication as "{route.user}"')


def _key_type(algorithm: str) -> str:
    """The type of the key that an algorithm signs with (RFC 8332: rsa-sha2-* are signatures by ssh-rsa keys)."""
    return "ssh-rsa" if algorithm.startswith("rsa-") else algorithm
