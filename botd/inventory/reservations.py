"""Slurm's reservations for maintenance, and its switches: what concerns many nodes at once, one scontrol for each."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from botd import nodeset
from botd.errors import BadNodeset, SlurmFailed
from botd.inventory.command import ask_slurm, unreadable
from botd.inventory.times import parse_time
from botd.logs import Faults
from botd.model import Group, SlurmNode
from botd.nodeset import natural_key
from botd.settings import SlurmSettings
from botd.text import whole

AHEAD = timedelta(days=3)
"""How long before a maintenance its nodes say so."""

SEEN = timedelta(hours=1)
"""How often Slurm is asked for its switches, which hardly ever change."""

MOST_NODES = 100_000
"""Nodes of one list."""

SWITCH = "slurm topology"
"""The source of a group that is a switch."""

log = logging.getLogger(__name__)

# ReservationName=cool down StartTime=2026-11-28T08:00:00 EndTime=2027-11-28T08:00:00 Duration=365-00:00:00 Nodes=n0 ...
_RESERVATION = re.compile(
    r"ReservationName=(?P<name>.*?) StartTime=(?P<start>\S+) EndTime=(?P<end>\S+) Duration=\S+ Nodes=(?P<nodes>\S*) .*"
    r" Flags=(?P<flags>\S*) "
)
_NOTHING = "No reservations in the system"

# SwitchName=leaf1 Level=0 LinkSpeed=1 Nodes=n0000.savio2,n0001.savio2
_SWITCH = re.compile(
    r"SwitchName=(?P<name>\S+) Level=(?P<level>\d+) LinkSpeed=\d+ Nodes=(?P<nodes>\S*)(?: Switches=\S*)?"
)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A reservation with the flag MAINT: its name, its time, its nodes."""

    name: str
    start_at: datetime
    end_at: datetime
    nodes: tuple[str, ...]


class Surroundings:
    """What Slurm says of many nodes at once. What could not be read stays as it was. One belongs to one thread."""

    def __init__(self, settings: SlurmSettings) -> None:
        self._settings = settings
        self._faults = Faults(log)
        self._maintenances: tuple[Maintenance, ...] = ()
        self._switches: tuple[Group, ...] = ()
        self._switches_at: datetime | None = None

    @property
    def switches(self) -> tuple[Group, ...]:
        """The switches with the nodes behind each, as they were read last."""
        return self._switches

    def read(self, now: datetime) -> None:
        """Asks Slurm for its reservations and, now and then, for its switches. A saved node list has neither."""
        if self._settings.sinfo_file:
            return
        try:
            self._maintenances = ask_slurm(self._settings, "scontrol", ("show", "reservation", "-o"), _reservations)
            if self._switches_at is None or now - self._switches_at >= SEEN:
                found = ask_slurm(self._settings, "scontrol", ("show", "topology"), _topology)
                # Without an answer of slurmctld scontrol 22.05 prints nothing and ends with 0, as where there is none.
                self._switches, self._switches_at = found or self._switches, now
        except SlurmFailed as error:
            self._faults.tell("reservations or switches not read", [str(error)])
        else:
            self._faults.tell("reservations or switches not read")

    def mark(self, nodes: Iterable[SlurmNode], now: datetime) -> tuple[SlurmNode, ...]:
        """The nodes with the maintenance that each lies in, or will before long: the first of several."""
        coming = [each for each in self._maintenances if each.start_at - AHEAD <= now < each.end_at]
        first: dict[str, Maintenance] = {}
        for each in sorted(coming, key=lambda each: (each.start_at, each.name), reverse=True):
            first.update(dict.fromkeys(each.nodes, each))
        return tuple(_marked(node, first.get(node.node)) for node in nodes)


def parse_reservations(text: str) -> tuple[Maintenance, ...]:
    """The reservations for maintenance in what `scontrol show reservation -o` printed. Raises SlurmFailed."""
    lines = [line for line in text.splitlines() if line.strip() and line.strip() != _NOTHING]
    return tuple(found for line in lines if (found := _maintenance(line)))


def parse_topology(text: str) -> tuple[Group, ...]:
    """The switches in what `scontrol show topology` printed, each with the nodes behind it. Raises SlurmFailed."""
    return tuple(_switches(text))


def _maintenance(line: str) -> Maintenance | None:
    """One for maintenance; None for any other, and for one that has neither nodes nor time."""
    found = _RESERVATION.match(line)
    if not found:
        raise unreadable("scontrol show reservation", line)
    start_at, end_at = parse_time(found["start"]), parse_time(found["end"])
    nodes = _nodes(found["nodes"], line)
    if "MAINT" not in found["flags"].split(",") or not (start_at and end_at and nodes):
        return None
    return Maintenance(whole(found["name"]), start_at, end_at, nodes)


def _switches(text: str) -> Iterator[Group]:
    for line in text.splitlines():
        if not line.startswith("SwitchName="):
            continue  # a block (topology/block) is no switch
        found = _SWITCH.match(line)
        if not found:
            raise unreadable("scontrol show topology", line)
        if nodes := _nodes(found["nodes"], line):
            yield Group(whole(found["name"]), SWITCH, tuple(sorted(nodes, key=natural_key)))


def _nodes(text: str, line: str) -> tuple[str, ...]:
    try:
        return () if text in ("", "(null)") else tuple(nodeset.expand(text, max_nodes=MOST_NODES))
    except BadNodeset as error:
        raise unreadable("scontrol", line) from error


def _marked(node: SlurmNode, found: Maintenance | None) -> SlurmNode:
    if found is None:
        return node
    return replace(node, maintenance=found.name, maintenance_at=found.start_at, maintenance_until=found.end_at)


def _reservations(output: bytes) -> tuple[Maintenance, ...]:
    return parse_reservations(output.decode("utf-8", "replace"))


def _topology(output: bytes) -> tuple[Group, ...]:
    return parse_topology(output.decode("utf-8", "replace"))
