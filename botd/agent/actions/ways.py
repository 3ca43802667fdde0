"""How each action is sent, once, and how it is read back: a hand for each `Way`, and a table in each of what it can do.

An action is prepared before its node is looked at for the last time, so that what changes between that look and the
sending is noticed by who is sent to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from botd.acting.actions import Action, Way
from botd.inventory.states import is_out_of_service
from botd.ledger.actions import Stored
from botd.model import SlurmNode
from botd.transport.bmc.control import NO_USER, BmcControl, Command, identify
from botd.transport.bmc.outcome import Answered, NoAnswer
from botd.transport.slurm_control import NOT_SET, Done, Refused, SlurmControl, Unknown

IDENTIFY_S = 240
"""How long the LED is lit: time to walk to the rack. A BMC counts to 255."""

Go = Callable[[], bool]
"""Called once right before the action leaves, which it does only where this is True."""


@dataclass(frozen=True, slots=True)
class Sent:
    """It was sent. `is_certain` where an answer says that it was done."""

    is_certain: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class NotDone:
    """It was not sent, or whoever it was sent to says that nothing was done."""

    code: str
    words: str


class Hand(Protocol):
    """A way to a node. Used from any thread."""

    def cannot(self, action: Action) -> str:
        """Why an action cannot be done this way here; empty where it can."""

    def prepare(self, stored: Stored) -> Any | NotDone:
        """What `send` needs. It changes nothing."""

    def send(self, stored: Stored, prepared: Any, go: Go) -> Sent | NotDone:
        """Sends exactly once, after `go` has said so."""

    def seen(self, stored: Stored) -> bool | None:
        """Whether the effect is there; None where that cannot be read."""


Hands = Mapping[Way, Hand]


def why_cannot(hands: Hands, action: Action) -> str:
    """Why this botd cannot do an action; empty where it can."""
    hand = hands.get(action.way)
    return hand.cannot(action) if hand else "it is not built yet"


# ---- the BMC ----

COMMANDS: Mapping[str, Command] = MappingProxyType({"identify": identify(IDENTIFY_S)})
"""The one packet of each action."""


class BmcHand:
    """Acts by the BMC. `address` gives that of a node, in digits; None where there is none."""

    def __init__(self, control: BmcControl | None, address: Callable[[str], str | None]) -> None:
        self._control = control
        self._address = address

    def cannot(self, action: Action) -> str:
        """Why not: it is not in the table, or there is no user for it."""
        if action.name not in COMMANDS:
            return "it is not built yet"
        return "" if self._control else NO_USER

    def prepare(self, stored: Stored) -> str | NotDone:
        """The address of the BMC."""
        return self._address(stored.node) or NotDone("other-bmc", "no address is known for the node's BMC")

    def send(self, stored: Stored, prepared: str, go: Go) -> Sent | NotDone:
        """One packet. A completion code that is not 0 is a no."""
        if self._control is None:
            return NotDone("not-sent", NO_USER)
        outcome = self._control.send(prepared, COMMANDS[stored.action], go=go)
        if isinstance(outcome, Answered):
            no = NotDone("bmc-refused", f"the BMC says no: completion code 0x{outcome.code:02x}")
            return no if outcome.code else Sent(is_certain=True)
        if isinstance(outcome, NoAnswer):
            return Sent(is_certain=False, words=outcome.words)
        return NotDone("not-sent", outcome.words)

    def seen(self, stored: Stored) -> bool | None:
        """The completion code is all that there is of an LED."""
        return stored.is_certain or None


# ---- Slurm ----


class Ready(NamedTuple):
    """What the helper compares, and whether the node is down beside what its one word says."""

    stamp: str
    is_down: bool


Order = Callable[[SlurmControl, Stored, Ready], Done | Refused | Unknown]


def _drain(control: SlurmControl, stored: Stored, ready: Ready) -> Done | Refused | Unknown:
    return control.drain(stored.node, ready.stamp, reason_of(stored))


def _take_back(control: SlurmControl, stored: Stored, ready: Ready) -> Done | Refused | Unknown:
    """`undrain` leaves a node down that is; what is down is taken back by `resume`, which other nodes need not."""
    return (control.resume if ready.is_down else control.undrain)(stored.node, ready.stamp)


def _is_drained(stored: Stored, slurm: SlurmNode) -> bool:
    """DRAIN, with the reason of this action and no other."""
    return "DRAIN" in slurm.flags and slurm.reason == reason_of(stored)


def _is_back(stored: Stored, slurm: SlurmNode) -> bool:
    return not is_out_of_service(slurm)


class Verb(NamedTuple):
    """How an action is said to the helper, and by what Slurm shows that it was done."""

    order: Order
    is_done: Callable[[Stored, SlurmNode], bool]


VERBS: Mapping[str, Verb] = MappingProxyType({"drain": Verb(_drain, _is_drained), "resume": Verb(_take_back, _is_back)})
"""The actions that the helper does."""

LONGEST_LOGIN = 40
"""Characters of a login that a reason has: the helper takes no more, and the ledger has all of it by the id."""


class SlurmHand:
    """Acts by the helper for Slurm. `look` gives what Slurm has on a node now; None where that cannot be read."""

    def __init__(self, control: SlurmControl, look: Callable[[str], SlurmNode | None], *, is_set: bool) -> None:
        self._control = control
        self._look = look
        self._is_set = is_set

    def cannot(self, action: Action) -> str:
        """Why not: it is no verb, or there is no way to the helper."""
        if action.name not in VERBS:
            return "it is not built yet"
        return "" if self._is_set else NOT_SET

    def prepare(self, stored: Stored) -> Ready | NotDone:
        """The stamp of the node, which the helper compares, and its base state, which `drained` can hide."""
        shown, slurm = self._control.show(stored.node), self._look(stored.node)
        if isinstance(shown, Refused):
            return NotDone("slurm-unreadable", shown.words)
        if slurm is None:
            return NotDone("slurm-unreadable", "Slurm does not say what the node is")
        return Ready(shown.stamp, slurm.base == "DOWN")

    def send(self, stored: Stored, prepared: Ready, go: Go) -> Sent | NotDone:
        """One line to the helper."""
        if not go():
            return NotDone("not-sent", "it was withdrawn before it was sent")
        answer = VERBS[stored.action].order(self._control, stored, prepared)
        if isinstance(answer, Refused):
            return NotDone("evidence-changed" if answer.why == "changed" else answer.why, answer.words)
        words = answer.words if isinstance(answer, Unknown) else ""
        return Sent(is_certain=isinstance(answer, Done), words=words)

    def seen(self, stored: Stored) -> bool | None:
        """By what Slurm says now."""
        slurm = self._look(stored.node)
        return None if slurm is None else VERBS[stored.action].is_done(stored, slurm)


def reason_of(stored: Stored) -> str:
    """The reason that Slurm gets: `botd: drain 7 by anna`."""
    return f"botd: {stored.action} {stored.id} by {stored.login[:LONGEST_LOGIN]}"
