"""What slurmdbd remembers of nodes: when each left service, why, by whom, and until when. One call of sacctmgr(1)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from botd.errors import SlurmFailed
from botd.inventory.command import ask_slurm, unreadable
from botd.inventory.times import NEVER, parse_time
from botd.settings import SlurmSettings

FIELDS = "NodeName,State,Start,End,User,Reason"
"""What is asked for. The reason comes last, because it may hold anything, newlines too."""

LEAST_TIMEOUT_S = 120.0
"""A year of events takes longer than what is asked at every sweep."""

# n0000.savio2|DRAIN|2026-11-27T04:56:20|2026-11-27T04:56:22|root(0)|Kill task failed
_ROW = re.compile(r"(?P<node>[\w.-]+)\|(?P<state>[A-Z_+*~#!%$@^-]+)\|(?P<start>[^|]+)\|(?P<end>[^|]+)\|(?P<by>[^|]*)\|")


class NodeEvent(NamedTuple):
    """A time in which a node was out of service with one state and one reason; `ends_at` is None while it goes on.

    `state` is one word, `DOWN`, `DOWN*`, `DRAIN`, `FAIL`: a node that is down and drained is `DRAIN` (Slurm 22.05).
    """

    node: str
    state: str
    begins_at: datetime
    ends_at: datetime | None
    by: str
    reason: str


def read_events(settings: SlurmSettings, since: datetime) -> list[NodeEvent]:
    """The events of this cluster's nodes since a moment, by node and time. Raises SlurmFailed, SlurmTimeout."""
    start = since.astimezone().strftime("%Y-%m-%dT%H:%M:%S")  # local, as Slurm reads it
    patient = dataclasses.replace(settings, timeout=max(settings.timeout, LEAST_TIMEOUT_S))
    options = ("-n", "-P", "show", "event", "event=node", f"start={start}", f"format={FIELDS}")
    return parse_events(ask_slurm(patient, "sacctmgr", options, bytes).decode("utf-8", "replace"))


def parse_events(text: str) -> list[NodeEvent]:
    """The events in an output of `sacctmgr -n -P show event event=node format=...`, by node and time.

    A line that does not begin as a row goes on with the reason of the row before. Raises SlurmFailed for what cannot be
    read, and for times that name no one moment.
    """
    return sorted((_event(row) for row in _rows(text)), key=lambda event: (event.node, event.begins_at))


def _rows(text: str) -> Iterator[str]:
    row = ""
    for line in text.removesuffix("\n").split("\n"):
        if _ROW.match(line):
            if row:
                yield row
            row = line
        elif row:
            row += f"\n{line}"
        elif line:
            raise unreadable("sacctmgr", line)
    if row:
        yield row


def _event(row: str) -> NodeEvent:
    found = _ROW.match(row)
    if found is None:
        raise unreadable("sacctmgr", row)
    begins_at = _time(found["start"])
    if begins_at is None:
        raise unreadable("sacctmgr", row)
    by = found["by"].partition("(")[0]
    return NodeEvent(found["node"], found["state"], begins_at, _time(found["end"]), by, row[found.end() :])


def _time(text: str) -> datetime | None:
    """A time, None for none. Raises SlurmFailed for one that SLURM_TIME_FORMAT has made unreadable."""
    if text in NEVER:
        return None
    if (at := parse_time(text)) is None:
        raise SlurmFailed(f'"{text}" names no one moment: have sacctmgr write times with SLURM_TIME_FORMAT=standard')
    return at
