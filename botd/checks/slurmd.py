"""Does slurmd run on the node, and which version."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from botd.answers import Output, Source
from botd.checks.processes import ALL_VISIBLE, for_each_process
from botd.model import Check, Facts, Finding, State


def parse_slurmd(output: Output, facts: Facts) -> Finding:
    """An object: `running` and `version` (of the installed slurmd, null when it does not say)."""
    # pid 1234
    # slurm-wlm 22.05.8
    if output.status != 0:
        return Finding(State.UNKNOWN, None, output.text or f"exit status {output.status}")
    first, *others = output.text.splitlines() or [""]
    if not first.startswith("pid"):
        raise ValueError("no pid line")
    running = first.split() != ["pid"]
    words = others[0].split() if others else []
    version = words[1] if len(words) == 2 and words[0].startswith("slurm") else None
    value = {"running": running, "version": version}
    if not running:
        return Finding(State.FAIL, value, "slurmd does not run")
    return Finding(State.OK, value, f"running, version {version or 'not known'}")


def show_slurmd(value: Mapping[str, Any]) -> str:
    """The version of a slurmd that runs."""
    return (value["version"] or "running") if value["running"] else "stopped"


# Where slurmd writes its process id by default (slurm.conf(5), SlurmdPidFile). A search through all processes is
# what takes longest of all on a node with thousands of them.
_BY_FILE = '{ read -r pid </run/slurmd.pid && read -r _ comm state _ <"/proc/$pid/stat"; } 2>/dev/null'
_IS_IT = '[ "$comm" = "(slurmd)" ] && [ "$state" != Z ]'

# A zombie is what is left of a slurmd that died while its parent looks away.
_NOT_DEAD = '{ read -r _ _ state _ <"$p/stat"; } 2>/dev/null && [ "$state" != Z ] && pid=${p#/proc/} && break'

CHECK = Check(
    name="slurmd",
    title="slurmd",
    help="Whether slurmd runs, and its version.",
    source=Source.COMMAND,
    needs=("ssh",),
    command=(
        f"{ALL_VISIBLE}; {{ {_BY_FILE} && {_IS_IT}; }} || {{ pid=; {for_each_process('slurmd', _NOT_DEAD)}; }}\n"
        'echo "pid $pid"; slurmd -V 2>/dev/null || true'
    ),
    parse=parse_slurmd,
    show=show_slurmd,
    columns={"running": itemgetter("running"), "version": itemgetter("version")},
    tells=("version",),
)
