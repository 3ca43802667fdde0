"""Actions and their states as a person reads them."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from botd.acting.moves import State


class Told(NamedTuple):
    """An action in words: what it is called, what leaves the machine for it, and what comes of it on the node."""

    title: str
    sends: str
    effect: str


DONE = MappingProxyType(
    {
        "identify": Told(
            "Identify",
            "One packet to the BMC of {node}, chassis identify, sent once and never again.",
            "The light at its front blinks for a while, so that it is found in its rack. Nothing on it changes.",
        ),
        "drain": Told(
            "Drain",
            'One line to the helper of Slurm: drain {node}, with the reason "botd: drain <id> by {login}".',
            "Slurm starts no new job on it. Jobs that run there go on to their end.",
        ),
        "resume": Told(
            "Resume",
            "One line to the helper of Slurm: undrain {node}, or resume {node} where it is down.",
            "Slurm starts jobs on it again.",
        ),
    }
)
"""What botd does, by action. What is not here it judges and does not do yet."""

STATES = MappingProxyType(
    {
        State.REQUESTED: "is asked for",
        State.QUEUED: "waits for its turn",
        State.AWAITING: "waits for a second person",
        State.APPROVED: "was agreed to",
        State.RESERVED: "is counted, and the node is locked",
        State.ANNOUNCED: "is announced; anybody may stop it",
        State.REREAD: "looks at the node once more",
        State.SENDING: "is being sent",
        State.SENT: "was sent",
        State.VERIFYING: "is read back",
        State.SUCCEEDED: "succeeded",
        State.FAILED: "failed",
        State.UNKNOWN: "may have happened, nobody knows",
        State.WOULD_HAVE: "would have been done; this was a dry run",
        State.REFUSED: "was refused; nothing was sent",
        State.EXPIRED: "expired; nothing was sent",
        State.VETOED: "was vetoed; nothing was sent",
    }
)
"""What an action does in each state, behind its name."""
