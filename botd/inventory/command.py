"""One question to Slurm: what every command is told, its time limit, and each of its failures made one sentence."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from botd.config import command_words
from botd.errors import SlurmFailed, SlurmTimeout
from botd.settings import SlurmSettings
from botd.text import shown
from botd.transport.local import (
    MAX_OUTPUT,
    CommandMissing,
    CommandTimeout,
    Completed,
    LocalCommandError,
    run_command,
)

log = logging.getLogger(__name__)

SEE_SLURMCTLD = "see whether slurmctld answers `scontrol ping`"
"""The next step where Slurm itself does not answer."""

SEE_SLURMDBD = "see whether slurmdbd answers `sacctmgr show cluster`"
"""The next step where accounting does not answer: only sacct and sacctmgr talk to slurmdbd."""

ADVICE = "If munged is up, restart with"
"""Begins what Slurm's commands say first when munge is away; what is wrong stands in the next line (22.05)."""

SCOPE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sinfo": ("--all", "--local"),
        "scontrol": ("--all", "--local"),
        "squeue": ("--all", "--local"),
        "sacct": ("--allusers", "--local"),
        "sacctmgr": ("--readonly",),  # of this cluster it tells unless it is asked for others
    }
)
"""What stands in every call, so that it is answered for exactly this cluster.

Without `--all` an ordinary user is not told of hidden partitions, of those that it may not use, and by scontrol not
even of the nodes that are in no other (seen in 22.05). Without `--local` a federation with `fed_display`
(slurm.conf(5)) answers for all of its clusters.
"""

DEFAULTS = (
    "SINFO_",
    "SQUEUE_",
    "SACCT_",
    "SCONTROL_",
    "SLURM_CLUSTERS",
    "SLURM_TIME_FORMAT",
    "SLURM_BITSTR_LEN",
    "SLURM_DEBUG_FLAGS",
    "SLURM_JSON",
)
"""How the names of variables begin by which a user changes what Slurm's commands print or whom they ask.

From ENVIRONMENT VARIABLES in sinfo(1), squeue(1), sacct(1) and scontrol(1), Slurm 22.05 to 25.11. SQUEUE_STATES in the
agent's environment would hide live jobs. SLURM_CONF and its kind, which say where Slurm is, stay.
"""

NOT_STARTED = (126, 127)
"""How env(1), a shell and their like end that could not start, or did not find, the program that they were given."""

MAX_LINE = 2**21
"""Bytes of a line, most of which are a list of nodes: 8,000 of the longest names that do not fold. A document in JSON
may all be one line. With no bound a line of 50 MB made the agent 190 MB larger."""

T = TypeVar("T")


class NoAnswer(SlurmFailed):
    """Raised where a command ended without an answer, as while slurmctld is away for a moment."""


def ask_slurm(settings: SlurmSettings, tool: str, options: Sequence[str], read: Callable[[bytes], T]) -> T:
    """What `read` makes of the output of the command `[slurm] <tool>` with these options, which must only read.

    A command that ends early without an answer is asked once more, whatever it says: while slurmctld or munged is
    restarted the words differ with the version and with the moment, and `sinfo --json` of 22.05 even ends with 0, and
    an empty document. Where nobody listens the commands wait by themselves; where less than half of the time is
    left there is no second try.
    Raises SlurmFailed when there is no such command or it does not end with 0, SlurmTimeout when it does not
    end in time. The message holds the first line that it wrote to standard error and that is no advice.
    """
    until = time.monotonic() + settings.timeout
    try:
        return read(_output(settings, tool, options, until))
    except NoAnswer as error:
        if until - time.monotonic() < settings.timeout / 2:
            raise
        log.debug("asking once more: %s", error)
    return read(_output(settings, tool, options, until))


def _output(settings: SlurmSettings, tool: str, options: Sequence[str], until: float) -> bytes:
    """What one run of the command prints. Raises NoAnswer, SlurmFailed, SlurmTimeout."""
    command = getattr(settings, tool)
    try:
        words = [*command_words(command), *SCOPE[tool], *options]
        most = MAX_OUTPUT if "--json" in options else MAX_LINE
        completed = run_command(words, timeout_s=until - time.monotonic(), max_line=most, hide=DEFAULTS)
    except CommandMissing as error:
        raise SlurmFailed(f'"{command}" is missing; set [slurm] {tool} to its full path') from error
    except CommandTimeout as error:
        limit = f"{settings.timeout:g} s"
        step = SEE_SLURMDBD if tool in ("sacct", "sacctmgr") else SEE_SLURMCTLD
        raise SlurmTimeout(f'"{command}" did not end within {limit}; {step}') from error
    except (LocalCommandError, ValueError) as error:
        raise SlurmFailed(f'cannot run "{command}": {shown(str(error), 200)}; check [slurm] {tool}') from error
    if completed.status != 0:
        kind = SlurmFailed if completed.status in NOT_STARTED else NoAnswer
        raise kind(f'"{command}" {_ending(completed)}; run it by hand as the user of the agent')
    return completed.stdout


def token_rows(text: str, token: str, tool: str) -> list[str]:
    """The rows of an output in which each starts with `<token>|`, without it; other lines continue a row.

    Reasons and job names may hold newlines (seen in Slurm 22.05); nobody who chose one knew the token.
    Raises SlurmFailed when something stands before the first row.
    """
    before, *rows = f"\n{text.removesuffix(chr(10))}".split(f"\n{token}|")
    if text and before:
        raise unreadable(tool, before[1:].partition("\n")[0])
    return rows


def unreadable(tool: str, what: str) -> SlurmFailed:
    """The error to raise for output that cannot be read, showing its beginning."""
    return SlurmFailed(f'{tool} printed what cannot be read: "{shown(what, 80)}"; run it by hand')


def _ending(completed: Completed) -> str:
    """How a command ended: `failed with status 1: slurm_load_jobs error: Unable to contact slurm ...`."""
    lines = completed.stderr.decode("utf-8", "replace").strip().split("\n")
    said = next((line.strip() for line in lines if ADVICE not in line), "")
    status = completed.status
    how = f"failed with status {status}" if status > 0 else f"died of signal {-status}"
    return f"{how}: {shown(said, 200)}" if said else how
