"""The only place that starts programs on this machine.

No shell, no terminal, no standard input but the bytes given, a process group of its own, a time limit that
kills the whole group, and a limit on what is read. Callers translate these exceptions into their own words.
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
    hide: tuple[str, ...] = (),
) -> Completed:
    """What the program printed, and its exit status. It ends when it has closed its outputs and exited.

    The locale is C; the secrets in botd's own environment are not handed down, nor are variables whose names begin
    with one of `hide`. Raises CommandMissing,
    CommandTimeout, CommandFlooded, or LocalCommandError when this machine cannot start another process.
    """
    until = time.monotonic() + timeout_s
    process = _start(words, hide)
    try:
        stdout, stderr = _exchange(process, stdin, until, max_output)
        status = process.wait(max(0.0, until - time.monotonic()))
    except (subprocess.TimeoutExpired, TimeoutError):
        raise CommandTimeout(f"{words[0]} did not end within {timeout_s:.3g} s") from None
    except OverflowError:
        raise CommandFlooded(f"{words[0]} printed more than {max_output} bytes") from None
    finally:
        _clean_up(process)
    return Completed(status, stdout, stderr)


def end_commands() -> None:
    """Kills every command that still runs, with its process group: for a process that is about to end itself."""
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, children.read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


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
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith("BOTD_") and name.endswith(_SECRET_ENDINGS)) and not name.startswith(hide)
    }
    return {**kept, "LC_ALL": "C"}


def _exchange(process: subprocess.Popen[bytes], data: bytes, until: float, max_output: int) -> tuple[bytes, bytes]:
    """Both outputs up to their end. Raises TimeoutError when the time is up, OverflowError above `max_output`."""
    stdin, stdout, stderr = _pipes(process)
    outputs = {stdout: bytearray(), stderr: bytearray()}
    unsent = memoryview(data)
    with selectors.DefaultSelector() as selector:
        for pipe in (stdin, stdout, stderr):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_WRITE if pipe is stdin else selectors.EVENT_READ)
        while any(pipe in selector.get_map() for pipe in outputs):
            remaining = until - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            for key, _ in selector.select(remaining):
                if key.fileobj is stdin:
                    unsent = _feed(selector, stdin, unsent)
                else:
                    _collect(selector, key, outputs)
            if sum(map(len, outputs.values())) > max_output:
                raise OverflowError
    return bytes(outputs[stdout]), bytes(outputs[stderr])


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
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_REAP_S)
    for pipe in _pipes(process):
        pipe.close()
