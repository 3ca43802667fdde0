"""What a second press of the same means: the rungs of a ladder are climbed by people, one press each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from botd.acting.actions import Weight
from botd.acting.breaker import BAD

AGAIN = timedelta(hours=1)
"""How long a power off that did not work counts as the first of two."""


class Done(Protocol):
    """An action, as far as it matters here."""

    @property
    def id(self) -> int:
        """Its number: a later one is larger."""

    @property
    def action(self) -> str:
        """Its name."""

    @property
    def weight(self) -> str:
        """That of the table."""

    @property
    def state(self) -> str:
        """Where it stands."""

    @property
    def sent_at(self) -> datetime | None:
        """When it was sent; None where it was not."""

    @property
    def asked_at(self) -> datetime:
        """When it was pressed."""


def is_second_off(pressed: Done, done: Sequence[Done]) -> bool:
    """Whether a soft power off was tried within the hour and did not turn the node off: then this is the hard one.

    `done` are all actions on the node, the oldest first. Only the last hard one that was sent counts.
    """
    sent = [each for each in done if each.weight == Weight.HARD and each.sent_at and each.id < pressed.id]
    if not sent or sent[-1].action != "power-off" or sent[-1].state not in BAD:
        return False
    last_at = sent[-1].sent_at
    return last_at is not None and timedelta(0) <= pressed.asked_at - last_at < AGAIN
