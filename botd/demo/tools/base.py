"""What all the stand-in tools share: their result, and how Slurm writes states, times and lists of nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import groupby

from botd.demo.machine import Node
from botd.demo.state import ClusterState
from botd.demo.tools.options import Asked

VERSION = "slurm-wlm 22.05.8"
"""As Debian's package says it."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a tool prints, its exit status, and how long it takes to get there."""

    out: bytes = b""
    err: bytes = b""
    status: int = 0
    after_s: float = 0.0


ZONE: ContextVar[tzinfo | None] = ContextVar("ZONE", default=None)
"""The time zone of who runs the tool; None is that of this machine."""

Tool = Callable[[ClusterState, list[str], bytes], Printed]
"""A tool: the state, the arguments, and standard input."""


def printed(text: str) -> Printed:
    """The text on standard output, and success. Surrogates are the bytes that were cut out of UTF-8."""
    return Printed(text.encode("utf-8", "surrogateescape"))


def failed(message: str, status: int = 1) -> Printed:
    """A line on standard error."""
    return Printed(err=f"{message}\n".encode(), status=status)


def unseen(state: ClusterState, asked: Asked) -> set[str]:
    """The partitions that Slurm hides from an ordinary user who does not ask with `--all` (seen in 22.05)."""
    return set() if asked.has("all") else {each.name for each in state.partitions if each.hidden}


def state_text(state: ClusterState, node: Node, *, compact: bool = False) -> str:
    """The state as `sinfo` prints it (node_state_string in Slurm 22.05): `drained*`; compact: `drain*`."""
    standing, base = node.standing, state.base(node)
    word = base
    if standing.drain:
        word = "DRAINING" if base in ("ALLOCATED", "MIXED") else "DRAINED"
    short = {"ALLOCATED": "ALLOC", "MIXED": "MIX", "DRAINED": "DRAIN", "DRAINING": "DRNG"}
    text = short.get(word, word) if compact else word
    return text.lower() + ("" if standing.responding else "*")


def flags(node: Node) -> list[str]:
    """The state flags that `sinfo --json` and `scontrol` put beside the base state."""
    standing = node.standing
    return ["DRAIN"] * standing.drain + ["NOT_RESPONDING"] * (not standing.responding)


def iso(at: float | None) -> str:
    """Local time of who asks, without a zone, as Slurm prints it; `Unknown` for none."""
    return f"{datetime.fromtimestamp(at, ZONE.get()):%Y-%m-%dT%H:%M:%S}" if at else "Unknown"


def clock_text(seconds: float, *, full: bool = False) -> str:
    """A span as squeue prints it (`2:05`, `1-03:00:00`); full: always hours, as sacct does."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}-{hour:02d}:{minute:02d}:{second:02d}"
    if full:
        return f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"


def node_list(names: Iterable[str]) -> str:
    """Names sorted and folded as Slurm does it: `n0000.savio[2-3],n0001.savio3`.

    Only a number at the very end of a name is folded, so those with a domain stay apart in most clusters, but not
    where domains end in numbers (seen in Slurm 22.05).
    """
    split = sorted({_split_number(name) for name in names}, key=lambda pair: (pair[0], len(pair[1]), pair[1]))
    return ",".join(
        _folded(prefix, [number for _, number in pairs]) for prefix, pairs in groupby(split, lambda p: p[0])
    )


def _split_number(name: str) -> tuple[str, str]:
    number = re.search(r"\d*$", name)
    digits = number[0] if number else ""
    return name.removesuffix(digits), digits


def _folded(prefix: str, numbers: list[str]) -> str:
    if len(numbers) == 1:
        return prefix + numbers[0]
    runs: list[list[str]] = []
    for number in numbers:
        last = runs[-1][-1] if runs else ""
        if last and int(number) == int(last) + 1 and len(number) == len(last):
            runs[-1].append(number)
        else:
            runs.append([number])
    ranges = [run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return f"{prefix}[{','.join(ranges)}]"
