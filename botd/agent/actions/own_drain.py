"""The drain of a hard action: the node gets no more jobs before it is switched, and nobody else's drain is touched.

Slurm gives a drain of ours back only where it is ours still, by its text and time, when the action came to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from botd.acting.moves import State
from botd.acting.words import reason_of
from botd.agent.actions.look import Looker
from botd.agent.actions.ways import NotDone
from botd.ledger.actions import Stored
from botd.transport.slurm_control import Done, Refused, SlurmControl, SlurmNow


@dataclass(frozen=True, slots=True)
class OwnDrain:
    """What an action has to do with the drain of its node.

    `stamp` is empty where somebody has drained the node before, and nothing is to be done. `after` is what Slurm had
    once ours was there; None where that was not seen.
    """

    reason: str
    stamp: str = ""
    after: SlurmNow | None = None

    @property
    def words(self) -> str:
        """What is told of it when it is announced."""
        return f'draining it first: "{self.reason}"' if self.stamp else "it is drained already"


class OwnDrains:
    """Drains for actions, and takes back. Used from any thread."""

    def __init__(self, control: SlurmControl, looker: Looker) -> None:
        self._control = control
        self._looker = looker

    def plan(self, stored: Stored) -> OwnDrain | NotDone:
        """Whether the node has to be drained. It changes nothing."""
        reason = reason_of(stored.action, stored.id, stored.login)
        slurm = self._looker.slurm(stored.node)
        if slurm is None:
            return NotDone("slurm-unreadable", "Slurm does not say what the node is")
        if "DRAIN" in slurm.flags:
            return OwnDrain(reason)
        shown = self._control.show(stored.node)
        if isinstance(shown, Refused):
            return NotDone("slurm-unreadable", shown.words)
        return OwnDrain(reason, shown.stamp)

    def put(self, stored: Stored, drain: OwnDrain) -> OwnDrain | NotDone:
        """Drains the node where that is to be done. What the helper does not answer shows when it is re-read."""
        if not drain.stamp:
            return drain
        answer = self._control.drain(stored.node, drain.stamp, drain.reason)
        if isinstance(answer, Refused):
            return NotDone("evidence-changed" if answer.why == "changed" else answer.why, answer.words)
        return replace(drain, after=answer.after)

    def settle(self, stored: Stored, drain: OwnDrain) -> str:
        """Takes our drain back where nothing was done to the node after all; what became of it, in words."""
        came_to_nothing = stored.state in (State.REFUSED, State.FAILED) and stored.is_certain is None
        if not came_to_nothing or not drain.stamp:
            return ""
        shown = self._control.show(stored.node)
        if isinstance(shown, Refused):
            return f"our drain stays, because Slurm cannot be read: {shown.words}"
        if shown.now.reason != drain.reason:
            return ""
        if drain.after and shown.now.at != drain.after.at:
            return "the node was drained again with our reason; that stays"
        answer = self._control.undrain(stored.node, shown.stamp)
        return "our drain was taken back" if isinstance(answer, Done) else f"our drain stays: {answer.words}"
