"""Processes and conditions: run, detach, record, signal, wait."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


class LabError(Exception):
    """Something the lab needs did not happen; the message names it and the next step."""


@dataclass(frozen=True)
class Proc:
    """One process. Its start time tells it from a later one that got the same pid."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> Proc:
        """The process that has this pid now; LabError when there is none."""
        fields = _stat(pid)
        if not fields:
            raise LabError(f"process {pid} is gone already")
        return cls(pid, int(fields[19]))

    @classmethod
    def load(cls, path: Path) -> Proc | None:
        """The process recorded in a file, or None when nothing was recorded."""
        try:
            pid, start_ticks = path.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return cls(int(pid), int(start_ticks))

    def save(self, path: Path) -> None:
        """Record this process in a file."""
        path.write_text(f"{self.pid} {self.start_ticks}\n")

    @property
    def is_alive(self) -> bool:
        """True while it runs; a zombie that waits for its parent counts as gone."""
        fields = _stat(self.pid)
        return bool(fields) and int(fields[19]) == self.start_ticks and fields[0] not in "ZX"

    def send(self, number: int) -> None:
        """Signal it if it is still the recorded process, without a race on the pid."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.is_alive:
                signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(fd)

    def stop(self, number: int = signal.SIGKILL, timeout_s: float = 10) -> None:
        """Signal it and wait until it is gone."""
        self.send(number)
        wait_until(f"end of process {self.pid}", lambda: not self.is_alive, timeout_s)


def _stat(pid: int) -> list[str]:
    # proc(5): "1234 (a name) with) brackets) S 1 ...": only the last bracket ends the name.
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def wait_until(what: str, is_met: Callable[[], object], timeout_s: float = 20, every_s: float = 0.02) -> None:
    """Return as soon as the condition holds; LabError naming it when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not is_met():
        if time.monotonic() > deadline:
            raise LabError(f"no {what} within {timeout_s:g} s")
        time.sleep(every_s)


def run(argv: Sequence[str | bytes | Path], stdin: str = "", timeout_s: float = 30) -> str:
    """Standard output of a command; LabError with its standard error when it fails."""
    done = subprocess.run(argv, input=stdin.encode(), capture_output=True, timeout=timeout_s, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LabError(f"{shlex.join(os.fsdecode(word) for word in argv)}: exit {done.returncode}: {said}")
    return done.stdout.decode(errors="replace")


# In the environment of all that a lab starts, with the lab's directory: so the way down finds it even when
# the files that record it are lost.
MARK = "BOTD_LAB"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The shell in the middle makes process 1 the parent: no zombie stays with a long test run, and a node
# outlives the short process (a chassis control) that switched it on.
_DETACH = 'exec 3>&1 >>"$0" 2>&1 </dev/null; "$@" 3>&- & echo $! >&3'


def detach(argv: Sequence[str | Path], directory: Path, log: str) -> Proc:
    """Start a command for the lab in that directory, in its own session, its output going to log/LOG."""
    done = subprocess.run(
        ["setsid", "--wait", "sh", "-c", _DETACH, str(directory / "log" / log), *map(str, argv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd="/",
        env={"PATH": PATH, "LANG": "C.UTF-8", MARK: str(directory)},
        check=True,
    )
    return Proc.of(int(done.stdout))


def find_marked(directory: Path) -> list[Proc]:
    """Every process that was started for the lab in that directory and still runs."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError, LabError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(Proc.of(int(path.parent.name)))
    return [process for process in found if process.is_alive]


def end_marked(directory: Path, timeout_s: float = 20) -> None:
    """Kill every process of the lab in that directory, those they still start too."""

    def is_over() -> bool:
        processes = find_marked(directory)
        for process in processes:
            process.send(signal.SIGKILL)
        return not processes

    wait_until(f"end of all processes of {directory}", is_over, timeout_s, every_s=0.05)
