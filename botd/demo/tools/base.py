"""What all the stand-in tools share: their result, their state, and how they read arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from botd.demo.machine import Node
from botd.demo.state import ClusterState

VERSION = "slurm 22.05.8"


@dataclass(frozen=True, slots=True)
class Printed:
    """What a tool prints, its exit status, and how long it takes to get there."""

    out: bytes = b""
    err: bytes = b""
    status: int = 0
    after_s: float = 0.0


Tool = Callable[[ClusterState, list[str], bytes], Printed]
"""A tool: the state, the arguments, and standard input."""


class Usage(Exception):
    """Raised when the arguments cannot be read; the text says why, as the tool would."""


class Arguments(argparse.ArgumentParser):
    """An argument parser that raises Usage instead of ending the process."""

    def __init__(self, tool: str) -> None:
        super().__init__(prog=tool, add_help=False, allow_abbrev=True)
        self.add_argument("-V", "--version", action="store_true")

    def error(self, message: str) -> NoReturn:
        """Raises Usage."""
        raise Usage(message)


def printed(text: str) -> Printed:
    """The text on standard output, and success. Surrogates are the bytes that were cut out of UTF-8."""
    return Printed(text.encode("utf-8", "surrogateescape"))


def failed(tool: str, message: str, status: int = 1) -> Printed:
    """An error message in the manner of the Slurm tools."""
    return Printed(err=f"{tool}: {message}\n".encode(), status=status)


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
    """Local time without a zone, as Slurm prints it; `Unknown` for none."""
    return datetime.fromtimestamp(at).isoformat(timespec="seconds") if at else "Unknown"


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
