"""What we would guess, before anybody counted: how often an action mends a diagnosis.

A guess counts as four outcomes in the choice (`confidence`), so it rules for a while and is forgotten soon. It is never
in a bound that is shown. Each stands for what the rule itself says: a resume of a node that is well is nearly always
right, a power cycle of one that answers ping may end where it began.
"""

from __future__ import annotations

from types import MappingProxyType

from botd.advice.rules import POWER_CYCLE, POWER_ON, RESTART_SLURMD, RESUME

BY_DIAGNOSIS = MappingProxyType(
    {
        ("powered-off", POWER_ON): 0.8,
        ("silent", POWER_CYCLE): 0.75,
        ("ssh-hung", POWER_CYCLE): 0.8,
        ("ssh-refused", POWER_CYCLE): 0.65,
        ("ssh-timeout", POWER_CYCLE): 0.55,
        ("mount-hung", POWER_CYCLE): 0.8,
        ("mount-missing", POWER_CYCLE): 0.75,
        ("mount-fails", POWER_CYCLE): 0.55,
        ("stuck", POWER_CYCLE): 0.9,
        ("slurmd", RESTART_SLURMD): 0.7,
        ("slurmd", POWER_CYCLE): 0.65,
        ("slurmd-unheard", RESTART_SLURMD): 0.7,
        ("slurmd-unheard", POWER_CYCLE): 0.65,
        ("leftovers", POWER_CYCLE): 0.9,
        ("ready-prolog", RESUME): 0.7,
        ("ready-rebooted", RESUME): 0.8,
        ("ready-killed", RESUME): 0.85,
        ("ready", RESUME): 0.85,
    }
)
"""For each action of each rule's ladder."""

GONE = 0.5
"""For what is on record of a rule or an action that there is no more."""


def guess(diagnosis: str, action: str) -> float:
    """The chance that the action mends it, for as long as nothing is known."""
    return BY_DIAGNOSIS.get((diagnosis, action), GONE)
