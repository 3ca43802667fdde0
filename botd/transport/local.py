"""The only place that starts programs on this machine.

No shell, no terminal, no standard input but the bytes given, a process group of its own that ends with the program
or at its time limit, and a limit on what is read. Callers translate these exceptions into their own words.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

MAX_OUTPUT = 64 * 1024 * 1024
"""Bytes of both outputs together. `sinfo --json` prints 13 MB for 10,000 nodes (Slurm 22.05)."""

_CHUNK = 65_536
_REAP_S = 1.0
_LOOK_S = 0.1
"""How often it is looked whether the program has ended, while something still holds its outputs open."""

_ESCAPED_S = 1.0
"""How long a process of another group may hold the outputs open when the program has ended: ssh with ControlPersist
leaves one that holds them for hours (OpenSSH 9.2)."""

_SSH_AGENT = ("SSH_AUTH_SOCK", "SSH_AGENT_PID")
_SECRET_ENDINGS = ("_PASSWORD", "_PASSPHRASE", "_SECRET", "_KEY", "_TOKEN")


class LocalCommandError(Exception):
    """The root. The text names the program and is fit for a person."""


class CommandMissing(LocalCommandError):
    """Raised when the program does not exist or cannot be executed."""


class CommandTimeout(LocalCommandError):
    """Raised when the program did not end in time; its process group is dead by then."""


class CommandFlooded(LocalCommandError):
    """Raised when the program printed more than allowed; its process group is dead by then."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended by itself. `status` is its exit status, negative for the signal that ended it."""

    status: int
    stdout: bytes
    stderr: bytes


def run_command(
    words: Sequence[str],
    *,
    timeout_s: float,
    stdin: bytes = b"",
    max_output: int = MAX_OUTPUT,
    max_line: int = MAX_OUTPUT,
    hide: tuple[str, ...] = (),
) -> Completed:
    """What the program printed, and its exit status. What it leaves behind in its process group ends with it.

    `max_line` are the bytes of one line of either output: what no reader takes is not even gathered.

    The locale is C; the secrets in botd's own environment and the way to an ssh-agent are not handed down, nor are
    variables whose names begin with one of `hide`. Raises CommandMissing, CommandTimeout, CommandFlooded, or
    LocalCommandError when this machine cannot start another process.
    """
    until = time.monotonic() + timeout_s
    process = _start(words, hide)
    try:
        stdout, stderr = _exchange(process, stdin, until, max_output, max_line)
        _await_end(process.pid, until)
    except TimeoutError:
        raise CommandTimeout(f"{words[0]} did not end within {timeout_s:.3g} s") from None
    except OverflowError as error:
        raise CommandFlooded(f"{words[0]} printed {error} and was ended") from None
    finally:
        _clean_up(process)
    return Completed(process.returncode, stdout, stderr)


def end_commands() -> None:
    """Kills every command that still runs, with its process group: for a process that is about to end itself."""
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, children.read_text().split()):
            _kill_group(pid)


def _start(words: Sequence[str], hide: tuple[str, ...]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=_environment(hide),
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise CommandMissing(f"{words[0]}: {error.strerror}") from error
    except OSError as error:
        kind = CommandMissing if error.errno == errno.ENOEXEC else LocalCommandError
        raise kind(f"{words[0]} cannot be started: {error.strerror}") from error


def _environment(hide: tuple[str, ...]) -> dict[str, str]:
    """This process's environment without its secrets: no program that botd starts has any use for them."""
    hidden = (*_SSH_AGENT, *hide)
    kept = {name: value for name, value in os.environ.items() if not (_is_secret(name) or name.startswith(hidden))}
    return {**kept, "LC_ALL": "C"}


def _is_secret(name: str) -> bool:
    return name.startswith("BOTD_") and name.endswith(_SECRET_ENDINGS)


def _exchange(
    process: subprocess.Popen[bytes], data: bytes, until: float, max_output: int, max_line: int
) -> tuple[bytes, bytes]:
    """Both outputs up to their end. Raises TimeoutError at the deadline, OverflowError above one of the limits."""
    stdin, stdout, stderr = _pipes(process)
    outputs = {stdout: bytearray(), stderr: bytearray()}
    unsent = memoryview(data)
    with selectors.DefaultSelector() as selector:
        for pipe in (stdin, stdout, stderr):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_WRITE if pipe is stdin else selectors.EVENT_READ)
        clock = _Clock(process.pid, until)
        while any(pipe in selector.get_map() for pipe in outputs) and clock.goes_on():
            for key, _ in selector.select(_LOOK_S):
                if key.fileobj is stdin:
                    unsent = _feed(selector, stdin, unsent)
                else:
                    _collect(selector, key, outputs)
            _bound(list(outputs.values()), max_output, max_line)
    return bytes(outputs.pop(stdout)), bytes(outputs.pop(stderr))


