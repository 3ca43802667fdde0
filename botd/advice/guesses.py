"""What we would guess, before anybody counted: how often an action mends a diagnosis.

A guess counts as four outcomes in the choice (`confidence`), so it rules for a while and is forgotten soon. It is never
in a bound that is shown. Each stands for what the rule itself says: a resume of a node that is well is nearly always
right, a power cycle of one that answers ping may end where it began.
"""

from __future__ import annotations

from types import MappingProxyType

from botd.advice.rules import POWER_CYCLE, POWER_ON, RESTART_SLURMD, RESUME

BY_ACTION = MappingProxyType({RESUME: 0.85, RESTART_SLURMD: 0.7, POWER_ON: 0.8, POWER_CYCLE: 0.65})
"""For every diagnosis that is not named below."""

BY_DIAGNOSIS = MappingProxyType(
    {
        ("ready-prolog", RESUME): 0.7,
        ("ready-rebooted", RESUME): 0.8,
        ("silent", POWER_CYCLE): 0.75,
        ("ssh-hung", POWER_CYCLE): 0.8,
        ("ssh-timeout", POWER_CYCLE): 0.55,
        ("mount-hung", POWER_CYCLE): 0.8,
        ("mount-missing", POWER_CYCLE): 0.75,
        ("mount-fails", POWER_CYCLE): 0.55,
        ("leftovers", POWER_CYCLE): 0.9,
    }
)


def guess(diagnosis: str, action: str) -> float:
    """The chance that the action mends it, for as long as nothing is known."""
    return BY_DIAGNOSIS.get((diagnosis, action), BY_ACTION[action])
