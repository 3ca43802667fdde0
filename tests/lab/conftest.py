"""The lab that these tests share, the program on it, and the figures of the faults that it was given."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import leave_out, need_program
from tests.lab import net
from tests.lab.cluster import PROGRAMS, Lab, take_down_abandoned
from tests.lab.net import HOSTS
from tests.lab.proc import find_marked
from tests.lab.program import Comparison, LabProgram
from tests.program import wait_until

FIGURES = pytest.StashKey["Figures"]()


@dataclass
class Figures:
    """What became of the faults: by name, how the answer compared with what it should have been."""

    faults: dict[str, Comparison | None] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        """Counts a fault that is tried now."""
        self.faults[name] = None

    def end(self, name: str, comparison: Comparison) -> Comparison:
        """The comparison, written down as what became of the fault."""
        self.faults[name] = comparison
        return comparison

    def lines(self) -> Iterator[str]:
        """The figures for a person, a line for each fault and one for all."""
        for name, comparison in self.faults.items():
            verdict = "survived" if survived(comparison) else "NOT survived"
            compared, lost = (comparison.compared, len(comparison.lost)) if comparison else (0, 0)
            yield f"{name:<42} {verdict}: {compared} readings compared, {lost} lost"
        total = sum(1 for comparison in self.faults.values() if survived(comparison))
        lost = sum(len(comparison.lost) for comparison in self.faults.values() if comparison)
        yield f"faults tried {len(self.faults)}, survived {total}, readings lost {lost}"


def survived(comparison: Comparison | None) -> bool:
    """Whether there was an answer to compare, and every reading in it was right."""
    return comparison is not None and not comparison.wrong


OWN = re.compile(r"botd-lab-|(^|dev )lab|\b10\.77\.")
"""What all links, addresses and places of a lab have in their names. Those of other programs come and go meanwhile."""


def _own(text: str) -> tuple[str, ...]:
    """The lines that tell of a lab."""
    return tuple(line for line in text.splitlines() if OWN.search(line))


@dataclass(frozen=True)
class Traces:
    """What a lab changes on its machine."""

    links: tuple[str, ...]
    routes: tuple[str, ...]
    mounts: tuple[str, ...]
    hosts: bytes
    users: bytes

    @classmethod
    def now(cls) -> Traces:
        """The traces of this moment."""
        return cls(
            _own(subprocess.run(["ip", "-o", "-brief", "link"], capture_output=True, text=True, check=True).stdout),
            _own(_all_routes()),
            _own(Path("/proc/self/mountinfo").read_text()),
            HOSTS.read_bytes(),
            Path("/etc/passwd").read_bytes(),
        )


def _all_routes() -> str:
    return subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Ten nodes, all of them well. When they are gone the machine is as it was."""
    if os.geteuid() != 0 or sys.platform != "linux":
        leave_out("the lab's network namespaces need root on Linux: run `make test` as root")
    for name in (*PROGRAMS, "bindfs", "fping", "ipmitool"):
        need_program(name)
    take_down_abandoned(net.lab_in_hosts())
    before = Traces.now()
    folder = Path(tempfile.mkdtemp(prefix="botd-lab-"))  # pytest's own paths are too long for munge's socket
    try:
        with Lab(folder, nodes=10) as built:
            yield built
        assert find_marked(folder) == []
        assert Traces.now() == before
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def program(lab: Lab) -> Iterator[LabProgram]:
    """`botd serve` on the lab."""
    running = LabProgram(lab, lab.directory)
    try:
        wait_until(running.is_well, 60)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where the tests of faults write what became of each."""
    return request.config.stash.setdefault(FIGURES, Figures())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the figures of the faults, where any was tried."""
    if FIGURES in config.stash:
        terminalreporter.section("faults")
        for line in config.stash[FIGURES].lines():
            terminalreporter.write_line(line)
