"""One shell script for all remote checks of a node, and the frames that come back.

The script starts every fragment at once, each in a subshell of its own with its own time limit, exit status
and bounded output, so that a fragment that never returns costs its own cell and no other. Each subshell
writes its frame with one write of less than PIPE_BUF bytes, which POSIX does not let others interleave
(write(2), pipe(7)); sshd's socket pair keeps it whole too. A process that cannot be killed (a statfs on a dead
file server, in D state) keeps its subshell waiting and sends no frame: nobody waits for it but the clock.

::

    \\x1e<nonce> <name>\\n<output>\\n<exit status>\\x1f<nonce>\\n

A frame without name and output comes first: it says that the login shell has come so far. The nonce is new for each
script, so nothing that a command prints can be taken for a frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from shlex import quote

from botd.answers import Output

MAX_OUTPUT = 3500
"""Bytes of output kept of one fragment. With the frame around it, it stays below PIPE_BUF (4096)."""

MAX_NOISE = 65_536
"""Bytes outside frames that are read before the node counts as babbling: a login shell's greeting."""

TIMED_OUT = 124
"""Exit status of timeout(1) when the time is up; 137 when only SIGKILL helped."""

COMMAND = "exec /bin/sh -s"
"""What the login shell is asked to run, whatever shell that is; the script goes to its standard input."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One check's part of the script. A `timeout_s` of 0 runs it without a time limit and without a bound on its
    output, for what cannot hang and prints little.
    """

    name: str
    command: str
    timeout_s: float


_HEAD = """\
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH
printf '\\036%s \\037%s\\n' {nonce} {nonce}
probe() {{
  ( if [ "$2" = 0 ]; then out=$(eval "$3" </dev/null 2>&1; printf '\\n%s' "$?")
    else out=$({{ timeout -k 1 "$2" /bin/sh -c "$3" </dev/null 2>&1; printf '\\n%s' "$?"; }} | head -c {size}); fi
    [ -z "$BASH_VERSION" ] || exec env printf '\\036%s %s\\n%s\\037%s\\n' {nonce} "$1" "$out" {nonce}
    printf '\\036%s %s\\n%s\\037%s\\n' {nonce} "$1" "$out" {nonce} ) 2>/dev/null &
}}
"""
# bash's own printf writes line by line, and the frames of others would come between the lines.


def build_script(nonce: str, fragments: Iterable[Fragment]) -> bytes:
    """The script for these fragments, one `probe` line each. `nonce` is hexadecimal."""
    lines = [_HEAD.format(nonce=nonce, size=MAX_OUTPUT + 5)]
    lines += [f"probe {part.name} {math.ceil(part.timeout_s)} {quote(part.command)}\n" for part in fragments]
    return "".join(lines).encode()


class FrameReader:
    """Turns the bytes of one command, in pieces of any size, into the outputs of its fragments. `begun` is whether any
    came from the script, and not only from the login shell.
    """

    def __init__(self, nonce: str) -> None:
        self._start = f"\x1e{nonce} ".encode()
        self._end = f"\x1f{nonce}\n".encode()
        self._rest = b""
        self._noise = 0
        self.begun = False

    @property
    def babbling(self) -> bool:
        """Whether more came outside of frames than any greeting holds."""
        return self._noise + len(self._rest) > MAX_NOISE

    def feed(self, data: bytes) -> Iterator[tuple[str, Output]]:
        """The (name, output) of each frame that these bytes complete."""
        self._rest += data
        while (end := self._rest.find(self._end)) >= 0:
            self.begun = True
            before, _, frame = self._rest[:end].rpartition(self._start)
            self._noise += len(before)
            self._rest = self._rest[end + len(self._end) :]
            if b"\n" in frame:
                yield _read_frame(frame)


def _read_frame(frame: bytes) -> tuple[str, Output]:
    name, _, body = frame.partition(b"\n")
    text, newline, status = body.rpartition(b"\n")
    if len(body) >= MAX_OUTPUT + 5 or not newline or not status.isdigit():
        return name.decode("ascii", "replace"), Output(body[:MAX_OUTPUT].decode("utf-8", "replace"), truncated=True)
    return name.decode("ascii", "replace"), _output(text.decode("utf-8", "replace"), int(status))


def _output(text: str, status: int) -> Output:
    if status in (TIMED_OUT, 128 + 9):
        return Output(text, timed_out=True)
    return Output(text, status)
