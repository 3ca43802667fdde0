"""The site that all scenes are played on, and the figures of each: tried, survived, lost, time and memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from botd.demo import DemoCluster
from tests.hostile.site import Comparison, HostileSite, Watch
from tests.program import DemoProgram, free_port, wait_until

HOSTILE = int(os.environ.get("BOTD_HOSTILE", "3"))
"""How many nodes are hostile; `make faults` has 30."""

LONG = HOSTILE > 3
"""Whether every scene is played, and not only those that have the most in one."""


@dataclass
class Scene:
    """What one hostile thing did."""

    kind: str
    name: str
    tried: int
    survived: bool = False
    found: Comparison = field(default_factory=Comparison)
    healthz_s: float = 0
    grown_mb: float = 0

    def line(self) -> str:
        """The figures for a person."""
        verdict = "survived" if self.survived else "NOT survived"
        name = f"{self.kind}: {self.name}"
        lost = f"{len(self.found.lost)} of {self.found.compared} readings lost"
        return f"{name:<55} {self.tried:>4} {verdict}, {lost}; {self.healthz_s:.2f} s, {self.grown_mb:+.0f} MB"


@dataclass
class Figures:
    """What became of every scene."""

    scenes: list[Scene] = field(default_factory=list)

    @contextmanager
    def scene(self, site: HostileSite, kind: str, name: str, tried: int) -> Iterator[Scene]:
        """A scene that is played inside. It is survived when all that it compared was right."""
        scene = Scene(kind, name, tried)
        self.scenes.append(scene)
        with Watch(site) as watch:
            yield scene
        scene.healthz_s = watch.healthz_s
        scene.grown_mb = (watch.agent_bytes - site.normal_bytes) / 2**20
        scene.survived = scene.found.compared > 0 and not scene.found.lost + scene.found.wrong

    def lines(self) -> Iterator[str]:
        """The figures for a person: a line for each scene, then one for each kind."""
        yield from (scene.line() for scene in self.scenes)
        for kind in dict.fromkeys(scene.kind for scene in self.scenes):
            yield total([scene for scene in self.scenes if scene.kind == kind])


def total(scenes: list[Scene]) -> str:
    """One line for scenes of a kind."""
    survived = sum(scene.tried for scene in scenes if scene.survived)
    lost = sum(len(scene.found.lost) for scene in scenes)
    slowest = max(scene.healthz_s for scene in scenes)
    largest = max(scene.grown_mb for scene in scenes)
    return (
        f"{scenes[0].kind}: tried {sum(scene.tried for scene in scenes)}, survived {survived}, readings lost {lost}; "
        f"/healthz at most {slowest:.2f} s, agent at most {largest:+.0f} MB"
    )


FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def scenes(request: pytest.FixtureRequest) -> Figures:
    """Where each scene writes its figures."""
    return request.config.stash.setdefault(FIGURES, Figures())


@pytest.fixture(scope="session")
def site() -> Iterator[HostileSite]:
    """Some hostile nodes beside twenty honest ones or more, all well at first."""
    port = free_port()
    with DemoCluster(40 + HOSTILE, f"127.0.0.1:{port}") as cluster:
        program = DemoProgram(cluster, port)
        try:
            wait_until(program.is_well)
            made = HostileSite(program, HOSTILE)
            assert (len(made.hostile), len(made.honest) >= 20) == (HOSTILE, True)
            yield made
        finally:
            program.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the figures of the scenes, where any was played."""
    if found := config.stash.get(FIGURES, None):
        terminalreporter.section("hostile")
        for line in found.lines():
            terminalreporter.write_line(line)
