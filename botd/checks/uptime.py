"""How long the node has been up."""

from __future__ import annotations

from botd.answers import Output, Source
from botd.checks.limits import human_seconds
from botd.model import Check, Facts, Finding, State


def parse_uptime(output: Output, facts: Facts) -> Finding:
    """Seconds since boot: the first number of /proc/uptime (proc_uptime(5))."""
    # 350735.47 234388.90
    up, _idle = output.text.split()
    seconds = int(float(up))
    return Finding(State.OK, seconds, f"up {human_seconds(seconds)}")


CHECK = Check(
    name="uptime",
    title="Uptime",
    help="Time since boot.",
    unit="s",
    source=Source.COMMAND,
    needs=("ssh",),
    command='read -r line </proc/uptime; echo "$line"',
    quick=True,
    parse=parse_uptime,
)
