"""The ssh servers of the simulated nodes: paramiko's server side, one listening socket per node.

A node is one of four things to a client that connects: open, hung (the connection opens, nobody speaks), refused
(nothing listens) or silent (not even the first packet is answered). A silent one needs no firewall: Linux drops
a SYN for a socket whose accept queue is full, and a queue of length zero is full after one connection of our own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import paramiko

from botd.demo.machine import Node, Sshd
from botd.demo.node_log import follow
from botd.demo.node_shell import USER, NodeShell
from botd.demo.state import ClusterState
from botd.transport.ssh.follow import COMMAND as FOLLOW
from botd.transport.ssh.script import COMMAND

BACKLOG = 128

GRACE_S = 120.0
"""How long a client may take to log in: sshd's LoginGraceTime."""

IDLE_WAKE_S = 30.0
"""How often an idle connection's thread wakes; paramiko's own 0.1 s costs a fifth of a core for 1,000 of them."""

_RESET = struct.pack("ii", 1, 0)


class Door(StrEnum):
    """What a client finds at a node's ssh port."""

    OPEN = "open"
    HUNG = "hung"
    REFUSED = "refused"
    SILENT = "silent"


@dataclass(frozen=True)
class Keys:
    """The site's host key, the key of a reinstalled node, and the one client key that the nodes accept."""

    host: paramiko.PKey
    other_host: paramiko.PKey
    client: paramiko.PKey


def door_of(node: Node) -> Door:
    """What the node's port must be like now."""
    if not node.answers:
        return Door.SILENT
    return {Sshd.HUNG: Door.HUNG, Sshd.REFUSED: Door.REFUSED}.get(node.health.sshd, Door.OPEN)


