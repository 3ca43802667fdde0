"""A room of its own for a benchmark: network, mount and process namespaces that vanish with it.

Loopback there is nobody else's: any port is free, 127.0.0.0/8 is all nodes, and packets to 127.200.0.0/13 are dropped
without a word, as those to a node without power. When the benchmark ends, however it ends, the kernel ends every
process in the room and takes the addresses, the rules and the mounts with it. Needs root, unshare(1), ip(8) and
iptables(8).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.table import Measure, run
from botd import cli

MARK = "BOTD_BENCH_ROOM"

UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

INIT = ["sh", "-c", '"$@"; exit $?', "init"]
"""The first process of the room. It reaps what has lost its parent, as a node's init does: without that each command
on a node would leave zombies behind, and every `ps` after it be slower."""

DEAD_NET = "127.200.0.0/13"

SETTINGS = {
    "net/core/somaxconn": 65536,  # the accept queue: a burst to one sshd that stands for thousands of nodes
    "net/ipv4/tcp_max_syn_backlog": 65536,
    "net/ipv4/ip_local_port_range": "1024 65535",
}


def main(measure: Measure, doc: str | None, module: str) -> int:
    """The `main` of a benchmark that needs a room: enters it, and measures there. The exit status."""
    if inside():
        furnish()
        return run(measure, doc)
    return enter(["-m", module, *sys.argv[1:]])


def inside() -> bool:
    """Whether this process is in a room."""
    return MARK in os.environ


def enter(words: Sequence[str]) -> int:
    """Runs Python with these words in a new room, and returns its exit status."""
    if os.geteuid() != 0:
        print("a room for the benchmark needs root: run it as root", file=sys.stderr)
        return 2
    return subprocess.run(
        [*UNSHARE, *INIT, sys.executable, *words], env={**os.environ, MARK: "1"}, check=False
    ).returncode


def furnish() -> None:
    """Loopback is up, dead addresses are silent, and limits are wide; this process is set up as botd's agent is.

    Raises CalledProcessError when a tool is missing or refuses.
    """
    cli._make_room()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["iptables", "-w", "-A", "INPUT", "-d", DEAD_NET, "-j", "DROP"], check=True)
    for name, value in SETTINGS.items():
        path = Path("/proc/sys", name)
        if path.exists():
            path.write_text(f"{value}\n")


def live(number: int) -> str:
    """The address of a node that is there. Different ones for different numbers below 2 million."""
    return _address(10, number)


def dead(number: int) -> str:
    """The address of a node that is silent. Different ones for different numbers below 500,000."""
    return _address(200, number)


def _address(first: int, number: int) -> str:
    rest, last = divmod(number, 250)
    second, third = divmod(rest, 250)
    return f"127.{first + second}.{third}.{last + 1}"
