"""The stand-in tools by name, and the one way to run any of them."""

from __future__ import annotations

from botd.demo.state import ClusterState
from botd.demo.tools import fping, heard, sacct, scontrol, sinfo, squeue
from botd.demo.tools.base import Printed, Tool
from botd.demo.tools.options import Option

TOOLS: dict[str, Tool] = {
    "sinfo": sinfo.sinfo,
    "scontrol": scontrol.scontrol,
    "squeue": squeue.squeue,
    "sacct": sacct.sacct,
    "fping": fping.fping,
    "heard": heard.heard,
}

OPTIONS: dict[str, tuple[Option, ...]] = {
    "sinfo": sinfo.OPTIONS,
    "scontrol": scontrol.OPTIONS,
    "squeue": squeue.OPTIONS,
    "sacct": sacct.OPTIONS,
    "fping": fping.OPTIONS,
}
"""What each of those takes that stand in for a real tool; each option is compared with it."""


def run_tool(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What the tool named by the first word prints when it is given the others."""
    return TOOLS[words[0]](state, words[1:], stdin)
