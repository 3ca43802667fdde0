"""One Slurm command: started with a time limit, and every way in which it can fail made one sentence."""

from __future__ import annotations

import time
from collections.abc import Sequence

from botd.config import command_words
from botd.errors import SlurmFailed, SlurmTimeout
from botd.settings import SlurmSettings
from botd.text import shown
from botd.transport.local import CommandMissing, CommandTimeout, Completed, LocalCommandError, run_command

SEE_SLURMCTLD = "see whether slurmctld answers `scontrol ping`"
"""The next step where Slurm itself does not answer."""

SEE_SLURMDBD = "see whether slurmdbd answers `sacctmgr show cluster`"
"""The next step where accounting does not answer: of botd's commands only sacct talks to slurmdbd."""

ADVICE = "If munged is up, restart with"
"""Begins what Slurm's commands say first when munge is away; what is wrong stands in the next line (22.05)."""

DEFAULTS = ("SINFO_", "SQUEUE_", "SACCT_", "SCONTROL_", "SLURM_TIME_FORMAT")
"""Variables by which a user changes what Slurm's commands print (squeue(1), ENVIRONMENT VARIABLES).

SQUEUE_STATES in the agent's environment would hide live jobs; SLURM_CONF and its kind stay.
"""

BROKEN_OFF = (b"Connection reset by peer", b"Zero Bytes were transmitted or received")
"""What a command says when slurmctld ended while it was asked, as in every restart (22.05). Where nobody listens, the
commands wait for slurmctld by themselves."""


def run_slurm(settings: SlurmSettings, tool: str, options: Sequence[str]) -> bytes:
    """What the command configured as `[slurm] <tool>` prints with these options, which must only read.

    It is asked once more where slurmctld ended in the middle of its answer.
    Raises SlurmFailed when there is no such command or it does not end with 0, SlurmTimeout when it does not
    end in time. The message holds the first line that it wrote to standard error and that is no advice.
    """
    command = getattr(settings, tool)
    ends_at = time.monotonic() + settings.timeout
    try:
        words = [*command_words(command), *options]
        completed = run_command(words, timeout_s=settings.timeout, hide=DEFAULTS)
        if completed.status != 0 and any(text in completed.stderr for text in BROKEN_OFF):
            completed = run_command(words, timeout_s=ends_at - time.monotonic(), hide=DEFAULTS)
    except CommandMissing as error:
        raise SlurmFailed(f'"{command}" is missing; set [slurm] {tool} to its full path') from error
    except CommandTimeout as error:
        limit = f"{settings.timeout:g} s"
        step = SEE_SLURMDBD if tool == "sacct" else SEE_SLURMCTLD
        raise SlurmTimeout(f'"{command}" did not end within {limit}; {step}') from error
    except (LocalCommandError, ValueError) as error:
        raise SlurmFailed(f'cannot run "{command}": {shown(str(error), 200)}; check [slurm] {tool}') from error
    if completed.status != 0:
        raise SlurmFailed(f'"{command}" {_ending(completed)}; run it by hand as the user of the agent')
    return completed.stdout


def token_rows(text: str, token: str, tool: str) -> list[str]:
    """The rows of an output in which each starts with `<token>|`, without it; other lines continue a row.

    Reasons and job names may hold newlines (seen in Slurm 22.05); nobody who chose one knew the token.
    Raises SlurmFailed when something stands before the first row.
    """
    mark = f"{token}|"
    rows: list[list[str]] = []
    for line in text.removesuffix("\n").split("\n") if text else []:
        if line.startswith(mark):
            rows.append([line.removeprefix(mark)])
        elif rows:
            rows[-1].append(line)
        else:
            raise unreadable(tool, line)
    return ["\n".join(lines) for lines in rows]


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
