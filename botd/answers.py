"""Raw answers: what a transport brought back, before anybody read a meaning into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PowerState(StrEnum):
    """What a BMC says of its node's power. Off is never inferred from silence."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class SshState(StrEnum):
    """How an ssh login ended."""

    UP = "up"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    HUNG = "hung"
    AUTH = "auth"
    HOST_KEY = "host-key"
    UNRESOLVED = "unresolved"


class Kind(StrEnum):
    """Where a check runs: once for all nodes, once per BMC, or on the node itself."""

    BATCH = "batch"
    BMC = "bmc"
    REMOTE = "remote"


class Source(StrEnum):
    """What brings the raw answer that a check reads, and the type of that answer."""

    PING = "ping"  # PingAnswer, one fping for all nodes
    JOBS = "squeue"  # SlurmAnswer with this node's running jobs, one squeue for all nodes
    LAST_JOB = "sacct"  # SlurmAnswer with this node's newest job, one sacct for all nodes
    LOGIN = "login"  # LoginAnswer, the ssh connection itself
    COMMAND = "command"  # Output, one fragment of the one ssh command
    PRESENCE = "presence"  # PresenceAnswer, an unauthenticated exchange with the BMC
    POWER = "power"  # PowerAnswer, a session with the BMC
    EVENTS = "events"  # EventsAnswer, the same session

    @property
    def kind(self) -> Kind:
        """The kind of the checks that this source feeds."""
        if self in (Source.PING, Source.JOBS, Source.LAST_JOB):
            return Kind.BATCH
        return Kind.BMC if self in (Source.PRESENCE, Source.POWER, Source.EVENTS) else Kind.REMOTE


@dataclass(frozen=True, slots=True)
class PingAnswer:
    """Echo requests sent and answered, and the median round trip. `error` when ping itself could not run."""

    sent: int
    received: int
    rtt_ms: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """How the login ended, with a sentence that says what was seen."""

    state: SshState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """What one fragment printed on the node.

    `status` is its exit status, None where it has none: it ran into its limit (`timed_out`), its output was
    cut (`truncated`), or the node never delivered it (`detail` says why).
    """

    text: str = ""
    status: int | None = None
    timed_out: bool = False
    truncated: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PresenceAnswer:
    """Whether a BMC answered an unauthenticated request at all.

    `not_asked` says why nobody asked it, `error` why it is not known whether there is anybody to ask.
    """

    reachable: bool
    detail: str = ""
    not_asked: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class PowerAnswer:
    """The chassis power as the BMC reports it. `not_asked` says why nobody asked it."""

    power: PowerState
    detail: str = ""
    not_asked: str = ""


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """The newest records of a BMC's event log, 16 bytes each, the newest first (IPMI v2.0 rev. 1.1, 32.1).

    `clock_s` is the BMC's own time then, in seconds since 1970, None where nobody has told it the time; `held` is how
    many records the log has. `error` says why there are not all that were wanted; `nothing_kept` that there is no log,
    or no session to read it in.
    """

    records: tuple[bytes, ...] = ()
    clock_s: int | None = None
    held: int = 0
    error: str = ""
    nothing_kept: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job as squeue or sacct prints it. `job_id` is text: array tasks are `123_4`."""

    job_id: str
    user: str
    state: str
    name: str = ""
    elapsed: str = ""
    exit_code: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SlurmAnswer:
    """The jobs that one Slurm command names for one node; `error` when the command failed, and then no jobs.

    `nothing_kept` says why there is nothing to ask for, where a site has it so.
    """

    jobs: tuple[Job, ...] = ()
    error: str = ""
    nothing_kept: str = ""


Answer = PingAnswer | LoginAnswer | Output | PresenceAnswer | PowerAnswer | EventsAnswer | SlurmAnswer


@dataclass(frozen=True, slots=True)
class Delivery:
    """One raw answer of one node, on its way from a transport to the sweep.

    `check` names the check for source COMMAND and is empty otherwise; `took_s` is None where one run answered
    for many nodes.
    """

    node: str
    source: Source
    answer: Answer
    took_s: float | None = None
    check: str = ""


Deliver = Callable[[Delivery], None]
"""Where a transport puts what it got. Callable from any thread; at most once per node, source and check."""
