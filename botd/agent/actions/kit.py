"""What judging and doing have in common: the parts of the agent that they work with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from botd.access.judge import Person
from botd.access.places import Places
from botd.acting.actions import Action
from botd.acting.cycles import Cycle
from botd.acting.guards import Refusal
from botd.agent.actions.known import Known
from botd.agent.actions.look import Looker
from botd.agent.actions.ways import Hands
from botd.agent.people.holders import Holder
from botd.agent.people.roles_file import RolesState, places_of
from botd.config import resolve_path
from botd.errors import BotdError
from botd.ledger import Ledger
from botd.ledger.actions import Stored
from botd.model import Clock
from botd.settings import Config
from botd.transport.slurm_control import SlurmControl


class Refused(BotdError):
    """Raised for what is not done, with the code of the error that says why."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code

    @classmethod
    def by(cls, refusal: Refusal) -> Refused:
        """What a guard refuses."""
        return cls(refusal.code, refusal.words)


class People(Protocol):
    """The ledger's people, as far as actions ask them. Each may raise LedgerUnavailable."""

    def person(self, login: str) -> Person:
        """Who that is. Raises NotAllowed for one who is locked."""

    def check_code(self, login: str, code: str, address: str = "") -> None:
        """Uses up a code. Raises LockedOut, ProofRefused."""

    def prove(self, holder: Holder, code: str, address: str) -> None:
        """The same within a session, which then serves for soft actions."""

    def is_proved(self, holder: Holder, address: str) -> bool:
        """Whether a code was given in this session, and from this address, a moment ago."""


@dataclass(frozen=True)
class Kit:
    """The parts. Each may be used from any thread.

    `why_no_ledger` says why nothing may act by the ledger, None where that was not looked at yet. `is_synchronised` is
    what the kernel says of the clock, None where it says nothing. `cycles` are those of nodes that were out of service,
    botd's own too; the same object as long as there is no new one. `on_end` is called when an action has ended,
    `on_change` where a node may be another than in the node list, which is then to be read anew.
    """

    config: Config
    ledger: Ledger
    people: People
    known: Known
    looker: Looker
    clock: Clock
    roles: Callable[[], RolesState]
    why_no_ledger: Callable[[], str | None]
    is_synchronised: Callable[[], bool | None]
    hands: Hands
    slurm: SlurmControl
    cycles: Callable[[], tuple[Cycle, ...]] = tuple
    on_end: Callable[[], None] = lambda: None
    on_change: Callable[[], None] = lambda: None
    monotonic: Callable[[], float] = time.monotonic

    def places(self) -> Places:
        """The nodes and groups of now, with those that the roles name and that are not believed."""
        config = self.config
        return places_of(
            self.roles().roles, self.known.inventory, config.groups, lambda path: resolve_path(config, path)
        )

    def stop_file_is_there(self) -> bool | None:
        """Whether the file of a stop lies beside the ledger; None where that cannot be told.

        A link that leads nowhere is one too. Not by `exists`, which says no of what it cannot read (Python 3.14).
        """
        try:
            (self.ledger.path.parent / "stop").lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return None
        return True


@dataclass(frozen=True)
class Subject:
    """One action on one node, as it is judged. `id` is 0 as long as it is none."""

    action: Action
    node: str
    login: str
    evidence: str
    proof: frozenset[str]
    is_dry: bool
    asked_at: datetime
    id: int = 0

    @classmethod
    def of(cls, stored: Stored, action: Action) -> Subject:
        """An action of the ledger."""
        proof = frozenset(filter(None, stored.proof.split(",")))
        texts = (stored.node, stored.login, stored.evidence)
        return cls(action, *texts, proof, stored.is_dry, stored.asked_at, stored.id)
