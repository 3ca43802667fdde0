"""What a second press of the same means: the rungs of a ladder are climbed by people, one press each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from botd.acting.actions import Weight
from botd.acting.breaker import BAD
from botd.acting.moves import State

AGAIN = timedelta(hours=1)
"""How long a power off that did not work counts as the first of two."""

UNTOUCHED = ("not-sent", "other-bmc", "left")
"""The codes of what has failed before anything came to the node."""


class Done(Protocol):
    """An action, as far as it matters here."""

    @property
    def id(self) -> int:
        """Its number: a later one is larger."""

    @property
    def node(self) -> str:
        """The node."""

    @property
    def action(self) -> str:
        """Its name."""

    @property
    def is_dry(self) -> bool:
        """Whether it is a dry run."""

    @property
    def weight(self) -> str:
        """That of the table."""

    @property
    def state(self) -> str:
        """Where it stands."""

    @property
    def code(self) -> str:
        """Why it ended badly; empty where it did not."""

    @property
    def sent_at(self) -> datetime | None:
        """When it was sent; None where it was not."""

    @property
    def asked_at(self) -> datetime:
        """When it was pressed."""


class Tried(NamedTuple):
    """An action that came to a node and did not mend it: a rung that is not stepped on twice in one incident."""

    node: str
    action: str
    id: int
    at: datetime


def tried(done: Iterable[Done], since: datetime) -> tuple[Tried, ...]:
    """The actions that were sent since then and have failed, the node not well after them among these.

    What nobody knows the end of is not among them: it may not have come to the node, and a person looks at that first.
    """
    return tuple(
        Tried(each.node, each.action, each.id, each.sent_at)
        for each in done
        if each.state == State.FAILED and each.code not in UNTOUCHED and not each.is_dry
        if each.sent_at and each.sent_at > since
    )


def tried_document(tried: Iterable[Tried]) -> list[list[Any]]:
    """What has failed, as it is told."""
    return [[each.node, each.action, each.id, each.at.timestamp()] for each in tried]


def read_tried(document: Any) -> tuple[Tried, ...]:
    """What such a document tells. Raises ValueError, TypeError or OverflowError for one that is none."""
    return tuple(_read(*each) for each in document)


def _read(node: Any, action: Any, number: Any, at: Any) -> Tried:
    return Tried(str(node), str(action), int(number), datetime.fromtimestamp(at, UTC))


def is_second_off(pressed: Done, done: Sequence[Done]) -> bool:
    """Whether a soft power off was tried within the hour and did not turn the node off: then this is the hard one.

    `done` are all actions on the node, the oldest first. Only the last hard one that was sent counts.
    """
    sent = [each for each in done if each.weight == Weight.HARD and each.sent_at and each.id < pressed.id]
    if not sent or sent[-1].action != "power-off" or sent[-1].state not in BAD:
        return False
    last_at = sent[-1].sent_at
    return last_at is not None and timedelta(0) <= pressed.asked_at - last_at < AGAIN
