"""The nouns that the layers hand to each other: frozen, without behaviour beyond reading themselves.

Times are aware `datetime` objects in UTC. `None` means "not known", never zero and never "no".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from botd.answers import Job, Kind, Source

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, aware, in UTC. The one clock of the program; whatever needs time is handed it."""
    return datetime.now(UTC)


class State(StrEnum):
    """What a reading says of the node."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


# ---- what is known of nodes ----


@dataclass(frozen=True, slots=True)
class SlurmNode:
    """What Slurm says of one node.

    `state` is the text that `sinfo` prints (`drained`, `down*`, `mixed`); `base` and `flags` are what it is
    made of, upper case (`IDLE`, `DRAIN`, `NOT_RESPONDING`). A state or flag that botd does not know stands in
    `unrecognised`, as Slurm wrote it. `listed` where Slurm lists it among the down, drained and failing ones, which
    its one word may hide (`inval`, `reboot^`). `address` and `hostname` are NodeAddr and NodeHostName of
    slurm.conf(5), which are the node's name until Slurm knows better. `maintenance` is a reservation with the flag
    MAINT that it lies in, or will before long, from `maintenance_at` until `maintenance_until`; empty for none.
    """

    node: str
    state: str
    base: str
    flags: tuple[str, ...] = ()
    unrecognised: tuple[str, ...] = ()
    reason: str = ""
    reason_by: str = ""
    reason_at: datetime | None = None
    partitions: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    address: str = ""
    hostname: str = ""
    memory_mb: int | None = None
    cpus: int | None = None
    boot_at: datetime | None = None
    slurmd_started_at: datetime | None = None
    slurmd_version: str = ""
    listed: bool = False
    maintenance: str = ""
    maintenance_at: datetime | None = None
    maintenance_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of nodes and where it comes from (a file's path, or `slurm`)."""

    name: str
    source: str
    nodes: tuple[str, ...]


# ---- checks and their results ----


