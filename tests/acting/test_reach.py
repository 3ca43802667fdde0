"""What may be done to a node that only a worker reaches."""

from __future__ import annotations

import pytest

from botd.acting.actions import BY_NAME
from botd.acting.reach import why_elsewhere
from tests.inventory.test_networks import networks


@pytest.mark.parametrize(
    ("probes", "refused"),
    [
        (["ping"], set()),
        (["ssh"], {"resume", "restart-slurmd", "power-on", "power-cycle"}),
        (["bmc"], {"resume", "identify", "power-on", "power-off", "power-cycle"}),
    ],
)
def test_what_would_go_to_or_rests_on_what_a_worker_reaches_is_refused(probes: list[str], refused: set[str]) -> None:
    """Nothing on the way to a node through Slurm is: `drain` is a line to the controller."""
    found = networks({"name": "a", "nodes": ["n1"], "probes": probes})
    assert {name for name, action in BY_NAME.items() if why_elsewhere(found, action, "n1")} == refused
    assert not any(why_elsewhere(found, action, "n2") for action in BY_NAME.values())
