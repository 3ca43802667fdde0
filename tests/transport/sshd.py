"""A real sshd on a loopback address, with keys made when it starts, for tests that log in.

Needs /usr/sbin/sshd and ssh-keygen. As root any address of 127.0.0.0/8 and the user running the tests will do;
sshd's own log is kept, so that a test can see who came.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.conftest import need_program
from tests.program import PATIENCE_S, wait_until

# sshd takes the first value that it finds, so the options of a test come first.
_CONFIG = """\
{options}
Port {port}
{listen}
{keys}
AuthorizedKeysFile {authorized}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 1000
LogLevel VERBOSE
PrintMotd no
"""


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new private key in this file, its public half beside it with `.pub`."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def free_port(*addresses: str) -> int:
    """A port that nobody uses on these addresses."""
    while True:
        with socket.create_server((addresses[0], 0)) as server:
            port = int(server.getsockname()[1])
        if all(_is_free(address, port) for address in addresses[1:]):
            return port


class Sshd:
    """One running sshd: `addresses`, `port`, `host_keys` (private key files) and the only key it lets in."""

    def __init__(
        self, directory: Path, addresses: Sequence[str], *, key: Path, kinds: Sequence[str], options: str, port: int
    ) -> None:
        program = need_program("sshd")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd(8) as root does not start without it
        directory.mkdir(parents=True, exist_ok=True)
        self.addresses = list(addresses)
        self.address = self.addresses[0]
        self.port = port or free_port(*addresses)
        self.user = getpass.getuser()
        self.host_keys = [_host_key(directory / f"host_{kind}", kind) for kind in kinds]
        self._log = directory / "log"
        config = directory / "config"
        config.write_text(
            _CONFIG.format(
                port=self.port,
                listen="\n".join(f"ListenAddress {address}" for address in addresses),
                keys="\n".join(f"HostKey {path}" for path in self.host_keys),
                authorized=f"{key}.pub",
                options=options + _penalties(),
            )
        )
        with self._log.open("ab") as log:
            self._process = psutil.Popen(
                [program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(lambda: self._process.poll() is not None or not _is_free(self.address, self.port))
        assert self._process.poll() is None, self.log()

    def log(self) -> str:
        """What sshd has logged so far."""
        return self._log.read_text(errors="replace")

    def logins(self) -> int:
        """How many logins have succeeded so far."""
        return self.log().count("Accepted publickey")

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve a connection now."""
        return list(self._process.children())

    def drop_sessions(self) -> None:
        """Kills the processes that serve a connection; sshd goes on listening."""
        for session in self.sessions():
            with suppress(psutil.NoSuchProcess):
                session.kill()
        wait_until(lambda: not self.sessions())

    def stop(self) -> None:
        """Ends sshd and everything it has started."""
        try:
            processes = [*self._process.children(recursive=True), self._process]
        except psutil.NoSuchProcess:
            return
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(PATIENCE_S)

    def stop_listening(self) -> None:
        """Ends the sshd that listens; connections that are open stay."""
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def known_hosts_lines(self) -> str:
        """The lines that make all its keys known at all its addresses."""
        lines = []
        for path in self.host_keys:
            kind, text = Path(f"{path}.pub").read_text().split()[:2]
            lines += [f"[{address}]:{self.port} {kind} {text}\n" for address in self.addresses]
        return "".join(lines)


@contextmanager
def running_sshd(
    directory: Path,
    addresses: Sequence[str],
    *,
    key: Path,
    kinds: Sequence[str] = ("ed25519",),
    options: str = "",
    port: int = 0,
) -> Iterator[Sshd]:
    """An sshd that ends with the block. `options` are further lines of sshd_config(5)."""
    sshd = Sshd(directory, addresses, key=key, kinds=kinds, options=options, port=port)
    try:
        yield sshd
    finally:
        sshd.stop()


def _host_key(path: Path, kind: str) -> Path:
    return path if path.exists() else make_key(path, kind)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((address, port)) != 0


def _penalties() -> str:
    """OpenSSH 9.8 and later punishes an address for connections that do not log in; older ones stop at the word."""
    check = subprocess.run([need_program("sshd"), "-t", "-o", "PerSourcePenalties=no"], capture_output=True, text=True)
    return "" if "PerSourcePenalties" in check.stderr else "\nPerSourcePenalties no"
