"""The one state behind all simulated parts: nodes, jobs, and what time and commands do to them.

Every node is a frozen value that is replaced as a whole, so a reader in any thread sees a node as it was at one
moment; writers take the lock. Times are seconds since the epoch.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from botd.demo.journal import Journal
from botd.demo.machine import DemoJob, Mount, Node, Partition, Standing
from botd.demo.scenarios import PARTITIONS

BOOT_S = 8.0
"""From power on to a node that answers. A real one takes minutes."""

CYCLE_S = 1.0
"""How long the power stays off in a power cycle."""

SLURMD_TIMEOUT_S = 20.0
"""SlurmdTimeout (slurm.conf(5)): a node that is silent for so long is set down."""

REBOOTED = "Node unexpectedly rebooted"
NOT_RESPONDING = "Not responding"
OF_SLURM = ("", NOT_RESPONDING, REBOOTED)
"""Reasons that Slurm wrote itself and writes over."""


CHANGES = ("drain", "down", "resume", "undrain")
"""The states that an update can ask for."""


@dataclass(frozen=True)
class Times:
    """How fast the simulated world turns, in seconds."""

    boot_s: float = BOOT_S
    cycle_s: float = CYCLE_S
    slurmd_timeout_s: float = SLURMD_TIMEOUT_S


USUAL_TIMES = Times()


class InvalidUpdate(Exception):
    """Raised when slurmctld would refuse an update; the text is its own."""


class ClusterState:
    """The nodes and jobs of the simulated cluster. `watch` is called with each name whose node has changed."""

    def __init__(
        self,
        nodes: Iterable[Node],
        jobs: Iterable[DemoJob],
        clock: Callable[[], float],
        times: Times = USUAL_TIMES,
        partitions: tuple[Partition, ...] = PARTITIONS,
    ) -> None:
        self.partitions = partitions
        self._nodes = {node.name: node for node in nodes}
        self._running: dict[int, DemoJob] = {}
        self._ended: list[DemoJob] = []
        for job in jobs:
            if job.ended_at is None:
                self._running[job.job_id] = job
            else:
                self._ended.append(job)
        self._used = self._count_cores()
        self._clock = clock
        self._times = times
        self._due: list[tuple[float, str, str]] = []
        self._lock = threading.RLock()
        self.journal = Journal(clock)
        self.watch: Callable[[str], object] = lambda _: None

    # ---- reading ----

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name, in the order of Slurm's configuration."""
        return self._nodes

    @property
    def running(self) -> list[DemoJob]:
        """The running jobs, oldest first."""
        with self._lock:
            return sorted(self._running.values(), key=lambda job: job.job_id)

    @property
    def ended(self) -> list[DemoJob]:
        """The jobs of the last day that have ended, oldest first."""
        with self._lock:
            return sorted(self._ended, key=lambda job: job.job_id)

    def now(self) -> float:
        """The time of the simulated world."""
        return self._clock()

    def used_cores(self, name: str) -> int:
        """How many cores of the node jobs hold."""
        return self._used.get(name, 0)

    def users_of(self, name: str) -> set[str]:
        """Who has a running job on the node."""
        return {job.user for job in self.running if name in job.nodes}

    def base(self, node: Node) -> str:
        """The base state that Slurm has for the node, upper case."""
        if node.standing.down:
            return "DOWN"
        used = self.used_cores(node.name)
        return "IDLE" if not used else "ALLOCATED" if used >= node.cores else "MIXED"

    def leds(self) -> dict[str, float]:
        """The nodes whose LED blinks, and how many seconds more."""
        now = self.now()
        return {node.name: node.blinks_until - now for node in self._nodes.values() if node.blinks_until > now}

    # ---- power and LED ----

    def identify(self, name: str, seconds: float) -> None:
        """Lets the node's LED blink for so long, and no longer by what was said before; 0 ends it."""
        with self._lock:
            self._put(replace(self._nodes[name], blinks_until=self.now() + seconds))

    def power_off(self, name: str) -> None:
        """Takes the node's power: it falls silent at once, and Slurm notices after its timeout."""
        with self._lock:
            node = self._nodes[name]
            if not node.health.powered:
                return
            self._forget_plans(name)
            self._put(replace(node, up=False, health=replace(node.health, powered=False)))
            self._plan(self._times.slurmd_timeout_s, name, "lost")

    def power_on(self, name: str) -> None:
        """Gives the node power; it answers after its boot. A node with a dead supply stays off."""
        with self._lock:
            node = self._nodes[name]
            if node.health.powered or node.health.power_dead:
                return
            self._put(replace(node, up=False, health=replace(node.health, powered=True)))
            self._plan(self._times.boot_s, name, "boot")

    def power_cycle(self, name: str) -> None:
        """Off, and on a moment later."""
        self.power_off(name)
        with self._lock:
            self._plan(self._times.cycle_s, name, "power-on")

    # ---- Slurm ----

    def update(self, name: str, state: str, reason: str, by: str) -> None:
        """What `scontrol update nodename=... state=... reason=...` does. Raises InvalidUpdate."""
        with self._lock:
            if name not in self._nodes:
                raise InvalidUpdate("Invalid node name specified")
            node = self._nodes[name]
            standing = self._standing_after(node, state, reason, by)
            self._put(replace(node, standing=standing))
            if standing.down and not node.standing.down:
                self._kill_jobs(name)
            if not standing.down and not node.registers:
                self._plan(self._times.slurmd_timeout_s, name, "lost")

    def _standing_after(self, node: Node, state: str, reason: str, by: str) -> Standing:
        old, word = node.standing, state.lower()
        written = Standing(old.down, old.drain, old.responding, reason or old.reason, by, self.now())
        if word in ("drain", "down") and not reason:
            raise InvalidUpdate("You must specify a reason when DOWNING or DRAINING a node. Request denied")
        if word == "drain":
            return replace(written, drain=True)
        if word == "down":
            return replace(written, down=True)
        if word == "resume" and (old.down or old.drain):
            return Standing(responding=node.registers)
        if word == "undrain":
            # The reason goes with the drain, unless the node is down besides.
            return replace(old, drain=False) if old.down or not old.drain else Standing(responding=old.responding)
        if word == "" and reason:
            return written
        raise InvalidUpdate("Invalid node state specified")

    # ---- on the node ----

    def hang_statfs(self, name: str, path: str) -> None:
        """Leaves a statfs hanging on the mount, as the first look at a dead file server does."""
        with self._lock:
            node = self._nodes[name]
            mounts = {**node.health.mounts, path: Mount.STUCK}
            self._put(replace(node, health=replace(node.health, mounts=mounts)))

    def restart_slurmd(self, name: str) -> None:
        """Starts slurmd anew, which then registers. Slurm leaves the node as it is but for hearing from it."""
        with self._lock:
            node = self._nodes[name]
            health = replace(node.health, slurmd=True, log=())
            standing = replace(node.standing, responding=True)
            self._put(replace(node, health=health, standing=standing, restarted_at=self.now()))

    # ---- time ----

    def next_due(self) -> float | None:
        """When `settle` has something to do, or None."""
        with self._lock:
            return self._due[0][0] if self._due else None

    def settle(self) -> None:
        """Lets happen what is due: boots that end, nodes that Slurm gives up."""
        acts = {"boot": self._boot, "lost": self._lose, "power-on": self.power_on}
        with self._lock:
            while self._due and self._due[0][0] <= self.now():
                _, name, what = heapq.heappop(self._due)
                acts[what](name)

    def _boot(self, name: str) -> None:
        node = self._nodes[name]
        self._kill_jobs(name)
        standing = self._standing_after_boot(node.standing)
        self._put(replace(node, up=True, booted_at=self.now(), health=node.health.after_boot(), standing=standing))

    def _standing_after_boot(self, old: Standing) -> Standing:
        """Down until somebody resumes it; what a person wrote stays in front (Slurm joins reasons with " : ")."""
        reason = REBOOTED if old.reason in OF_SLURM else f"{old.reason.removesuffix(f' : {REBOOTED}')} : {REBOOTED}"
        by = old.reason_by if old.drain and old.reason_by else "root"
        return Standing(True, old.drain, True, reason, by, self.now())

    def _lose(self, name: str) -> None:
        node = self._nodes[name]
        if node.registers or (node.standing.down and not node.standing.responding):
            return
        old = node.standing
        standing = replace(old, down=True, responding=False)
        if not old.reason:
            standing = replace(standing, reason=NOT_RESPONDING, reason_by="root", reason_at=self.now())
        self._kill_jobs(name)
        self._put(replace(node, standing=standing))

    def _kill_jobs(self, name: str) -> None:
        """Ends every job that has the node, as Slurm does when it loses one."""
        for job in [job for job in self._running.values() if name in job.nodes]:
            del self._running[job.job_id]
            self._ended.append(replace(job, state="NODE_FAIL", ended_at=self.now()))
        self._used = self._count_cores()

    # ---- inside ----

    def _count_cores(self) -> dict[str, int]:
        used: dict[str, int] = {}
        for job in self._running.values():
            for name in job.nodes:
                used[name] = used.get(name, 0) + job.cores
        return used

    def _put(self, node: Node) -> None:
        self._nodes[node.name] = node
        self.watch(node.name)

    def _plan(self, after_s: float, name: str, what: str) -> None:
        heapq.heappush(self._due, (self.now() + after_s, name, what))
        self.watch(name)

    def _forget_plans(self, name: str) -> None:
        self._due = [plan for plan in self._due if plan[1] != name]
        heapq.heapify(self._due)