class Wire(socket.socket):
    """A connection that can be cut: from then on the other side hears nothing, not even its end."""

    is_cut = False

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As ever; nothing at all after the cut."""
        data = super().recv(size, flags)
        return b"" if self.is_cut else data

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        """As ever; after the cut it only looks like sending."""
        return len(data) if self.is_cut else super().send(data, flags)

    def close(self) -> None:
        """As ever, but a wire that was cut stays, so that the kernel tells the other side nothing."""
        if not self.is_cut:
            super().close()

    def cut(self) -> None:
        """Cuts the wire. Its reader ends now; the kernel goes on taking what the other side sends."""
        self.is_cut = True
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RD)  # tells the other side nothing (tcp(7)), and wakes our own reader

    def end(self, *, reset: bool) -> None:
        """Ends the connection for good, with a reset as a rebooted node answers an old connection."""
        self.is_cut = False
        with contextlib.suppress(OSError):
            if reset:
                self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                self.shutdown(socket.SHUT_RDWR)
        super().close()


class SshFront:
    """All ssh ports of the site. Lives on the event loop; each connection has a thread of paramiko's."""

    def __init__(self, state: ClusterState, shell: NodeShell, keys: Keys, port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._state, self._shell, self._keys, self.port = state, shell, keys, port
        self._listeners: dict[str, socket.socket] = {}
        self._fillers: dict[str, list[socket.socket]] = {}
        self._wires: dict[str, set[Wire]] = {}
        self._doors: dict[str, Door] = {}

    def apply(self, name: str) -> None:
        """Makes the node's port what the node's state asks for. Raises OSError when the port is taken."""
        door = door_of(self._state.nodes[name])
        before = self._doors.get(name, Door.REFUSED)
        if door is before:
            return
        if before is Door.SILENT:
            self._end_wires(name, reset=True)
        if door is Door.SILENT:
            for wire in self._wires.get(name, ()):
                wire.cut()
        self._close_listener(name)
        if door is not Door.REFUSED:
            self._listen(name, door)
        self._doors[name] = door

    def close(self) -> None:
        """Ends every connection and closes every port."""
        for name in list(self._listeners):
            self._close_listener(name)
        for name in list(self._wires):
            self._end_wires(name, reset=False)

    def _listen(self, name: str, door: Door) -> None:
        address = (self._state.nodes[name].address, self.port)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listeners[name] = listener
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        if door is Door.SILENT:
            listener.listen(0)
            self._fillers[name] = [_connection_begun(address)]
        else:
            listener.listen(BACKLOG)
            self._loop.add_reader(listener, self._accept, name, listener, door)

    def _close_listener(self, name: str) -> None:
        listener = self._listeners.pop(name, None)
        if listener:
            self._loop.remove_reader(listener)
            listener.close()
        for filler in self._fillers.pop(name, ()):
            filler.close()

    def _accept(self, name: str, listener: socket.socket, door: Door) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return  # the client has gone again, or there is no file descriptor left for it
        wire = Wire(fileno=accepted.detach())
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as sshd does: three small answers in a row
        wires = self._wires.setdefault(name, set())
        wires -= {old for old in wires if old.fileno() < 0}
        wires.add(wire)
        if door is Door.HUNG:
            self._loop.add_reader(wire, self._hold, wire)
        else:
            self._serve(name, wire)

    def _hold(self, wire: Wire) -> None:
        """What a stopped sshd does with what it is sent: nothing, until the client goes."""
        try:
            gone = not wire.recv(4096)
        except OSError:
            gone = True
        if gone:
            self._loop.remove_reader(wire)
            wire.close()

    def _serve(self, name: str, wire: Wire) -> None:
        reinstalled = self._state.nodes[name].health.sshd is Sshd.REINSTALLED
        transport = NodeTransport(wire)
        transport.add_server_key(self._keys.other_host if reinstalled else self._keys.host)
        transport.start_server(threading.Event(), NodeServer(name, self._state, self._shell, self._keys, transport))

    def _end_wires(self, name: str, *, reset: bool) -> None:
        for wire in self._wires.pop(name, ()):
            with contextlib.suppress(ValueError):  # its thread has just closed it
                self._loop.remove_reader(wire)
            wire.end(reset=reset)


class NodeTransport(paramiko.Transport):
    """A connection of the server side that begins a command when the client has been told that it was taken.

    paramiko asks the server first and answers the client afterwards; a command that is done in between would close
    the channel before the client has its answer.
    """

    begin: Callable[[], None] | None = None

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.banner_timeout = self.handshake_timeout = self.auth_timeout = GRACE_S

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        if self.begin and data.asbytes()[:1] == paramiko.common.cMSG_CHANNEL_SUCCESS:
            begin, self.begin = self.begin, None
            begin()


class NodeServer(paramiko.ServerInterface):
    """One client's login on one node. Called from the connection's own thread."""

    def __init__(self, name: str, state: ClusterState, shell: NodeShell, keys: Keys, transport: NodeTransport) -> None:
        self._name, self._state, self._shell, self._keys = name, state, shell, keys
        self._transport = transport
        self._hanging: list[paramiko.Channel] = []

    def get_allowed_auths(self, username: str) -> str:
        """Keys only, as a site has it."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """The one key of the demo, for its one user, on a node that knows it."""
        knows = self._state.nodes[self._name].health.sshd is not Sshd.NO_KEY
        accepted = knows and username == USER and key == self._keys.client
        return paramiko.common.AUTH_SUCCESSFUL if accepted else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Sessions only. From here on the thread sleeps until something comes."""
        self._transport.sock.settimeout(IDLE_WAKE_S)
        is_session = kind == "session"
        return paramiko.common.OPEN_SUCCEEDED if is_session else paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Runs the command in a thread of its own, since its input comes through this one."""
        # paramiko keeps each channel for an accept() that nobody would call.
        self._transport.accept(0)
        self._transport.begin = threading.Thread(target=self._run, args=(channel, command), daemon=True).start
        return True

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        # A client that goes in the middle is not this node's concern.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            text = command.decode("utf-8", "replace")
            if text == COMMAND:
                self._run_script(channel)
            elif text == FOLLOW:
                follow(channel, self._shell.log(self._name), self._shell.stamp)
            else:
                said, status = self._shell.run_command(self._name, text)
                _finish(channel, said.encode(), status)

    def _run_script(self, channel: paramiko.Channel) -> None:
        script = b"".join(iter(lambda: channel.recv(65_536), b"")).decode("utf-8", "replace")
        try:
            session = self._shell.run_script(self._name, script)
        except ValueError as error:
            _finish(channel, f"/bin/sh: {error}\n".encode(), 2)
            return
        if not session.hangs:
            _finish(channel, session.frames, 0)
            return
        # The fragment that hangs holds standard output open, so sshd keeps the channel (sshd(8)).
        channel.sendall(session.frames)
        channel.send_exit_status(0)
        self._hanging.append(channel)


def _finish(channel: paramiko.Channel, output: bytes, status: int) -> None:
    channel.sendall(output)
    channel.send_exit_status(status)
    channel.close()


def _connection_begun(address: tuple[str, int]) -> socket.socket:
    """A connection that takes the only place in an accept queue."""
    filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        filler.connect(address)
    except OSError:
        filler.close()
        raise
    return filler
