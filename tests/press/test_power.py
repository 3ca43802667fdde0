"""A node is power cycled for real on the simulated cluster: it boots, is seen to be well, and goes back by a press."""

from __future__ import annotations

from typing import Any

from tests.press.site import PressSite
from tests.press.truth import Figures, pulses
from tests.program import wait_until


def press(site: PressSite, action: str, node: str) -> Any:
    """The action as it ended, pressed by kmf with a new code."""

    refused = dict[str, str]()

    def taken() -> set[int]:
        seen = site.evidence("kmf", [node])
        if seen == refused:
            return set()  # it would be refused again
        answer = site.press("kmf", action, seen, reason="hangs", proof={"otp": site.fresh("kmf")})
        assert answer.ids or answer.code in ("proof-refused", "evidence-changed"), answer
        refused.update(seen if answer.code == "evidence-changed" else {})
        return answer.ids

    (number,) = wait_until(taken, 120)
    return site.end_of(number)


def told(site: PressSite, node: str) -> list[str]:
    return site.program.tool("sinfo", "-h", "-n", node, "-o", "%T|%E").split("|")


def test_a_node_is_cycled_boots_is_well_and_goes_back(site: PressSite, found: dict[str, Figures]) -> None:
    (node,) = idle(site)
    sent = len(list(pulses(site.orders())))
    before = len([order for order in site.orders() if order.node == node])
    action = press(site, "power-cycle", node)
    assert (action["state"], action["code"]) == ("succeeded", ""), action
    state, reason = told(site, node)
    ours = f"botd: power-cycle {action['id']} by kmf"
    assert (state, reason.startswith(ours)) == ("drained", True)  # Slurm may add that it rebooted
    assert press(site, "resume", node)["state"] == "succeeded"
    assert told(site, node)[0] == "idle"
    orders = [order.words for order in site.orders() if order.node == node][before:]
    assert orders == [f"state=drain reason={ours}", "power cycle", "state=resume"]
    figures = site.figures(2)
    found["a power cycle, and a resume"] = figures._replace(sent=figures.sent - sent)
    assert figures.is_clean, figures


def idle(site: PressSite) -> list[str]:
    """A node without a job that no other test has."""
    node = next(node for node in site.free if told(site, node)[0] == "idle")
    site.free.remove(node)
    return [node]
