"""A node whose sshd lets botd in and then does what a test says: paramiko's server side, without its manners."""

from __future__ import annotations

import contextlib
import getpass
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko

from tests.transport.sshd import make_key

Behave = Callable[[paramiko.Transport, paramiko.Channel], None]
"""What the node does when it is asked to run the command, in a thread of its own."""

FLOOD = bytes(30_000)
NO_WINDOW = 2**40
"""What a node takes for the window that it was given, to send past it."""


class HostileNode:
    """What botd is told of it: as `Sshd`, an address, a port, a user and the lines of known_hosts."""

    def __init__(self, host_key: Path, address: str, behave: Behave, port: int = 0) -> None:
        self.address = address
        self.user = getpass.getuser()
        self.host_keys = [host_key]
        self.transports: list[paramiko.Transport] = []
        self.commands = 0
        self._behave = behave
        self._listener = socket.create_server((address, port), backlog=50)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def known_hosts_lines(self) -> str:
        kind, key = Path(f"{self.host_keys[0]}.pub").read_text().split()[:2]
        return f"[{self.address}]:{self.port} {kind} {key}\n"

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self.transports:
            transport.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                transport = paramiko.Transport(self._listener.accept()[0])
                transport.add_server_key(paramiko.PKey.from_path(self.host_keys[0]))
                self.transports.append(transport)
                transport.start_server(threading.Event(), _Server(self, transport))

    def run(self, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        self.commands += 1
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # botd has hung up
            self._behave(transport, channel)


class _Server(paramiko.ServerInterface):
    def __init__(self, node: HostileNode, transport: paramiko.Transport) -> None:
        self._node = node
        self._transport = transport

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Timer(0.05, self._node.run, (self._transport, channel)).start()  # after the answer to the request
        return True


def endless(send: Callable[[bytes], object]) -> None:
    """Sends until the connection is closed: a test fails by never ending."""
    while True:
        send(FLOOD)


def flood(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
    channel.out_window_size = NO_WINDOW
    endless(channel.sendall)


def flood_errors(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
    channel.out_window_size = NO_WINDOW
    endless(channel.sendall_stderr)


def flood_beside(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
    """What belongs to no channel: paramiko reads it and throws it away."""
    endless(lambda data: transport.send_ignore(len(data)))


def answer_and_go_on(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
    """Answers as it should, and then never falls silent."""
    script = b"".join(iter(lambda: channel.recv(65_536), b"")).decode()
    nonce = script.partition("printf '\\036%s %s\\n%s\\037%s\\n' ")[2].split()[0]
    channel.sendall(f"\x1e{nonce} hello\nhello\n\n0\x1f{nonce}\n".encode())
    flood_beside(transport, channel)


@contextlib.contextmanager
def hostile_node(directory: Path, behave: Behave, address: str = "127.0.5.1") -> Iterator[HostileNode]:
    """A node that ends with the block."""
    node = HostileNode(make_key(directory / "hostile_key"), address, behave)
    try:
        yield node
    finally:
        node.stop()
