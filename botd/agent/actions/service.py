"""The acting half of the agent, put together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

from botd.access.letters import Letter
from botd.acting.actions import Way
from botd.advice.weighing import Scales
from botd.agent.actions.bmc_hand import BmcHand
from botd.agent.actions.counter import Counter
from botd.agent.actions.driver import Driver
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Kit, People
from botd.agent.actions.known import Known
from botd.agent.actions.look import Looker, Senses, slurm_senses
from botd.agent.actions.machine_clock import is_synchronised
from botd.agent.actions.press import Presses
from botd.agent.actions.proving import Proving
from botd.agent.actions.slurm_hand import SlurmHand
from botd.agent.actions.ssh_hand import SshHand
from botd.agent.actions.teller import Teller
from botd.agent.actions.ways import Hands
from botd.agent.actions.worker import Worker
from botd.agent.latest import LatestReadings
from botd.agent.node_list import NodeList
from botd.agent.people.holders import Holder
from botd.agent.people.roles_file import RolesFile, RolesState
from botd.agent.record import Record
from botd.agent.sweeps import Sweeps
from botd.checks import Checks
from botd.config import read_secret, resolve_path
from botd.inventory.slurm import SlurmReader
from botd.ledger import Ledger
from botd.model import Clock
from botd.probes import Probes
from botd.settings import Config
from botd.store import Store
from botd.transport.bmc.control import BmcControl
from botd.transport.slurm_control import SlurmControl


class Acting:
    """What the agent does to nodes."""

    def __init__(self, kit: Kit, store: Store) -> None:
        judge, proving = Judge(kit), Proving(kit)
        self.driver = Driver(kit, judge, Worker(kit, judge, kit.hands, self._turn), Teller(kit, judge, store))
        presses = Presses(kit, judge, proving, self.driver.taken)
        self._counter = Counter(kit, judge, presses, proving, self._turn)

    def answer(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """What a letter that has to do with actions is answered with. Raises BotdError, ValueError."""
        return self._counter.answer(letter, holder)

    def start(self, stop: threading.Event) -> threading.Thread:
        """The thread in which actions are driven until `stop` is set."""
        thread = threading.Thread(target=self.driver.run, args=(stop,), name="driver", daemon=True)
        thread.start()
        return thread

    def _turn(self) -> None:
        self.driver.turn()


def make_kit(
    config: Config,
    checks: Checks,
    store: Store,
    record: Record,
    people: People,
    nodes: NodeList,
    latest: LatestReadings,
    sweeps: Sweeps,
    clock: Clock,
    scales: Callable[[], Scales],
    on_end: Callable[[], None],
    on_change: Callable[[], None],
) -> Kit:
    """The parts of this agent that actions work with."""
    probes = sweeps.probes
    slurm, jobs = slurm_senses(config.slurm, SlurmReader(config.slurm, resolve=partial(resolve_path, config)))
    senses = Senses(
        slurm=slurm,
        jobs=jobs,
        powers=probes.powers,
        bmc_addresses=lambda: probes.bmc_addresses(nodes.inventory.names()),
        sweep=lambda names: sweeps.read_now(store.sweeps.start(names, list(checks), clock()), names),
        readings=lambda node: latest.all().get(node, {}),
    )
    looker, slurm_control = Looker(senses, clock), SlurmControl(config.actions)
    return Kit(
        config=config,
        ledger=record.ledger,
        people=people,
        known=Known(checks, store, lambda: nodes.inventory, latest.all, clock, config.advice, scales),
        looker=looker,
        clock=clock,
        roles=_Roles(config).look,
        why_no_ledger=lambda: record.why,
        is_synchronised=is_synchronised,
        cycles=lambda: nodes.cycles,
        on_end=on_end,
        on_change=on_change,
        hands=_hands(config, probes, looker, slurm_control, record.ledger, clock),
        slurm=slurm_control,
    )


class _Roles:
    """The roles file, looked at from any thread."""

    def __init__(self, config: Config) -> None:
        self._file = RolesFile(resolve_path(config, config.access.roles_file) if config.access.roles_file else None)
        self._lock = threading.Lock()

    def look(self) -> RolesState:
        with self._lock:
            return self._file.look()


def _hands(
    config: Config, probes: Probes, looker: Looker, slurm_control: SlurmControl, ledger: Ledger, clock: Clock
) -> Hands:
    """The ways to nodes that this site has. Raises ConfigError for a password that cannot be read."""
    settings, control = config.actions, None
    if settings.bmc_user:
        password = read_secret(config, settings.bmc_password_file, "")
        control = BmcControl(config.bmc, settings.bmc_user, password, probes.turns)
    bmc = BmcHand(control, lambda node: probes.bmc_addresses([node]).get(node), looker, ledger, clock)
    slurm = SlurmHand(slurm_control, looker.slurm, is_set=bool(settings.slurm))
    ssh = SshHand(settings, probes.tell, looker.slurm)
    return MappingProxyType({Way.BMC: bmc, Way.SLURM: slurm, Way.SSH: ssh})
