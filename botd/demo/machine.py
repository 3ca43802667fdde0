"""What a simulated node is: frozen descriptions of its body, its faults, its place in Slurm, and its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType


class Sshd(StrEnum):
    """What sshd does with a connection."""

    UP = "up"
    REFUSED = "refused"  # nothing listens
    HUNG = "hung"  # stopped: the kernel accepts, nobody speaks
    NO_KEY = "no-key"  # runs, and does not know botd's key
    REINSTALLED = "reinstalled"  # runs with another host key than the known one


class Mount(StrEnum):
    """What a file system does."""

    FINE = "fine"
    MISSING = "missing"
    READ_ONLY = "read-only"
    FULL = "full"
    HUNG = "hung"  # a statfs does not return
    STUCK = "stuck"  # hung, and an earlier statfs still waits


FINE: Mapping[str, Mount] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that can be wrong with a node. The default is a sound one.

    `log` is what slurmd's log tells of errors, without dates; `load` is per core, on top of what jobs cause; `mounts`
    holds the paths that are not fine; `stuck` are the processes that hang in the kernel, as `wchan user/command`; `sel`
    is the BMC's event log, oldest first: how many hours old, and the bytes of a record from the type of its sensor on.
    """

    powered: bool = True
    power_dead: bool = False  # stays off, whatever the BMC is told
    cut_off: bool = False  # runs, but its network is gone
    lossy: bool = False  # one packet of three is lost
    bmc: bool = True
    sel: tuple[tuple[float, str], ...] = ()
    sshd: Sshd = Sshd.UP
    slurmd: bool = True
    log: tuple[str, ...] = ()
    load: float = 0.0
    missing_mb: int = 0
    left_over: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    mounts: Mapping[str, Mount] = field(default_factory=lambda: FINE, hash=False)
    kernel: str = "6.1.0-28-amd64"

    def after_boot(self) -> Health:
        """The same node freshly booted: what lives in memory is gone, what is broken stays broken."""
        lasting = {path: mount for path, mount in self.mounts.items() if mount is Mount.READ_ONLY}
        sshd = Sshd.UP if self.sshd in (Sshd.REFUSED, Sshd.HUNG) else self.sshd
        return replace(
            self, powered=True, sshd=sshd, slurmd=True, log=(), load=0.0, left_over=(), stuck=(), mounts=lasting
        )


SOUND = Health()


@dataclass(frozen=True, slots=True)
class Standing:
    """What slurmctld holds of a node besides its jobs. `reason_at` is in seconds since the epoch."""

    down: bool = False
    drain: bool = False
    responding: bool = True
    reason: str = ""
    reason_by: str = ""
    reason_at: float = 0.0


UNNOTICED = Standing()


@dataclass(frozen=True, slots=True)
class Node:
    """One simulated node. `up` means that its system runs; times are in seconds since the epoch."""

    name: str
    index: int
    cores: int
    memory_mb: int
    partitions: tuple[str, ...]
    features: str
    gres: str
    booted_at: float
    up: bool = True
    health: Health = SOUND
    standing: Standing = UNNOTICED
    restarted_at: float = 0.0
    blinks_until: float = 0.0  # the LED that tells it from its neighbours in the rack

    @property
    def address(self) -> str:
        """Where its ssh server listens."""
        return f"127.77.{self.index // 250}.{self.index % 250 + 1}"

    @property
    def bmc_address(self) -> str:
        """Where its BMC answers."""
        return f"127.78.{self.index // 250}.{self.index % 250 + 1}"

    @property
    def answers(self) -> bool:
        """Whether it answers on the network."""
        return self.up and not self.health.cut_off

    @property
    def slurmd_started_at(self) -> float:
        """When slurmd started: with the system, or since."""
        return max(self.booted_at, self.restarted_at)

    @property
    def registers(self) -> bool:
        """Whether slurmctld hears of its slurmd."""
        return self.answers and self.health.slurmd


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of Slurm; jobs that name none go to the `usual` one; who asks is told of a `hidden` one."""

    name: str
    usual: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class DemoJob:
    """One job; `ended_at` is None while it runs. Times are in seconds since the epoch."""

    job_id: int
    user: str
    name: str
    partition: str
    nodes: tuple[str, ...]
    cores: int  # on each node
    started_at: float
    state: str = "RUNNING"
    ended_at: float | None = None
    exit_code: str = "0:0"
    waited_s: float = 0.0  # from its submission to its start
