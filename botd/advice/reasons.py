"""Who wrote a reason, and what it tells: Slurm itself, NHC, botd, or a person.

A person's reason is never overridden, so whatever is not recognised as a whole is a person's: `Not responding` is
Slurm's, `Not responding, called Dell -jd` is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Author(StrEnum):
    """Who wrote a reason."""

    SLURM = "slurm"
    NHC = "nhc"
    BOTD = "botd"
    PERSON = "person"


class Tells(StrEnum):
    """What a reason tells, as far as a rule asks."""

    SILENT = "silent"  # slurmctld did not hear from slurmd
    REBOOTED = "rebooted"  # it came back by itself, without having been asked to
    REBOOTING = "rebooting"  # somebody asked Slurm to reboot it
    NOT_BACK = "not back"  # it was asked to boot and did not come back in time
    KILL = "kill"  # processes of a job did not end
    PROLOG = "prolog"  # what is run before each job failed: it fails for the next one too, unless it was the job's own
    JOB = "job"  # epilog, or the start of a job failed
    SPOOL = "spool"  # the file system of SlurmdSpoolDir is full
    MEMORY = "memory"  # less memory than configured
    HARDWARE = "hardware"  # less or other hardware than configured
    CONFIG = "config"  # slurm.conf and node do not agree
    ADDRESS = "address"  # the name has no address
    MOUNT = "mount"  # a file system is not as NHC wants it
    OTHER = "other"


class Written(NamedTuple):
    """A text that Slurm or NHC writes, `…` for what varies, and what it tells."""

    text: str
    tells: Tells


SLURM_REASONS: tuple[Written, ...] = (
    Written("Not responding", Tells.SILENT),
    Written("Node unexpectedly rebooted", Tells.REBOOTED),
    Written("Reboot ASAP", Tells.REBOOTING),
    Written("reboot requested", Tells.REBOOTING),
    Written("reboot issued", Tells.REBOOTING),
    Written("reboot complete", Tells.REBOOTING),
    Written("reboot timed out", Tells.NOT_BACK),
    Written("ResumeTimeout reached", Tells.NOT_BACK),
    Written("Powered down after resume", Tells.NOT_BACK),
    Written("POWER_DOWN_ASAP", Tells.OTHER),
    Written("Kill task failed", Tells.KILL),
    Written("Kill task failed (JobId=…)", Tells.KILL),
    Written("Job step not running", Tells.KILL),
    Written("Job step not running (JobId=…)", Tells.KILL),
    Written("batch job complete failure", Tells.JOB),
    Written("Prolog error", Tells.PROLOG),
    Written("Epilog error", Tells.JOB),
    Written("Prolog/Epilog failure", Tells.JOB),
    Written("Job env setup error", Tells.JOB),
    Written("Duplicate jobid", Tells.JOB),
    Written("switch_g_job_postfini failed", Tells.JOB),
    Written("SlurmdSpoolDir is full", Tells.SPOOL),
    Written("Low RealMemory", Tells.MEMORY),
    Written("Low RealMemory (reported:… < …% of configured:…)", Tells.MEMORY),
    Written("Low CPUs", Tells.HARDWARE),
    Written("Low socket*core count", Tells.HARDWARE),
    Written("Low socket*core*thread count", Tells.HARDWARE),
    Written("Low TmpDisk", Tells.HARDWARE),
    Written("Too few switch adapters", Tells.HARDWARE),
    Written("Bad core count", Tells.HARDWARE),
    Written("gres/… count too low (… < …)", Tells.HARDWARE),
    Written("gres/… count reported lower than configured (… < …)", Tells.HARDWARE),
    Written("gres/… count changed and jobs are using them (… != …)", Tells.HARDWARE),
    Written("gres/… type (…) reported but not configured", Tells.HARDWARE),
    Written("gres/… type changed and jobs are using them", Tells.HARDWARE),
    Written("RestrictedCoresPerGPU…", Tells.CONFIG),
    Written("Could not unpack gres data", Tells.CONFIG),
    Written("CoreSpec differ", Tells.CONFIG),
    Written(
        "Reported active features (…) are not a superset of currently active changeable features (…)", Tells.CONFIG
    ),
    Written("Failed to set node feature(s): …", Tells.CONFIG),
    Written("Failed to parse dynamic_conf nodeline", Tells.CONFIG),
    Written("Failed to set topology …", Tells.CONFIG),
    Written("Invalid KNL modes", Tells.CONFIG),
    Written("NO NETWORK ADDRESS FOUND", Tells.ADDRESS),
)
"""What slurmctld, slurmd and slurmstepd write: drain_nodes, set_node_down_ptr, set_node_reason, validate_node_specs,
stepd_drain_node and gres_node_config_validate in the source of Slurm 18.08 to 26.05. `Set in slurm.conf` is not among
them: that state is the choice of who wrote slurm.conf."""

NHC_REASONS: tuple[Written, ...] = (
    Written("check_fs_mount…", Tells.MOUNT),
    Written("check_fs_…", Tells.MOUNT),
    Written('script timed out while executing "check_fs_…', Tells.MOUNT),
    Written("check_hw_physmem…", Tells.MEMORY),
    Written("check_hw_mem…", Tells.MEMORY),
    Written("check_hw_swap…", Tells.MEMORY),
    Written("check_hw_…", Tells.HARDWARE),
    Written("check_nvsmi_…", Tells.HARDWARE),
    Written("check_dmi_…", Tells.HARDWARE),
)
"""What stands behind `NHC: ` (Node Health Check 1.4, scripts/*.nhc): the first that fits."""

LONGEST = 400
"""Characters of what Slurm or NHC writes: more is a person's."""

CUT = 20
"""Bytes of a reason that `sinfo -R` prints, so what a saved list has of it may be a beginning."""

JOINT = " : "
"""What Slurm puts between a reason that is there and the next (set_node_reason)."""

_BOTD = re.compile(r"botd: (?P<action>[a-z-]+) (?P<id>\S+) by (?P<by>\S+)")


@dataclass(frozen=True, slots=True)
class Part:
    """One reason of several. `by` is who pressed the button where botd wrote it."""

    text: str
    author: Author
    tells: Tells = Tells.OTHER
    by: str = ""

    @property
    def is_a_persons(self) -> bool:
        """Whether a person stands behind it, who alone may say that it is settled."""
        return self.author is Author.PERSON


def read_reason(reason: str, ours: Collection[str] = ()) -> tuple[Part, ...]:
    """The reasons in a reason. `ours` are the ids of hard actions on record: what botd wrote for another is a person's.

    A drain that somebody pressed through botd is that person's too.
    """
    # NHC: check_fs_mount:  /global/scratch not mounted : Node unexpectedly rebooted
    return tuple(_part(text.strip(), ours) for text in reason.split(JOINT) if text.strip())


def _part(text: str, ours: Collection[str]) -> Part:
    if len(text) > LONGEST:
        return Part(text, Author.PERSON)
    if found := _BOTD.fullmatch(text):
        is_ours = found["id"] in ours and found["action"] != "drain"
        return Part(text, Author.BOTD if is_ours else Author.PERSON, by=found["by"])
    if text.startswith("NHC: "):
        return Part(text, Author.NHC, _nhc(text.removeprefix("NHC: ").strip()))
    tells = _slurm(text)
    return Part(text, Author.SLURM, tells) if tells else Part(text, Author.PERSON)


def _nhc(text: str) -> Tells:
    return next((row.tells for row in NHC_REASONS if _pattern(row.text).fullmatch(text)), Tells.OTHER)


def _slurm(text: str) -> Tells | None:
    """What a text of Slurm tells, of several faults of one registration the first; None for one that is not Slurm's."""
    # Low socket*core*thread count, Low CPUs
    found = [
        next((row.tells for row in SLURM_REASONS if _pattern(row.text).fullmatch(each)), None) for each in _each(text)
    ]
    if all(found):
        return found[0]
    if len(text.encode()) != CUT:
        return None
    return next((row.tells for row in SLURM_REASONS if row.text.partition("…")[0].startswith(text)), None)


def _each(text: str) -> list[str]:
    """The faults that one registration of a node joins with commas; a text in brackets may hold commas itself."""
    return re.split(r", (?=[A-Zg][a-zA-Z/]+ )", text)


@lru_cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("…"))))