@dataclass(frozen=True, slots=True)
class Facts:
    """What a parse may know besides its own raw answer.

    `jobs` is None when the running jobs are not known, which is not the same as none.
    """

    node: str
    slurm: SlurmNode | None = None
    jobs: tuple[Job, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a parse makes of a raw answer."""

    state: State
    value: Any = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of one check: `[checks.<check>] <name>`, of type `float`, `int` or `str`."""

    name: str
    type: str
    default: Any
    help: str


@dataclass(frozen=True)
class Check:
    """The declaration of a check: all that the sweep, the page, the API, the documents and the history know of it.

    **What it asks.** `needs` are checks that must be ok or warn before this one means anything. `command` (source
    COMMAND only) is a POSIX shell fragment; `{name}` of an option in it becomes that option's value, quoted for the
    shell, in which `{node}`, `{short}` and `{cluster}` stand for the node. `parse` is pure and takes the raw answer of
    `source`; what it cannot read it refuses with ValueError or LookupError, which makes the reading unknown.
    A `quick` command reads the kernel's own files only and never says `exit`: it runs without a time limit of its
    own, which saves the node three processes. `guarded` takes the place of `command` on a node where it did not
    end the last time: it looks whether that run is still there, which costs more, and if so exits with 124. An
    Output without an exit status reaches `parse` only where `reads_cut` says so. `sample` is what the command printed
    on a sound node, from a recorded case: a node of the demo answers with it, unless that simulates the command.

    **How it looks.** `short_title` heads a narrow column. The unit of a `bare` number goes without saying; a list of
    `lines` is counted in a cell and stands line by line on a node's page. Of a value that is an object, `show` makes a
    few characters and `sort_key` the number that its cells sort by: nodes with the same answers fold into one object,
    in which a number may be a range (`botd.checks.ranges`), and whose texts, but for those that it `tells`, may differ
    and are then left out. `columns` are what CSV makes of it: how a column's name ends, with the unit of a number, and
    what is read of the object. `silent` has the words for one and for many that fail, where that means that something
    could not be reached.

    **What is kept of it.** `plotted` names the number that is kept over time: a key of an object, or `value` for a
    value that is a number itself; empty keeps none. The value `says_how` it is where it is a word of its own, which
    stands in the history behind the state: a login that was refused is not one that timed out. With `opens_incident`
    a change for the worse may begin an incident. What is `always_drawn` has its band in the picture of a node even
    when nothing changed in it.

    What `is_own` is a check that the site added.
    """

    name: str
    title: str
    help: str
    source: Source
    parse: Callable[[Any, Facts], Finding]
    unit: str | None = None
    needs: tuple[str, ...] = ()
    parent: str | None = None
    command: str = ""
    timeout_s: float = 5.0
    quick: bool = False
    guarded: str = ""
    reads_cut: bool = False
    sample: str = ""
    options: tuple[Option, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    short_title: str = ""
    bare: bool = False
    lines: bool = False
    show: Callable[[Mapping[str, Any]], str] | None = None
    sort_key: Callable[[Mapping[str, Any]], float | None] | None = None
    columns: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    tells: tuple[str, ...] = ()
    silent: tuple[str, str] | None = None

    plotted: str = ""
    says_how: bool = False
    opens_incident: bool = False
    always_drawn: bool = False
    is_own: bool = False

    @property
    def kind(self) -> Kind:
        """Where it runs."""
        return self.source.kind


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one probe: one check on one node, once. `at` is when the answer came, None if never."""

    state: State
    value: Any = None
    unit: str | None = None
    at: datetime | None = None
    took_s: float | None = None
    detail: str = ""


class SweepState(StrEnum):
    """The life of a sweep. `cut` is one whose agent died before it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CUT = "cut"


ENDED = (SweepState.DONE, SweepState.CUT)
"""The states of a sweep of which nothing more will come."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """All probes of one round, as a client can follow it. `done` and `total` count nodes.

    `nodeset` names them as text: of 10,000 nodes, only who asks them needs to know each name. `fresh` asks for a full
    login to each node, also where a connection is kept.
    """

    id: int
    state: SweepState
    nodeset: str
    checks: tuple[str, ...]
    max_age_s: float
    requested_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    done: int = 0
    total: int = 0
    errors: tuple[str, ...] = ()
    fresh: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED

    @property
    def since(self) -> datetime:
        """Readings from before this are too old for who asked."""
        return self.requested_at - timedelta(seconds=self.max_age_s)


SLURM, REASON, DIAGNOSIS, NOTE, BOOT, STARTED = "slurm", "reason", "diagnosis", "note", "boot", "slurmd_start"
"""The subjects of the history that are no checks, and whose names no check may have: what Slurm says, why, the cause
that botd makes of it, what people note, when the node booted, and when slurmd was started."""


class NoteKind(StrEnum):
    """What a note is: somebody knows of it, does not want to see it for a while, has something to say, has a ticket."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    SAY = "say"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody noted on a node while it had a diagnosis (its title, empty for a node that is well).

    It ends when the diagnosis is another one; one with `until`, which a snooze has, ends then at the latest. `id` is
    None before it is on record.
    """

    node: str
    kind: NoteKind
    text: str
    by: str
    at: datetime
    diagnosis: str
    until: datetime | None = None
    id: int | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether its time is over, though it may still be on record: the agent ends it, and looks once a minute."""
        return self.until is not None and self.until <= now

    def words(self) -> str:
        """What the history says of it: `anna, snooze until 2026-11-27 08:00 UTC: parts ordered`."""
        until = f" until {self.until:%F %H:%M} UTC" if self.until else ""
        said = f": {self.text}" if self.text else ""
        return f"{self.by or 'somebody'}, {self.kind}{until}{said}"


@dataclass(frozen=True, slots=True)
class Change:
    """What became different about a node: the state of a check, or what Slurm (SLURM, REASON) or botd (DIAGNOSIS) says.

    `old` is empty where nothing was known before. `is_bad` says that the new is worse than well. `id` grows with
    every change that is recorded; None before that.
    """

    node: str
    subject: str
    old: str
    new: str
    at: datetime
    why: str = ""
    is_bad: bool = False
    id: int | None = None
