"""Does the node have power."""

from __future__ import annotations

from botd.answers import PowerAnswer, PowerState, Source
from botd.model import Check, Facts, Finding, State

POWERED_BY_SLURM = {"POWERED_DOWN", "POWERING_DOWN", "POWER_DOWN"}
"""Flags of a node that Slurm itself switched off to save power (slurm.conf(5), SuspendProgram)."""


def ipmi_state(answer: PowerAnswer, facts: Facts) -> Finding:
    """`on`, `off` or `unknown`, as the BMC says. Off is a failure unless Slurm switched the node off."""
    if answer.not_asked:
        return Finding(State.SKIPPED, None, answer.not_asked)
    value = answer.power.value
    if answer.power is PowerState.UNKNOWN:
        return Finding(State.UNKNOWN, value, answer.detail or "the BMC did not say")
    if answer.power is PowerState.ON:
        return Finding(State.OK, value, answer.detail or "power is on")
    if facts.slurm and POWERED_BY_SLURM.intersection(facts.slurm.flags):
        return Finding(State.OK, value, "power is off: Slurm is saving power")
    return Finding(State.FAIL, value, answer.detail or "power is off")


CHECK = Check(
    name="ipmi_state",
    title="Power",
    help="Power state from the BMC: on, off or unknown.",
    source=Source.POWER,
    needs=("ipmi_reachable",),
    parent="ipmi",
    parse=ipmi_state,
    says_how=True,
)
