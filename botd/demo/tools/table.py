"""The stand-in tools by name, and the one way to run any of them."""

from __future__ import annotations

from botd.demo.state import ClusterState
from botd.demo.tools.base import Printed, Tool
from botd.demo.tools.fping import fping
from botd.demo.tools.sacct import sacct
from botd.demo.tools.scontrol import scontrol
from botd.demo.tools.sinfo import sinfo
from botd.demo.tools.squeue import squeue

TOOLS: dict[str, Tool] = {
    "sinfo": sinfo,
    "scontrol": scontrol,
    "squeue": squeue,
    "sacct": sacct,
    "fping": fping,
}


def run_tool(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What the tool named by the first word prints when it is given the others."""
    return TOOLS[words[0]](state, words[1:], stdin)
