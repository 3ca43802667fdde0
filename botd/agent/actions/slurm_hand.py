"""Actions by the helper for Slurm: `VERBS`, how each is said to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from botd.acting.actions import Action
from botd.acting.words import reason_of
from botd.agent.actions.ways import Go, NotDone, Seen, Sent
from botd.inventory.states import is_out_of_service
from botd.ledger.actions import Stored
from botd.model import SlurmNode
from botd.transport.slurm_control import NOT_SET, Done, Refused, SlurmControl, Unknown


class Ready(NamedTuple):
    """What the helper compares, and whether the node is down beside what its one word says."""

    stamp: str
    is_down: bool


Order = Callable[[SlurmControl, Stored, Ready], Done | Refused | Unknown]


def _drain(control: SlurmControl, stored: Stored, ready: Ready) -> Done | Refused | Unknown:
    return control.drain(stored.node, ready.stamp, reason_of(stored.action, stored.id, stored.login))


def _take_back(control: SlurmControl, stored: Stored, ready: Ready) -> Done | Refused | Unknown:
    """`undrain` leaves a node down that is; what is down is taken back by `resume`, which other nodes need not."""
    return (control.resume if ready.is_down else control.undrain)(stored.node, ready.stamp)


def _is_drained(stored: Stored, slurm: SlurmNode) -> bool:
    """DRAIN, with the reason of this action and no other."""
    return "DRAIN" in slurm.flags and slurm.reason == reason_of(stored.action, stored.id, stored.login)


def _is_back(stored: Stored, slurm: SlurmNode) -> bool:
    return not is_out_of_service(slurm)


class Verb(NamedTuple):
    """How an action is said to the helper, and by what Slurm shows that it was done."""

    order: Order
    is_done: Callable[[Stored, SlurmNode], bool]


VERBS: Mapping[str, Verb] = MappingProxyType({"drain": Verb(_drain, _is_drained), "resume": Verb(_take_back, _is_back)})
"""The actions that the helper does."""


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

    def seen(self, stored: Stored) -> Seen:
        """By what Slurm says now."""
        slurm = self._look(stored.node)
        return Seen(None if slurm is None else VERBS[stored.action].is_done(stored, slurm))
