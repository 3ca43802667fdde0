"""A command that has no end, on a session that is logged in: the log of a node as it grows.

Closing a channel ends no process on the node that has no terminal (OpenSSH 9.2), and tail(1) does not mind that nobody
reads it until it writes. So the shell there waits for the end of its standard input, which is that of the channel, and
ends the command then; and timeout(1) does where nothing else has.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from shlex import quote

import paramiko

from botd import nodeset
from botd.transport.ssh.script import MAX_NOISE
from botd.transport.ssh.session import LOST, WINDOW, Session

COMMAND = "exec /bin/sh -s follow"
"""What the login shell is asked to run, whatever shell that is; the script goes to its standard input. The last word is
for who looks at a list of processes."""

JOURNAL = "journal:"

FIRST_LINES = 20

LONGEST_S = 600
"""How long a log is followed at most."""

TICK_S = 0.25
"""How often is looked for what came, of which one window is taken: 1 MB in a second."""

Take = Callable[[bytes], bool]
"""Hears what the command printed, some or nothing, several times a second. Whether it is to go on."""

# As a function, since the shell must have read all of it before `cat` takes what else comes on standard input.
_SCRIPT = """\
follow() {{
  LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  export LC_ALL PATH
  printf '\\036%s\\n' {nonce}
  timeout -k 1 {longest} {command} </dev/null 2>&1 &
  command=$!
  {{ cat >/dev/null; kill "$command"; }} <&3 >/dev/null 2>&1 &
  wait "$command"
  exit $?
}}
exec 3<&0; follow
"""


def command_of(where: str, node: str) -> str:
    """What shows the end of a log and then all that comes to it: of a path, or of `journal:` and a unit.

    Not `journalctl -q`: who may read no more than a journal of their own would be told nothing (systemd 252).
    """
    if where.startswith(JOURNAL):
        return f"journalctl --no-pager -o short-iso -n {FIRST_LINES} -f -u {quote(where.removeprefix(JOURNAL))}"
    return f"tail -n {FIRST_LINES} -F -- {quote(nodeset.fill_in(where, node))}"


def build_script(nonce: str, command: str) -> bytes:
    """The script that runs a command until its standard input ends. `nonce` is hexadecimal."""
    return _SCRIPT.format(nonce=nonce, longest=LONGEST_S + 5, command=command).encode()


class Follower:
    """Runs one command, and has `take` hear what it prints. `begun` is whether the login shell came to it, and `hangs`
    whether the time for that was up.
    """

    def __init__(self, session: Session, take: Take) -> None:
        self.begun = False
        self.hangs = False
        self._session = session
        self._take = take
        self._head = b""

    def run(self, command: str, begin_s: float) -> str:
        """Why it ended, in words; empty where `take` has ended it."""
        nonce = secrets.token_hex(8)
        late = threading.Timer(begin_s, self._session.close)  # nothing of paramiko's waits with a limit
        try:
            late.start()
            channel = self._session.channel or self._session.open(begin_s)
            channel.set_combine_stderr(True)
            channel.exec_command(COMMAND)
            channel.sendall(build_script(nonce, command))
            late.cancel()
            return self._read(channel, f"\x1e{nonce}\n".encode(), begin_s)
        except LOST:
            return "the connection was lost" + self._session.fault()
        finally:
            late.cancel()

    def _read(self, channel: paramiko.Channel, mark: bytes, begin_s: float) -> str:
        channel.settimeout(TICK_S)
        begin_until = time.monotonic() + begin_s
        while True:
            tick_until = time.monotonic() + TICK_S
            self._session.go_on()
            data = _next(channel)
            if data is None:
                return _end(channel)
            if not self.begun:
                data = self._behind(mark, data)
                if not self.begun and (len(self._head) > MAX_NOISE or time.monotonic() > begin_until):
                    self.hangs = len(self._head) <= MAX_NOISE
                    return f"the login shell did not begin within {begin_s:g} s"
            if not self._take(data):
                return ""
            time.sleep(max(0.0, tick_until - time.monotonic()))

    def _behind(self, mark: bytes, data: bytes) -> bytes:
        """What the command has printed: what comes before the mark is the login shell's."""
        self._head += data
        before, found, behind = self._head.partition(mark)
        self.begun = bool(found)
        self._head = b"" if found else before
        return behind


def _next(channel: paramiko.Channel) -> bytes | None:
    """What has come, empty where nothing has; None at the end."""
    try:
        return channel.recv(WINDOW) or None
    except TimeoutError:
        # On sshd's socket pair standard output has no end while `cat` holds it as its input.
        return None if channel.exit_status_ready() else b""


def _end(channel: paramiko.Channel) -> str:
    if channel.exit_status_ready():
        return f"the command ended on the node with {channel.recv_exit_status()}"
    return "the connection was lost"
