"""`botd serve` on the lab, and what its answers are compared with: every reading of every node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botd.answers import Source
from botd.checks import site_checks
from botd.config import parse_config
from tests.lab.cluster import Lab
from tests.program import Program, free_port, wait_until

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp", "scratch": "/global/scratch"}}))
REMOTE = tuple(name for name, check in CHECKS.items() if check.source is Source.COMMAND)
WELL: Mapping[str, str] = {
    **dict.fromkeys(CHECKS, "ok"),
    # What stands in a log is for a person: these only have to be read.
    "slurmd_log": "ok warn fail",
    "last_job": "ok warn fail",
}
"""The states that each check of a node may have when nothing is wrong."""

QUIET = "- log lost-job"
"""The diagnoses that a node may have then, `-` for none: these tell of what was."""


@dataclass(frozen=True)
class Comparison:
    """An answer beside what it should be. Entries are `node check: is, expected`; `lost` are those never read."""

    compared: int = 0
    wrong: tuple[str, ...] = ()
    lost: tuple[str, ...] = field(default=())


class LabProgram(Program):
    """`botd serve` on the lab."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        port = free_port()
        text = (folder / "botd.toml").read_text()
        served = folder / "served.toml"
        served.write_text(text.replace("127.0.0.1:5055", f"127.0.0.1:{port}"))
        super().__init__(served, port)

    @property
    def names(self) -> list[str]:
        """The names of all nodes."""
        return [node.name for node in self.lab.nodes]

    def readings(self, node: str, checks: str, *, max_age: float = 0) -> Any:
        """The readings of one node, taken now."""
        return self.json(f"/api/v1/status?nodes={node}&checks={checks}&max_age={max_age}")["nodes"][0]["readings"]

    def reading(self, node: str, check: str, *, max_age: float = 0) -> Any:
        """One reading of one node, taken now."""
        return self.readings(node, check, max_age=max_age)[check]

    def slurm(self, node: str) -> Any:
        """What Slurm says of a node now, as the answer has it."""
        return self.json(f"/api/v1/hostinfo?h={node}&max_age=0")["nodes"][0]

    def sweep_all(self) -> Any:
        """Every reading of every node, taken now."""
        return self.json("/api/v1/status?groups=all&max_age=0")

    def begin_sweep(self) -> int:
        """The id of a sweep of every node that has just begun."""
        sweep: int = self.json("/api/v1/status?groups=all&max_age=0&wait=0")["sweep"]
        wait_until(lambda: self.json(f"/api/v1/sweeps/{sweep}")["state"] != "queued")
        return sweep

    def end_of(self, sweep: int) -> Any:
        """The sweep, once it has ended."""
        return wait_until(lambda: (doc := self.json(f"/api/v1/sweeps/{sweep}"))["ended_at"] and doc, 120)

    def compare(
        self, body: Any, expected: Mapping[str, Mapping[str, str]], diagnoses: Mapping[str, str] | None = None
    ) -> Comparison:
        """How an answer differs from every node being well, but for the `expected` states of some nodes' checks, and
        for the `diagnoses` of some nodes.
        """
        found = {node["node"]: node["readings"] for node in body["nodes"]}
        wrong, lost, compared = self._misjudged(body, diagnoses or {}), [], 0
        for node, check, states in self._cells(expected):
            compared += 1
            reading = found.get(node, {}).get(check)
            line = f"{node} {check}: {reading}, expected {states}"
            if not matches(reading, states):
                wrong.append(line)
            if is_lost(reading, states):
                lost.append(line)
        return Comparison(compared, tuple(wrong), tuple(lost))

    def _misjudged(self, body: Any, expected: Mapping[str, str]) -> list[str]:
        """The nodes with another diagnosis than one of those expected."""
        found = {node["node"]: node["recommendation"] for node in body["nodes"]}
        wrong = []
        for node in self.names:
            advice, words = found.get(node), expected.get(node, QUIET)
            if (advice["diagnosis"] if advice else "-") not in words.split():
                wrong.append(f"{node}: {advice}, expected {words}")
        return wrong

    def _cells(self, expected: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
        for node in self.lab.nodes:
            yield from ((node.name, *cell) for cell in (WELL | dict(expected.get(node.name, {}))).items())

    def make_well(self) -> None:
        """Returns when every reading of every node is well. Fails when that does not come."""
        last: list[Iterable[str]] = [()]

        def is_well() -> bool:
            last[0] = self.compare(self.sweep_all(), {}).wrong
            return not last[0]

        try:
            wait_until(is_well, 60)
        except AssertionError as error:
            raise AssertionError("not well again: " + "; ".join(last[0])) from error


def matches(reading: Any, states: str) -> bool:
    """Whether a reading is of one of these states, given as `ok warn`, or as `fail=timeout` with its value."""
    if reading is None:
        return False
    allowed = [word.partition("=") for word in states.split()]
    return any(reading["state"] == state and (not value or reading["value"] == value) for state, _, value in allowed)


def is_lost(reading: Any, states: str) -> bool:
    """Whether a reading is missing or without a result where there is one to be had."""
    could_be_read = not {"unknown", "skipped"} & {word.partition("=")[0] for word in states.split()}
    return could_be_read and (reading is None or reading["state"] in ("unknown", "skipped"))
