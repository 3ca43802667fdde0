"""How busy the node is."""

from __future__ import annotations

from botd.answers import Output, Source
from botd.checks.limits import judge
from botd.model import Check, Facts, Finding, Option


def parse_load(output: Output, facts: Facts) -> Finding:
    """The 5-minute load average per core (proc_loadavg(5), getconf(1))."""
    # 0.13 0.22 0.20 1/211 29417
    # 32
    words = output.text.split()
    load, cores = float(words[1]), int(words[5])
    if cores < 1:
        raise ValueError("no cores")
    value = round(load / cores, 2)
    state = judge(value, facts.settings["warn"], facts.settings["fail"])
    return Finding(state, value, f"5-minute load {load:.2f} on {cores} cores")


CHECK = Check(
    name="load",
    title="Load",
    help="5-minute load average per core.",
    unit="per core",
    bare=True,
    source=Source.COMMAND,
    needs=("ssh",),
    # nproc(1) would obey OMP_NUM_THREADS and the cores that sshd is bound to.
    command='read -r line </proc/loadavg; echo "$line"; getconf _NPROCESSORS_ONLN',
    quick=True,
    parse=parse_load,
    plotted="value",
    options=(
        Option("warn", "float", 1.0, "A load per core above this is a warning."),
        Option("fail", "float", None, "A load per core above this is a failure."),
    ),
)
