"""An agent that acts, in parts: a real ledger with people, a store, the real helper, and nodes that lie in files."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botd.access.letters import Letter
from botd.access.requests import new_request, signed_text
from botd.access.roles import parse_roles
from botd.access.tokens import new_token
from botd.acting.actions import Way
from botd.acting.cycles import Cycle
from botd.acting.guards import Look
from botd.advice.weighing import GUESSED, Scales
from botd.agent.actions.bmc_hand import BmcHand
from botd.agent.actions.kit import Kit
from botd.agent.actions.known import Known
from botd.agent.actions.look import Looker, Senses
from botd.agent.actions.service import Acting
from botd.agent.actions.slurm_hand import SlurmHand
from botd.agent.actions.ways import Go, Hands
from botd.agent.people.roles_file import RolesState
from botd.answers import Job, PowerAnswer, PowerState
from botd.documents import NodeReadings, iso, reading_document
from botd.errors import BotdError
from botd.inventory import Inventory, build, states
from botd.inventory.times import parse_time
from botd.ledger.actions import Stored
from botd.model import Reading, SlurmNode, State
from botd.transport.bmc.control import Command, identify
from botd.transport.bmc.outcome import Answered, NotSent, Outcome
from botd.transport.slurm_control import SlurmControl
from tests.agent.people.parts import HOME, START, Hall, hall
from tests.conftest import Site
from tests.libexec.helper import IDLE, Helper, make_helper
from tests.press.truth import Order
from tests.program import wait_until

ROLES = """
[[role]]
name = "student"
users = ["anna"]
actions = ["identify", "drain", "power-cycle"]
nodes = "savio2"

[[role]]
name = "few"
users = ["bert"]
actions = ["drain"]
nodes = "savio2"
per_hour = 2

[[role]]
name = "pair"
users = ["carl"]
actions = ["drain"]
nodes = "savio2"
approve_by = "approve"

[[role]]
name = "admin"
users = ["kmf"]
actions = ["*"]
nodes = "all"
may = ["re-arm", "approve", "harm"]

