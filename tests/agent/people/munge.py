"""A munged of the test's own, with a key made when it starts."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import need_program
from tests.program import PATIENCE_S, wait_until


class Munged:
    """One running munged. `unmunge` is the command to configure."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self.unmunge = f"{need_program('unmunge')} -S {self.socket}"

    def credential(self, text: str, *options: str, run: Sequence[str] = ()) -> str:
        """What munge makes of a text; `run` stands before the command."""
        words = [*run, need_program("munge"), "-S", str(self.socket), *options]
        return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout

    def run(self) -> subprocess.Popen[bytes]:
        files = {"key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed", "socket": "socket"}
        options = [f"--{name}={self.folder / file}" for name, file in files.items()]
        words = [need_program("munged"), "--foreground", "--force", *options]
        return subprocess.Popen(words, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


@contextmanager
def munged() -> Iterator[Munged]:
    """A daemon in a short path of its own: a socket's has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="botd-munge-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "key").write_bytes(os.urandom(128))
        (folder / "key").chmod(0o600)
        daemon = Munged(folder)
        process = daemon.run()
        try:
            wait_until(daemon.socket.is_socket)
            yield daemon
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
