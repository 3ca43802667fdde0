"""One node as a rule looks at it: Slurm's word, the readings, the history and the neighbours, each asked by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botd.acting.ladder import Tried
from botd.advice.neighbours import ALONE, SAVES_POWER, Neighbours, Rack, is_silent
from botd.advice.reasons import Author, Part, Tells, read_reason
from botd.checks import Checks
from botd.documents import NodeReadings, ReadingDocument
from botd.history.past import NOTHING, NodePast
from botd.inventory.states import is_out_of_service
from botd.model import SlurmNode

LOOKS_BACK = ("last_job", "slurmd_log", "sel")
"""Checks that tell what was: a node that is sound now may have anything there."""

REBOOTS = frozenset({"REBOOT_REQUESTED", "REBOOT_ISSUED"})


def not_green(readings: NodeReadings) -> tuple[str, ...]:
    """The checks that are not well now, whatever was: a node with any of them does not go back into service."""
    told = (name for name, found in readings.items() if found["state"] not in ("ok", "skipped"))
    return tuple(name for name in told if name not in LOOKS_BACK)


@dataclass(frozen=True)
class Case:
    """A node. `slurm` is None for one that only a group file names; `hardware` is what kind it is of.

    `ours` are the ids of botd's own hard actions: a drain of one of these is no person's. `tried` are the actions that
    have failed on it, the oldest first.
    """

    node: str
    slurm: SlurmNode | None
    readings: NodeReadings
    checks: Checks
    past: NodePast = NOTHING
    neighbours: Neighbours = field(default=ALONE)
    hardware: str = ""
    ours: frozenset[str] = frozenset()
    tried: tuple[Tried, ...] = ()

    # ---- what Slurm says ----

    @cached_property
    def reasons(self) -> tuple[Part, ...]:
        """The reasons in Slurm's reason."""
        return read_reason(self.slurm.reason, self.ours) if self.slurm else ()

    @cached_property
    def is_out(self) -> bool:
        """Whether it is out of service."""
        return self.slurm is not None and is_out_of_service(self.slurm)

    @property
    def is_kept_by_a_person(self) -> bool:
        """Whether it is out for a reason of a person, or for none that anybody gave."""
        return self.is_out and (not self.reasons or any(part.is_a_persons for part in self.reasons))

    def failed(self, action: str) -> Tried | None:
        """The last time that an action failed in the incident that goes on; None where it did not.

        An incident goes on until Slurm has taken the node back into service.
        """
        back_at = self.past.back_at
        return next((e for e in reversed(self.tried) if e.action == action and (not back_at or e.at > back_at)), None)

    @property
    def is_in_maintenance(self) -> bool:
        """Whether it lies in a reservation for maintenance now: Slurm says so of each of its nodes."""
        return self.has("MAINTENANCE")

    def tells(self, *wanted: Tells) -> bool:
        """Whether a reason of the node tells one of these."""
        return any(part.tells in wanted for part in self.reasons if part.author is not Author.PERSON)

    def has(self, *flags: str) -> bool:
        """Whether Slurm has one of these flags for it."""
        return self.slurm is not None and not frozenset(flags).isdisjoint(self.slurm.flags)

    @property
    def saves_power(self) -> bool:
        """Whether Slurm has switched it off, or is about to switch it on."""
        return self.has(*SAVES_POWER)

    @property
    def is_draining(self) -> bool:
        """Whether jobs still run on a node that takes no more."""
        busy = self.slurm is not None and (self.slurm.base in ("ALLOCATED", "MIXED") or self.has("COMPLETING"))
        return self.has("DRAIN", "FAIL") and (busy or bool(self.jobs))

    @property
    def jobs(self) -> list[str] | None:
        """The jobs that hold it, None where they are not known."""
        known = self.state("jobs") == "ok" and isinstance(self.value("jobs"), list)
        return list(map(str, self.value("jobs"))) if known else None

    # ---- what the readings say ----

    def reading(self, check: str) -> ReadingDocument | None:
        """A reading that says something: it was taken, and not skipped."""
        found = self.readings.get(check)
        return found if found and found["at"] and found["state"] != "skipped" and check in self.checks else None

    def state(self, check: str) -> str:
        """The state of a reading, empty where it says nothing."""
        found = self.reading(check)
        return found["state"] if found else ""

    def value(self, check: str) -> Any:
        """The value of a reading, None where it says nothing."""
        found = self.reading(check)
        return found["value"] if found else None

    def detail(self, check: str) -> str:
        """The reading in words, empty where it says nothing."""
        found = self.reading(check)
        return found["detail"] if found else ""

    def member(self, check: str, key: str) -> Any:
        """A member of a value that is an object; None where there is none."""
        value = self.value(check)
        return value.get(key) if isinstance(value, dict) else None

    @cached_property
    def bad(self) -> tuple[str, ...]:
        """The checks that are neither ok nor skipped, in the order of the columns."""
        return tuple(name for name in self.checks if self.state(name) in ("fail", "warn", "unknown"))

    @property
    def is_read(self) -> bool:
        """Whether any check was ever asked."""
        return any(self.reading(name) for name in self.checks)

    @property
    def is_sound(self) -> bool:
        """Whether a login succeeded and everything that tells of now is well."""
        return self.state("ssh") == "ok" and set(self.bad) <= set(LOOKS_BACK)

    @property
    def is_silent(self) -> bool:
        """Whether it answers neither ping nor ssh."""
        return is_silent(self.readings)

    @property
    def rack(self) -> Rack | None:
        """The group that fell silent with it."""
        return self.neighbours.racks.get(self.node)

    def mounts(self) -> Iterator[str]:
        """The checks of mounts that are not well."""
        return (name for name in self.bad if name.startswith("df_") and self.checks[name].parent == "df")

    def mount(self, member: str, value: object) -> str:
        """The first failed mount whose value has this member; empty where none has."""
        return next((n for n in self.mounts() if self.state(n) == "fail" and self.member(n, member) is value), "")

    @property
    def shared_mount(self) -> str:
        """The first mount that is bad here and on so many nodes that it is its server's fault; empty for none."""
        return next((name for name in self.mounts() if name in self.neighbours.mounts), "")

    def logged(self, *words: str) -> str:
        """The newest line of slurmd's log with one of these words, with none given the newest; empty for none."""
        lines = self.value("slurmd_log") if self.state("slurmd_log") == "warn" else None
        found = [line for line in lines or () if not words or any(word in line for word in words)]
        return str(found[-1]) if found else ""
