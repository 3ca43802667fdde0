"""What went wrong last, in slurmd's own words."""

from __future__ import annotations

from botd.answers import Output, Source
from botd.model import Check, Facts, Finding, Option, State
from botd.text import WIDTH, clean

_LINES = 5


def parse_slurmd_log(output: Output, facts: Facts) -> Finding:
    """The last five lines of the slurmd log that tell of an error, oldest first; control characters are out."""
    # [2026-11-23T20:16:54.211] error: Unable to register: Unable to contact slurm controller (connect failure)
    if output.status != 0:
        return Finding(State.UNKNOWN, None, output.text or f"reading the log ended with {output.status}")
    lines = [text for line in output.text.split("\n") if (text := clean(line))][-_LINES:]
    if lines:
        return Finding(State.WARN, lines, lines[-1])
    return Finding(State.OK, lines, "no errors in the end of the log")


# The first tail makes an unreadable file end with its error and not with an empty answer. In a UTF-8 locale
# grep would stop at the first odd byte. "CANCELLED AT" is what a user or a time limit did to a job, which slurmstepd
# logs as an error on every node. Lines are dated by slurmd in the node's own time, in a form that sorts (slurm.conf(5),
# LogTimeFormat); a line that begins otherwise is kept.
_COMMAND = f"""\
log={{path}}; tail -c 1 -- "$log" >/dev/null || exit 1
since=$(date -d "@$(($(date +%s) - 3600 * {{hours}}))" '+[%Y-%m-%dT%H:%M:%S' 2>/dev/null)
tail -c 65536 -- "$log" | grep -aiE 'error|fatal' | grep -avF 'CANCELLED AT' |
awk -v since="$since" '!/^\\[[0-9][0-9][0-9][0-9]-/ || $1 >= since' | cut -b 1-{WIDTH} | tail -n {_LINES}"""

CHECK = Check(
    name="slurmd_log",
    title="slurmd log",
    help="The last errors in slurmd's log.",
    source=Source.COMMAND,
    needs=("ssh",),
    command=_COMMAND,
    parse=parse_slurmd_log,
    lines=True,
    options=(
        Option("path", "str", "/var/log/slurm/slurmd.log", "The log; {node}, {short} and {cluster} are filled in."),
        Option("hours", "int", 24, "Errors older than this many hours are left out."),
    ),
)
