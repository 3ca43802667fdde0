"""Nodes looked at for an action: by Slurm's commands and the BMC, at this moment, and not as a sweep left them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from botd.acting.actions import Action
from botd.acting.guards import FRESH, Look
from botd.acting.reach import needs_power
from botd.advice.case import LOOKS_BACK, not_green
from botd.answers import Job, PowerAnswer, PowerState
from botd.documents import NodeReadings, ReadingDocument
from botd.errors import SlurmFailed
from botd.inventory.jobs import running_jobs
from botd.inventory.slurm import SlurmReader
from botd.model import Clock, SlurmNode
from botd.settings import SlurmSettings
from botd.transport.bmc.targets import why_no_target

Addresses = Mapping[str, str | None]


@dataclass(frozen=True)
class Senses:
    """By what nodes are looked at. Each takes names, and may leave out what it learnt nothing of."""

    slurm: Callable[[Sequence[str]], Mapping[str, SlurmNode] | None]
    jobs: Callable[[Sequence[str]], Mapping[str, tuple[Job, ...]] | None]
    powers: Callable[[Iterable[str]], Mapping[str, PowerAnswer]]
    bmc_addresses: Callable[[], Addresses]  # of all nodes
    sweep: Callable[[Sequence[str]], None]  # has the nodes read anew, by every check, and waits for that
    readings: Callable[[str], NodeReadings]


class Back(NamedTuple):
    """When a node booted, by its uptime or else by Slurm, and its checks that are not green; None is "not known"."""

    booted_at: datetime | None
    bad: tuple[str, ...] | None


class Looker:
    """Looks at nodes. Used from any thread."""

    def __init__(self, senses: Senses, clock: Clock) -> None:
        self._senses = senses
        self._clock = clock

    def look(self, action: Action, nodes: Sequence[str]) -> dict[str, Look]:
        """What each node is now, as far as the action has to know. It is as old as the first question."""
        if "green" in action.guards:
            self._senses.sweep(nodes)
        at = self._clock()
        slurm, jobs = self._senses.slurm(nodes), self._senses.jobs(nodes)
        powers_at = self._clock()
        powers = self._senses.powers(nodes) if needs_power(action) else {}
        addresses = self._senses.bmc_addresses() if "bmc" in action.guards else None
        return {
            node: Look(
                slurm=(slurm or {}).get(node),
                jobs=_jobs(node, slurm, jobs),
                slurm_at=at,
                power=_power(powers.get(node)),
                power_at=powers_at,
                bmc=None if addresses is None else why_no_target(node, addresses),
                bad=self._bad(node, at) if "green" in action.guards else None,
            )
            for node in nodes
        }

    def power(self, node: str) -> str | None:
        """`on` or `off` now; None where the BMC does not say."""
        return _power(self._senses.powers([node]).get(node))

    def back(self, node: str) -> Back:
        """What the node itself says after it was switched, by every check."""
        self._senses.sweep([node])
        at = self._clock()
        uptime = self._senses.readings(node).get("uptime")
        if uptime and uptime["state"] == "ok" and uptime["at"] and not _is_old(uptime, at):
            up = timedelta(seconds=float(uptime["value"]))
            return Back(datetime.fromisoformat(uptime["at"]) - up, self._bad(node, at))
        slurm = self.slurm(node)
        return Back(slurm.boot_at if slurm else None, self._bad(node, at))

    def slurm(self, node: str) -> SlurmNode | None:
        """What Slurm has on a node now; None where that cannot be read."""
        return (self._senses.slurm([node]) or {}).get(node)

    def _bad(self, node: str, now: datetime) -> tuple[str, ...] | None:
        """The checks that are not green now, whatever was; None where a reading is too old to say so."""
        readings = {name: found for name, found in self._senses.readings(node).items() if name not in LOOKS_BACK}
        if not readings or any(_is_old(reading, now) for reading in readings.values()):
            return None
        return not_green(readings)


def _is_old(reading: ReadingDocument, now: datetime) -> bool:
    """Whether a reading is of another moment than now; one that was never taken is."""
    return not reading["at"] or abs(now - datetime.fromisoformat(reading["at"])) > FRESH


def slurm_senses(
    settings: SlurmSettings, reader: SlurmReader
) -> tuple[
    Callable[[Sequence[str]], Mapping[str, SlurmNode] | None],
    Callable[[Sequence[str]], Mapping[str, tuple[Job, ...]] | None],
]:
    """Slurm's nodes and jobs by the commands of the node list, None where they do not answer."""

    def nodes(names: Sequence[str]) -> Mapping[str, SlurmNode] | None:
        try:
            return reader.read_some(names)
        except SlurmFailed:
            return None

    def jobs(names: Sequence[str]) -> Mapping[str, tuple[Job, ...]] | None:
        try:
            return running_jobs(settings, known=frozenset(names))
        except SlurmFailed:
            return None

    return nodes, jobs


def _jobs(
    node: str, slurm: Mapping[str, SlurmNode] | None, jobs: Mapping[str, tuple[Job, ...]] | None
) -> tuple[str, ...] | None:
    """The jobs of a node; None where they are not known, as those of a node that Slurm does not know."""
    if jobs is None or slurm is None or node not in slurm:
        return None
    return tuple(job.job_id for job in jobs.get(node, ()))


def _power(answer: PowerAnswer | None) -> str | None:
    known = {PowerState.ON: "on", PowerState.OFF: "off"}
    return known.get(answer.power) if answer else None
