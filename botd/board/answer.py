"""What may be asked of the board, and what it answers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime

from botd.board.choosing import EVERYTHING, Choice
from botd.documents import StatusHead, status_head
from botd.view import View


@dataclass(frozen=True)
class Question:
    """What a status request asks, understood: every node and check is known.

    `max_age_s` of 0 means read after the request came; `wait_s` is how long the client will wait for that. All nodes
    are read, and then the answer has those of the `choice`.
    """

    nodes: tuple[str, ...]
    checks: tuple[str, ...]
    groups: tuple[str, ...]
    max_age_s: float
    wait_s: float
    uses_sinfo: bool = False
    choice: Choice = EVERYTHING


@dataclass(frozen=True)
class Holding:
    """For how long an answer stays what it is: while the store says nothing new and no reading gets too old.

    A clock that is set back behind `since` ends it too: nothing then says how old the readings are.
    """

    edition: Hashable
    since: datetime
    until: datetime


@dataclass(frozen=True)
class StatusAnswer:
    """The nodes with their readings, and how far they can be trusted. `problems` are sentences for a person.

    Where a filter has `chosen` the nodes, they are so many `of` those asked for.

    `holding` is None where asking again may be another matter: a sweep, a newer node list, an agent that is back.
    """

    as_of: datetime | None
    groups: tuple[str, ...]
    checks: tuple[str, ...]
    nodes: tuple[str, ...]
    complete: bool
    problems: tuple[str, ...]
    sweep: int | None
    revision: tuple[int, int, int]
    view: View = field(compare=False, repr=False)
    holding: Holding | None = None
    of: int | None = None
    chosen: str = ""

    @property
    def identity(self) -> Hashable:
        """What two answers have in common that look the same; without the view, which is as large as the store."""
        return (
            self.as_of,
            self.groups,
            self.checks,
            self.nodes,
            self.complete,
            self.problems,
            self.sweep,
            self.revision,
            self.of,
            self.chosen,
            self.view.morning.scales.edition,
        )

    def head(self) -> StatusHead:
        """The answer without its nodes."""
        return status_head(
            self.groups,
            self.checks,
            as_of=self.as_of,
            count=len(self.nodes),
            complete=self.complete,
            problems=self.problems,
            sweep=self.sweep,
            of=self.of,
            chosen=self.chosen,
        )
