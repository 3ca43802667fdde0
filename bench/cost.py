"""What something cost its client: CPU, wall time and memory, of this process or of a program and all it started."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

Result = TypeVar("Result")

LOOK_S = 0.2
"""How often the memory of a program is looked at."""


@dataclass(frozen=True)
class Cost:
    """CPU (user and system) and wall time in seconds, and the most memory held at once in bytes (PSS).

    Memory that processes share is counted once.
    """

    cpu_s: float
    wall_s: float
    peak: int

    def cpu_ms_per(self, count: int) -> float:
        """CPU for each of so many nodes, in ms."""
        return self.cpu_s * 1000 / count


def of_call(act: Callable[[], Result]) -> tuple[Cost, Result]:
    """What a call cost this process and those that it started and waited for, and what it returned."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (proc(5))
    began_s, cpu_s = time.monotonic(), _own_cpu_s()
    result = act()
    return Cost(_own_cpu_s() - cpu_s, time.monotonic() - began_s, peak_rss()), result


def of_program(words: Sequence[str], stdin: str = "", env: Mapping[str, str] | None = None) -> tuple[Cost, str]:
    """What a program and all its children cost, and what it printed on both outputs. Its status is not looked at."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as asked:
        asked.write(stdin.encode())
        asked.seek(0)
        environment = {**os.environ, **(env or {})}
        began_s = time.monotonic()
        child = subprocess.Popen(words, stdin=asked, stdout=said, stderr=subprocess.STDOUT, env=environment)
        usage, peak = _wait(child.pid)
        wall_s = time.monotonic() - began_s
        child.returncode = 0  # it is waited for; Popen does not know
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, peak), text


def program(name: str) -> str | None:
    """The path of a program that botd is compared with, or None where it is not installed."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def peak_rss() -> int:
    """The most memory this process has held since the peak was last forgotten, in bytes."""
    match = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rss() -> int:
    """The memory that this process holds now, in bytes."""
    return int(psutil.Process().memory_info().rss)


def _own_cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _wait(pid: int) -> tuple[resource.struct_rusage, int]:
    """The usage of a process and its children when it has ended, and the most memory seen."""
    # Not ru_maxrss: a child begins with what its parent held before exec. And not at once, for the same reason.
    peak, next_s = 0, time.monotonic() + 0.05
    while True:
        ended, _, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return usage, peak
        if (now_s := time.monotonic()) >= next_s:
            peak, next_s = max(peak, _memory(pid)), now_s + LOOK_S
        time.sleep(0.002)


def _memory(pid: int) -> int:
    """The memory of a process and its children now, in bytes."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for each in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                total += each.memory_full_info().pss
    return total
