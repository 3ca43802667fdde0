"""A site where nodes are ready to go back, and a student who may press for some of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from botd.model import Reading, State
from tests.conftest import Site, drained, idle

READY, BESIDE, ELSEWHERE, ILL = "n0010.savio2", "n0011.savio2", "n0002.savio3", "n0012.savio2"
ROLES = """
[[role]]
name = "student"
users = ["anna"]
actions = ["resume"]
nodes = "savio2"
[protected]
nodes = ""
"""
BROWSERS = ("Mozilla/5.0", "ELinks/0.13")


def ready_site(make_site: Callable[..., Site], mode: str = "on", **more: Any) -> Site:
    """Three nodes that are ready to go back, one of them in another partition, and one that is not."""
    site = make_site({"actions": {"mode": mode, "one_user": True}, **more})
    at = site.now - timedelta(hours=5)
    site.nodes(
        idle("n0000.savio2"),
        *(drained(node, "Kill task failed", reason_at=at) for node in (READY, BESIDE, ELSEWHERE, ILL)),
    )
    on, none = Reading(State.OK, value="on"), Reading(State.OK, value=[])
    for node in ("n0000.savio2", READY, ELSEWHERE):
        site.reading(node, ipmi_state=on, jobs=none)
    # What its log and its last job tell is over, and keeps nobody from taking it back.
    site.reading(BESIDE, ipmi_state=on, jobs=none, last_job=Reading(State.WARN, detail="job 7 ended by NODE_FAIL"))
    site.reading(ILL, df_scratch=Reading(State.FAIL, detail="not mounted"), ipmi_state=on, jobs=none)
    site.beat()
    return site
