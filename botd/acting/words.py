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


def _drained_first(action: str) -> str:
    drain = f'drain, with the reason "botd: {action} <id> by {{login}}"'
    return f"Where nobody has drained {{node}} yet, one line to the helper of Slurm: {drain}. After some seconds"


_STAYS = "It stays drained: resume takes it back."

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
        "power-on": Told(
            "Power on",
            f"{_drained_first('power-on')} one packet to its BMC, chassis power on, sent once and never again.",
            f"It boots. It counts as done when it has booted and every check is green. {_STAYS}",
        ),
        "power-off": Told(
            "Power off",
            f"{_drained_first('power-off')} one packet to its BMC, chassis soft power off, sent once and never again; "
            "the hard power off where a soft one within the hour did not turn it off.",
            f"Its operating system shuts down. It counts as done when its power is read off twice. {_STAYS}",
        ),
        "power-cycle": Told(
            "Power cycle",
            f"{_drained_first('power-cycle')} one packet to its BMC, chassis power cycle, sent once and never again.",
            "Its power goes off and on again, whatever runs there. It counts as done when it has booted since and "
            f"every check is green. {_STAYS}",
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

LONGEST_LOGIN = 40
"""Characters of a login that a reason has: the helper takes no more, and the ledger has all of it by the id."""


def reason_of(action: str, number: int, login: str) -> str:
    """The reason that Slurm gets for an action: `botd: drain 7 by anna`."""
    return f"botd: {action} {number} by {login[:LONGEST_LOGIN]}"