[protected]
nodes = "n0009.savio2"
"""
WORDS = {"00": "power off", "01": "power on", "02": "power cycle", "05": "power soft off"}
"""Chassis Control by its data (IPMI v2.0 rev. 1.1, 28.3), as the journal of the simulated cluster has it."""

NODES = tuple(f"n{number:04d}.savio2" for number in range(10, 30))
DRAINED = "n0013.savio2"


class FileBmc:
    """The BMCs: a line of a file for each packet. `answers` is what they say; None is nothing at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: Outcome = Answered(0, None)
        self.guid: str | None = None  # of whichever BMC answers
        self.arrived: Callable[[str, Command], None] = lambda *_: None
        self.after: Callable[[], None] = lambda: None  # when a packet has arrived

    def send(self, address: str, command: Command, *, guid: str | None, go: Go) -> Outcome:
        if guid is not None and guid != self.guid:
            return NotSent("other-bmc", "another BMC than last time answers at this address", self.guid)
        if not go():
            return NotSent("withdrawn", "it was withdrawn before it was sent")
        with self.path.open("a") as file:
            file.write(f"{address} {command.data.hex()}\n")
        self.arrived(address, command)
        self.after()
        return replace(self.answers, guid=self.guid)

    def packets(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []


@dataclass
class Works:
    """The parts, and what a test may say of the world."""

    site: Site
    hall: Hall
    helper: Helper
    roles: str = ROLES
    jobs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)  # `slurm`, `jobs`
    synchronised: bool | None = True
    ledger_why: str | None = ""
    bad: dict[str, State] = field(default_factory=dict)  # of the check `ping` on nodes where it is not green
    swept: list[str] = field(default_factory=list)
    sweeps_work: bool = True
    read: Mapping[str, NodeReadings] = field(default_factory=dict)  # what the agent has of nodes
    scales: Scales = GUESSED
    cycles: tuple[Cycle, ...] = ()
    powers: dict[str, str | None] = field(default_factory=dict)  # `on` where nothing else is said
    tick_s: float = 5.0  # how long each look at the clock that nobody sets takes
    ticks: int = 0
    held: dict[str, str] = field(default_factory=dict)  # the token of each login's session
    pressed: int = 0  # how often somebody has pressed
    lists_wanted: int = 0  # how often the node list was to be read anew

    def __post_init__(self) -> None:
        self._read_at: datetime | None = None
        self.bmc = FileBmc(self.helper.directory / "packets")
        self.bmc.arrived = self._arrived
        self.inventory = self._read_list()
        senses = Senses(self._slurm, self._jobs, self._powers, self._addresses, self._sweep, self._readings)
        looker = Looker(senses, self.clock)
        self.kit = Kit(
            config=self.site.config,
            ledger=self.hall.ledger,
            people=self.hall.logins,
            known=Known(
                self.site.checks,
                self.site.store,
                lambda: self.inventory,
                lambda: self.read,
                self.clock,
                scales=lambda: self.scales,
            ),
            looker=looker,
            clock=self.clock,
            roles=lambda: RolesState(parse_roles(self.roles), self.roles, "digest"),
            why_no_ledger=lambda: self.ledger_why,
            is_synchronised=lambda: self.synchronised,
            hands=self._hands(looker),
            cycles=lambda: self.cycles,
            on_change=self._want_list,
            slurm=SlurmControl(self.site.config.actions),
            monotonic=self._monotonic,
        )
        self.acting = Acting(self.kit, self.site.store)
        self.driver = self.acting.driver

    def _hands(self, looker: Looker) -> Hands:
        """The real ways, to the real helper and to a BMC that lies in a file."""
        bmc: Any = self.bmc  # it stands in for BmcControl, whose packets have tests of their own
        control = SlurmControl(self.site.config.actions)
        slurm = SlurmHand(control, looker.slurm, is_set=True)
        hand = BmcHand(bmc, lambda node: self._addresses().get(node), looker, self.hall.ledger, self.clock)
        return {Way.BMC: hand, Way.SLURM: slurm}

    def _want_list(self) -> None:
        self.lists_wanted += 1

    def clock(self) -> datetime:
        return self.hall.now

    def _monotonic(self) -> float:
        self.ticks += 1
        return self.ticks * self.tick_s

    def again(self, mode: str) -> None:
        """Another agent begins in this mode, which knows what the ledger has and nothing else."""
        self.kit = replace(
            self.kit, config=replace(self.kit.config, actions=replace(self.kit.config.actions, mode=mode))
        )
        self.acting = Acting(self.kit, self.site.store)
        self.driver = self.acting.driver

    # ---- time ----

    def drive(self) -> None:
        """The agent goes on until nobody is at work and everything that was to be started has been."""
        while True:
            before = self.states()
            self.driver.step()
            wait_until(self.driver.is_idle)
            self.driver.step()
            if self.driver.is_idle() and self.states() == before:
                return

    def reach(self, state: str) -> None:
        """The agent goes on until the newest action stands there."""
        self.driver.step()
        wait_until(lambda: self.states()[-1] == state)

    # ---- the world ----

    def refresh(self) -> None:
        """The agent reads its node list."""
        self.inventory = self._read_list()

    def _read_list(self) -> Inventory:
        return build(self._slurm(self._names()).values(), {}, self.clock())

    def _names(self) -> list[str]:
        return sorted(path.name for path in (self.helper.directory / "nodes").iterdir())

    def _slurm(self, names: Sequence[str]) -> Mapping[str, SlurmNode] | None:
        if "slurm" in self.silent:
            return None
        return {name: self._node(name) for name in names if name in self._names()}

    def _node(self, name: str) -> SlurmNode:
        state, at, by, reason = (self.helper.directory / "nodes" / name).read_text().rstrip("\n").split("|", 3)
        base, flags, _ = states.from_text(state)
        told = {"reason": reason, "reason_by": by, "reason_at": parse_time(at)} if at != "Unknown" else {}
        return SlurmNode(name, state, base, flags, partitions=("savio2",), **told)

    def _jobs(self, names: Sequence[str]) -> Mapping[str, tuple[Job, ...]] | None:
        if "jobs" in self.silent:
            return None
        return {node: tuple(Job(job, "eve", "RUNNING") for job in self.jobs.get(node, ())) for node in names}

    def _powers(self, names: Iterable[str]) -> Mapping[str, PowerAnswer]:
        said = {name: self.powers.get(name, "on") for name in names}
        return {name: PowerAnswer(PowerState(power)) for name, power in said.items() if power}

    def _sweep(self, names: Sequence[str]) -> None:
        self.swept += names
        if self.sweeps_work:
            self._read_at = self.clock()

    def _readings(self, node: str) -> NodeReadings:
        if self._read_at is None:
            return {}
        up_s = (self._read_at - self._booted_at(node)).total_seconds()
        found = {"ping": Reading(self.bad.get(node, State.OK), 0.3, "ms"), "uptime": Reading(State.OK, up_s, "")}
        return {name: {**reading_document(each), "at": iso(self._read_at)} for name, each in found.items()}

    def boot(self, node: str, at: datetime) -> None:
        """The node booted then, which outlives this process."""
        (self.helper.directory / f"booted-{node}").write_text(at.isoformat())

    def _booted_at(self, node: str) -> datetime:
        """A day ago where nothing else is said."""
        path = self.helper.directory / f"booted-{node}"
        return datetime.fromisoformat(path.read_text()) if path.exists() else START - timedelta(days=1)

    def _addresses(self) -> Mapping[str, str | None]:
        return {name: f"127.9.0.{number}" for number, name in enumerate(self.inventory.names(), 1)}

    # ---- people ----

    def token(self, login: str) -> str:
        """The token of a session of somebody, who is made where there is no such person yet."""
        if login not in self.held:
            self.hall.person(login)
            self.hall.later(seconds=30)
            self.held[login] = self.hall.log_in(login, "correct horse battery", self.hall.code(login))
        return self.held[login]

    def code(self, login: str) -> str:
        """A code that was not used."""
        self.hall.later(seconds=30)
        return self.hall.code(login)

    def evidence(self, node: str) -> str:
        """What somebody sees who looks at the node now."""
        return str(self.kit.known.evidence(node, Look(slurm=self.inventory.nodes.get(node))))

    def text(self, action: str, nodes: Iterable[str] = (), reason: str = "hangs", nonce: str = "") -> str:
        """A request as the web makes it."""
        evidence = {node: self.evidence(node) for node in nodes}
        return signed_text(new_request(self.site.config.site.name, action, evidence, reason, self.clock(), nonce=nonce))

    def letter(self, kind: str, login: str, says: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a letter of somebody's session, as the desk gives it."""
        return self._ask(kind, self.token(login), says)

    def by_nobody(self, kind: str, says: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a letter with a token that nobody has."""
        return self._ask(kind, new_token(), says)

    def _ask(self, kind: str, token: str, says: Mapping[str, Any]) -> dict[str, Any]:
        self.pressed += kind == "act"
        letter = Letter(kind, secrets.token_urlsafe(9), self.clock().timestamp(), token, HOME, dict(says))
        try:
            return {"ok": True, **self.acting.answer(letter, self.hall.logins.find(token))}
        except BotdError as error:
            return {"ok": False, "code": error.code, "words": str(error)}

    def press(self, action: str, *nodes: str, login: str = "anna", nonce: str = "", **more: Any) -> dict[str, Any]:
        """The answer to a press with a new code; `text` and `proof` may be others."""
        self.token(login)
        proof = more.pop("proof", None) or {"otp": self.code(login)}
        text = more.pop("text", None) or self.text(action, nodes, nonce=nonce)
        return self.letter("act", login, {"text": text, "proof": proof})

    # ---- the truth, which no part of botd reads ----

    def _arrived(self, address: str, command: Command) -> None:
        """A packet that has come to a BMC, and the jobs that its node had then."""
        node = next(node for node, known in self._addresses().items() if known == address)
        data = command.data.hex()
        words = f"identify {data}" if command.number == identify(0).number else WORDS[data]
        row = {"at": self.clock().timestamp(), "node": node, "words": words, "jobs": self.jobs.get(node, ())}
        with (self.helper.directory / "arrived").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def _packets(self) -> list[dict[str, Any]]:
        path = self.helper.directory / "arrived"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def orders(self) -> list[Order]:
        """What scontrol, which cannot be asked when, and the BMCs were told."""
        told = self.helper.heard()
        slurm = [Order(0.0, "Slurm", words[1].removeprefix("nodename="), " ".join(words[2:]), "") for words in told]
        return [*slurm, *(self._done(row["at"], row["node"], row["words"]) for row in self._packets())]

    def _done(self, at: float, node: str, words: str) -> Order:
        """An order to a BMC, with whether the node did what it was told."""
        is_off = self.powers.get(node) == "off"
        has_booted = self._booted_at(node).timestamp() > at and not self.bad.get(node)
        is_done = {"power on": has_booted, "power cycle": has_booted, "power off": is_off, "power soft off": is_off}
        return Order(at, "BMC", node, words, "" if is_done.get(words, True) else "it did nothing")

    def jobs_ended(self) -> int:
        """How many jobs there were on nodes that were switched."""
        return sum(len(row["jobs"]) for row in self._packets() if row["words"].startswith("power"))

    # ---- what is there ----

    def actions(self) -> list[Stored]:
        with self.hall.ledger.read() as db:
            return self.hall.ledger.actions.newest(db, 1000)[::-1]

    def states(self) -> list[str]:
        return [each.state for each in self.actions()]


@contextmanager
def works_again(folder: Path, now: datetime) -> Iterator[Works]:
    """The agent that comes after the one that was made in this folder. A node that it switches boots."""
    helper = Helper(folder / "slurm")
    site = Site(folder, {"actions": {"mode": "on", "slurm": str(helper.path)}})
    with hall(folder) as people:
        people.now = now
        made = Works(site, people, helper)
        made.bmc.after = lambda: made.boot(NODES[0], made.clock() + timedelta(seconds=20))
        yield made
    site.store.close()


@contextmanager
def works(folder: Path, make_site: Any, access: Mapping[str, Any] | None = None, **settings: Any) -> Iterator[Works]:
    """An agent of a cluster of 20 nodes, of which one is drained."""
    helper = make_helper(folder / "slurm")
    for node in NODES:
        if node != DRAINED:
            helper.put(node, IDLE)
    actions = {"mode": "on", "slurm": str(helper.path), **settings}
    site = make_site({"actions": actions, "access": dict(access or {})})
    with hall(folder) as people:
        yield Works(site, people, helper)
