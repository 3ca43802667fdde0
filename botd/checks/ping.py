"""Does the node answer on the network, and how fast."""

from __future__ import annotations

from botd.answers import PingAnswer, Source
from botd.model import Check, Facts, Finding, State


def check_ping(answer: PingAnswer, facts: Facts) -> Finding:
    """The median round trip in ms, null when every packet was lost. Some lost packets are a warning."""
    if answer.error or not answer.sent:
        return Finding(State.UNKNOWN, None, answer.error or "no packet was sent")
    lost = answer.sent - answer.received
    if answer.received == 0:
        return Finding(State.FAIL, None, f"no answer to {answer.sent} packets")
    if lost > 0:
        return Finding(State.WARN, answer.rtt_ms, f"{lost} of {answer.sent} packets lost")
    return Finding(State.OK, answer.rtt_ms, f"{answer.received} of {answer.sent} packets answered")


CHECK = Check(
    name="ping",
    title="Ping",
    help="ICMP echo round trip; null when every packet was lost.",
    unit="ms",
    source=Source.PING,
    parse=check_ping,
    silent=("1 node does not answer ping", "{} nodes do not answer ping"),
    plotted="value",
    always_drawn=True,
)
