"""What is wrong with an answer, in sentences for a person: no agent, no Slurm. Pure."""

from __future__ import annotations

from datetime import datetime

from botd.documents import iso
from botd.errors import SlurmFailed, SlurmTimeout
from botd.store import Pulse
from botd.view import NO_LIST


def agent_is_gone(pulse: Pulse) -> str:
    """That nobody reads nodes any more, and since when."""
    seen = iso(pulse.agent_beat_at)
    last = f"it was last seen at {seen}" if seen else "it has never run on this database"
    return f"the agent is not running ({last}): these are the last readings"


def slurm_error(pulse: Pulse, now: datetime) -> SlurmFailed:
    """The error of who asked for Slurm's own list and cannot have it: what failed, and how to see the last good one."""
    kind = SlurmTimeout if pulse.list_status == SlurmTimeout.status else SlurmFailed
    if pulse.list_as_of is None:
        return kind(f"{pulse.list_error}; {NO_LIST}")
    age_s = (now - pulse.list_as_of).total_seconds()
    kept = f"the last good list is kept and {age_s:.0f} s old: add max_age={age_s + 60:.0f} to see it"
    return kind(f"{pulse.list_error}; {kept}")
