"""The acting half of the agent, put together."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from botd.access.letters import Letter
from botd.acting.actions import Action
from botd.acting.guards import Look
from botd.agent.actions.counter import Counter
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Kit, People
from botd.agent.actions.known import Known
from botd.agent.actions.look import Looker, Senses, slurm_senses
from botd.agent.actions.machine_clock import is_synchronised
from botd.agent.actions.press import Presses
from botd.agent.actions.proving import Proving
from botd.agent.latest import LatestReadings
from botd.agent.node_list import NodeList
from botd.agent.people.holders import Holder
from botd.agent.people.roles_file import RolesFile, RolesState
from botd.agent.record import Record
from botd.checks import Checks
from botd.config import resolve_path
from botd.inventory.slurm import SlurmReader
from botd.model import Clock
from botd.probes import Probes
from botd.settings import Config
from botd.store import Store


class Acting:
    """What the agent does to nodes."""

    def __init__(self, kit: Kit) -> None:
        judge, proving = Judge(kit), Proving(kit)
        presses = Presses(kit, judge, proving, self._taken)
        self._counter = Counter(kit, judge, presses, proving, self._turn)

    def answer(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """What a letter that has to do with actions is answered with. Raises BotdError, ValueError."""
        return self._counter.answer(letter, holder)

    def _taken(self, number: int, look: Look) -> None:
        """A new action, with the look of its press."""

    def _turn(self) -> None:
        """An action may have come to its turn."""


def make_kit(
    config: Config,
    checks: Checks,
    store: Store,
    record: Record,
    people: People,
    nodes: NodeList,
    latest: LatestReadings,
    probes: Probes,
    clock: Clock,
) -> Kit:
    """The parts of this agent that actions work with."""
    slurm, jobs = slurm_senses(config.slurm, SlurmReader(config.slurm, resolve=partial(resolve_path, config)))
    senses = Senses(
        slurm=slurm,
        jobs=jobs,
        powers=probes.powers,
        bmc_addresses=lambda: probes.bmc_addresses(nodes.inventory.names()),
        readings=lambda node: latest.all().get(node, {}),
    )
    return Kit(
        config=config,
        ledger=record.ledger,
        people=people,
        known=Known(checks, store, lambda: nodes.inventory, latest.all, clock),
        looker=Looker(senses, clock),
        clock=clock,
        roles=_Roles(config).look,
        why_no_ledger=lambda: record.why,
        is_synchronised=is_synchronised,
        cannot=_cannot,
    )


class _Roles:
    """The roles file, looked at from any thread."""

    def __init__(self, config: Config) -> None:
        self._file = RolesFile(resolve_path(config, config.access.roles_file) if config.access.roles_file else None)
        self._lock = threading.Lock()

    def look(self) -> RolesState:
        with self._lock:
            return self._file.look()


def _cannot(action: Action) -> str:
    return "" if action.name in ("identify", "drain") else "it is not built yet"
