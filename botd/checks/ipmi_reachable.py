"""Does the node's BMC answer at all."""

from __future__ import annotations

from botd.answers import PresenceAnswer, Source
from botd.model import Check, Facts, Finding, State


def ipmi_reachable(answer: PresenceAnswer, facts: Facts) -> Finding:
    """True or false: whether the BMC answered an unauthenticated request."""
    if answer.error:
        return Finding(State.UNKNOWN, None, answer.error)
    if answer.not_asked:
        return Finding(State.SKIPPED, None, answer.not_asked)
    if answer.reachable:
        return Finding(State.OK, True, answer.detail or "the BMC answers")
    return Finding(State.FAIL, False, answer.detail or "the BMC does not answer")


CHECK = Check(
    name="ipmi_reachable",
    title="BMC",
    help="Whether the BMC answers an unauthenticated request.",
    source=Source.PRESENCE,
    parent="ipmi",
    parse=ipmi_reachable,
    silent=("1 BMC does not answer", "{} BMCs do not answer"),
)
