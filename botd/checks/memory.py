"""Does the node have the memory that Slurm expects of it."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from botd.answers import Output, Source
from botd.checks.limits import human_bytes
from botd.checks.ranges import is_range, show_each
from botd.model import Check, Facts, Finding, State


def parse_memory(output: Output, facts: Facts) -> Finding:
    """An object of bytes: `size` (MemTotal), `free` (MemAvailable) and `expected` (Slurm's RealMemory, or null).

    Less than Slurm expects is a failure: slurmd would set the node to drain with "Low RealMemory" (slurm.conf(5)).
    """
    # MemTotal:       24029360 kB
    # MemAvailable:   23071232 kB
    lines = dict(line.split(":", 1) for line in output.text.splitlines())
    size, free = (int(lines[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    expected = facts.slurm.memory_mb * 2**20 if facts.slurm and facts.slurm.memory_mb else None
    value = {"size": size, "free": free, "expected": expected}
    words = f"{human_bytes(size)}, {human_bytes(free)} available"
    if expected is None:
        return Finding(State.OK, value, f"{words}; Slurm does not say what it expects")
    # slurmd compares whole MB, so less than one MB missing is not a fault.
    if size // 2**20 < expected // 2**20:
        return Finding(State.FAIL, value, f"{words}; Slurm expects {human_bytes(expected)}")
    return Finding(State.OK, value, words)


def missing(value: Mapping[str, Any]) -> Any:
    """How many bytes there are less than Slurm expects, in whole MB as slurmd compares them; a range for a fold."""
    size, expected = value["size"], value["expected"]
    if expected is None:
        return None
    if is_range(size):
        return {"low": _missing(size["high"], expected), "high": _missing(size["low"], expected)}
    return _missing(size, expected)


def _missing(size: int, expected: int) -> int:
    return max(0, expected // 2**20 - size // 2**20) * 2**20


CHECK = Check(
    name="memory",
    title="Memory",
    help="Memory of the node against what Slurm expects.",
    unit="B",
    source=Source.COMMAND,
    needs=("ssh",),
    command="grep -E '^Mem(Total|Available):' /proc/meminfo",
    quick=True,
    parse=parse_memory,
    show=lambda value: show_each(value["size"], human_bytes),
    sort_key=lambda value: value["size"],
    columns={
        "size_bytes": itemgetter("size"),
        "free_bytes": itemgetter("free"),
        "expected_bytes": itemgetter("expected"),
        "missing_bytes": missing,
    },
)
