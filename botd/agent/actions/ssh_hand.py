"""The hand for what is done on the node itself: one command of the site, by the ssh of the sweeps and as their user."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from botd.acting.actions import Action
from botd.agent.actions.ways import Go, NotDone, Seen, Sent
from botd.answers import LoginAnswer, Output
from botd.ledger.actions import Stored
from botd.model import SlurmNode
from botd.settings import ActionsSettings
from botd.text import one_line

NOT_SET = "[actions] restart_slurmd is not set: nothing restarts slurmd"

HARMLESS = "true"
"""What a node has to run before anything else does: a shell that hangs would run the command whenever it likes."""

BY_SIGNAL = 128
"""An exit status beyond it is that of a command that a signal has ended, somewhere on its way."""

Tell = Callable[[str, SlurmNode | None, str], LoginAnswer | Output]
"""Runs a command on a node, at most once; what came of it, or of the login where that failed."""


class SshHand:
    """Acts on the node. `look` gives what Slurm has on a node now; None where that cannot be read."""

    def __init__(self, settings: ActionsSettings, tell: Tell, look: Callable[[str], SlurmNode | None]) -> None:
        self._commands = {"restart-slurmd": settings.restart_slurmd}
        self._tell = tell
        self._look = look
        self._before: dict[str, datetime | None] = {}  # when the slurmd of a node had started that was told last

    def cannot(self, action: Action) -> str:
        """Why not: it is no command, or the site has set none."""
        if action.name not in self._commands:
            return "it is not built yet"
        return "" if self._commands[action.name] else NOT_SET

    def prepare(self, stored: Stored) -> SlurmNode | NotDone | None:
        """What Slurm has on the node, once its shell has shown that it runs commands."""
        listed = self._look(stored.node)
        answer = self._tell(stored.node, listed, HARMLESS)
        return listed if isinstance(answer, Output) and answer.status == 0 else _no_way(answer)

    def send(self, stored: Stored, prepared: SlurmNode | None, go: Go) -> Sent | NotDone:
        """One command. What ends without an exit status of its own may have run, and is never sent again."""
        self._before[stored.node] = prepared.slurmd_started_at if prepared else None
        if not go():
            return NotDone("not-sent", "it was withdrawn before it was sent")
        answer = self._tell(stored.node, prepared, self._commands[stored.action])
        if isinstance(answer, LoginAnswer):
            return _no_way(answer)
        if answer.status is None or answer.status > BY_SIGNAL:
            return Sent(is_certain=False, words=_end_of(answer))
        return NotDone("node-refused", _end_of(answer)) if answer.status else Sent(is_certain=True)

    def seen(self, stored: Stored) -> Seen:
        """Whether Slurm hears from a newer slurmd than before; it may not say when that started."""
        slurm = self._look(stored.node)
        if slurm is None or slurm.slurmd_started_at is None or stored.sent_at is None:
            return Seen(None)
        return Seen(self._is_newer(stored, slurm.slurmd_started_at) and "NOT_RESPONDING" not in slurm.flags)

    def _is_newer(self, stored: Stored, started_at: datetime) -> bool:
        """By the clock of the node where its last start is known; an agent that came after that has its own alone."""
        before = self._before.get(stored.node)
        return started_at > before if before else started_at >= _second(stored.sent_at or stored.changed_at)


def _no_way(answer: LoginAnswer | Output) -> NotDone:
    login = f"ssh to the node: {answer.state} " if isinstance(answer, LoginAnswer) else "the shell of the node: "
    return NotDone("not-sent", login + one_line(answer.detail or "it does not run true"))


def _end_of(answer: Output) -> str:
    if answer.status is None:
        return f"the command may have run: {one_line(answer.detail or 'it did not end in time')}"
    return f"the command ended with exit status {answer.status}: {one_line(answer.text)}".rstrip(": ")


def _second(at: datetime) -> datetime:
    """The second that a time is in: Slurm has the start of a slurmd by whole seconds."""
    return at.replace(microsecond=0)
