r"""The program behind the stand-ins for sinfo, scontrol, squeue, sacct and fping: hands its arguments to the demo.

Run by path, `python -IS standin.py SOCKET TOOL [ARGUMENT...]`: it starts as often as the real tools do, so it
imports nothing that it does not need, and the demo does the work. What goes over the socket::

    ->  number of words  time zone \\n  each word \\0  standard input
    <-  exit status  length of standard output \\n  standard output  standard error
"""

from __future__ import annotations

import os
import socket
import sys

LOST = "error: Unable to contact slurm controller (connect failure): the demo does not run\n"


def main(argv: list[str]) -> int:
    """The exit status of the tool; its output is printed."""
    path, words = argv[0], argv[1:]
    stdin = sys.stdin.buffer.read() if words[0] == "fping" and not _has_targets(words) else b""
    try:
        answer = ask(path, words, stdin)
    except OSError:
        sys.stderr.write(f"{words[0]}: {LOST}")
        return 1
    head, _, body = answer.partition(b"\n")
    status, length = (int(word) for word in head.split())
    sys.stdout.buffer.write(body[:length])
    sys.stderr.buffer.write(body[length:])
    return status


def ask(path: str, words: list[str], stdin: bytes) -> bytes:
    """The demo's answer. Raises OSError when it is gone or went away in the middle."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(path)
        zone = b"UTC" if os.environ.get("TZ") == "UTC" else b"local"
        wire.sendall(b"%d %s\n" % (len(words), zone))
        wire.sendall(b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words))
        wire.sendall(stdin)
        wire.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: wire.recv(1 << 20), b""))
    if not answer:
        raise OSError("no answer")
    return answer


def _has_targets(words: list[str]) -> bool:
    """Whether the last word is a target of fping: neither an option nor an option's number."""
    last = words[-1]
    is_option_value = last.startswith("-") or last.replace(".", "", 1).isdigit()
    return len(words) > 1 and not is_option_value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
