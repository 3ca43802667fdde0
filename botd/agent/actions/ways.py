"""How each action is sent, once, and how it is read back: a hand for each `Way`, and a table in each of what it can do.

An action is prepared before its node is looked at for the last time, so that what changes between that look and the
sending is noticed by who is sent to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botd.acting.actions import Action, Way
from botd.ledger.actions import Stored

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


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether the effect is there, None where that cannot be read, and what else is seen, in words.

    `has_happened` where what is seen could not be so if nothing had been done, whatever was answered.
    """

    is_there: bool | None
    words: str = ""
    has_happened: bool = False


class Hand(Protocol):
    """A way to a node. Used from any thread."""

    def cannot(self, action: Action) -> str:
        """Why an action cannot be done this way here; empty where it can."""

    def prepare(self, stored: Stored) -> Any | NotDone:
        """What `send` needs. It changes nothing."""

    def send(self, stored: Stored, prepared: Any, go: Go) -> Sent | NotDone:
        """Sends exactly once, after `go` has said so."""

    def seen(self, stored: Stored) -> Seen:
        """What is read back of it."""


Hands = Mapping[Way, Hand]


def why_cannot(hands: Hands, action: Action) -> str:
    """Why this botd cannot do an action; empty where it can."""
    hand = hands.get(action.way)
    return hand.cannot(action) if hand else "it is not built yet"