def _bound(outputs: Sequence[bytearray], max_output: int, max_line: int) -> None:
    """Raises OverflowError above one of the limits. A line that is over is too, but for what came with its end."""
    if sum(map(len, outputs)) > max_output:
        raise OverflowError(f"more than {max_output:,} bytes")
    if max_line < max_output and max(len(output) - output.rfind(b"\n") for output in outputs) > max_line + 1:
        raise OverflowError(f"a line of more than {max_line:,} bytes")


class _Clock:
    """Whether to go on reading what a program prints."""

    def __init__(self, pid: int, until: float) -> None:
        self._pid = pid
        self._until = until
        self._ended_until = 0.0

    def goes_on(self) -> bool:
        """Ends the program's group once it has ended itself, and tells when what came so far is all. Raises
        TimeoutError at the deadline.
        """
        now = time.monotonic()
        if not self._ended_until and _has_ended(self._pid):
            _kill_group(self._pid)
            self._ended_until = now + _ESCAPED_S
        if not self._ended_until and now >= self._until:
            raise TimeoutError
        return not self._ended_until or now < self._ended_until


def _has_ended(pid: int) -> bool:
    """Whether a child has ended. It is not reaped, so that its number stays that of its group."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:  # SIGCHLD is ignored in this process, and so the kernel reaps
        return True


def _await_end(pid: int, until: float) -> None:
    """Returns when the child has ended. Raises TimeoutError at the deadline."""
    pause_s = 0.0005
    while not _has_ended(pid):
        if time.monotonic() >= until:
            raise TimeoutError
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LOOK_S)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """The three pipes, which are all there because `_start` asks for them."""
    return cast(tuple[IO[bytes], IO[bytes], IO[bytes]], (process.stdin, process.stdout, process.stderr))


def _feed(selector: selectors.BaseSelector, pipe: IO[bytes], unsent: memoryview) -> memoryview:
    """What is left to send; the pipe is closed when nothing is, or when the program stopped reading."""
    try:
        unsent = unsent[os.write(pipe.fileno(), unsent[:_CHUNK]) :]
    except BrokenPipeError:
        unsent = unsent[:0]
    if not unsent:
        selector.unregister(pipe)
        pipe.close()
    return unsent


def _collect(selector: selectors.BaseSelector, key: selectors.SelectorKey, outputs: dict[IO[bytes], bytearray]) -> None:
    data = os.read(key.fd, _CHUNK)
    if data:
        outputs[key.fileobj].extend(data)  # type: ignore[index]
    else:
        selector.unregister(key.fileobj)


def _clean_up(process: subprocess.Popen[bytes]) -> None:
    """Kills what is left of the group while the unreaped leader still holds its number, and reaps the leader.

    A process in an uninterruptible wait survives SIGKILL: after a second it is left to the kernel.
    """
    _kill_group(process.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_S)
    for pipe in _pipes(process):
        pipe.close()


def _kill_group(leader: int) -> None:
    """Ends a process group, of which one that runs as another user, as behind sudo(8), is left to itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
