"""The month before the demo: which nodes fell ill, what people did about it, and what came of that.

It is told as the history tells it, in changes, so that botd has something to count on its first morning: it counts
these as it counts what people do at a site. A node that has booted in the month did so because somebody saw to it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from botd.demo.machine import SOUND, Node, Sshd
from botd.demo.site import Site
from botd.history.changes import IN_SERVICE
from botd.model import BOOT, DIAGNOSIS, REASON, SLURM, Change, State

MONTH = timedelta(days=29)
"""What is told of. An agent that starts reads back 30 days of the history."""

SEEN = timedelta(minutes=3)
"""When a sweep comes by."""

HEALED_ALONE, RESUMED = 20, 26
"""Of the usual 320 nodes, those that were silent for some minutes, and those that only had to be put back."""

PER_SITE = 320


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a node can have: botd's title for it, Slurm's state and reason, and the check that tells it with its word.

    `weight` says how often it is seen, `again` which part is ill again within a day of its cure. `ready` is botd's
    title for one that needs nothing but a resume.
    """

    title: str
    state: str
    reason: str
    check: str
    found: str
    weight: int
    again: float
    ready: str = "ready to go back"


_SILENT = Trouble("silent", "down*", "Not responding", "ping", f"{State.FAIL}: no answer", 10, 0.1)

CURED_BY_A_BOOT = (
    _SILENT,
    Trouble("powered off", "down*", "Not responding", "ipmi_state", f"{State.FAIL}: off", 6, 0.05),
    Trouble("hung: ssh says nothing", "down*", "Not responding", "ssh", f"{State.FAIL}: hung", 5, 0.2),
    Trouble(
        "scratch hung", "drained", 'NHC: script timed out while executing "check_fs_mount_rw -f /global/scratch"',
        "df_scratch", str(State.FAIL), 6, 0.1,
    ),
)  # fmt: skip

CURED_BY_ITSELF = (
    Trouble(
        "scratch not mounted", "drained", "NHC: check_fs_mount:  /global/scratch not mounted",
        "df_scratch", str(State.FAIL), 3, 0.05,
    ),
    Trouble(
        "left-over processes", "drained", "Kill task failed", "users", str(State.WARN), 3, 0.1,
        "well, the processes have ended",
    ),
)  # fmt: skip
"""That is: by the file server, or by processes that end at last. The nodes stay drained until somebody resumes them."""

LOGIN_FAILS = {
    Sshd.HUNG: "hung", Sshd.REFUSED: "refused", Sshd.NO_KEY: "auth", Sshd.REINSTALLED: "host-key",
}  # fmt: skip
"""How it is told why a node takes no login."""

COLLEAGUES, SLURMS = "a colleague's", ("root", "slurm")
"""botd's title for a node that a person took out, and under whose names Slurm does so itself."""


def past_changes(site: Site, seed: int, now: datetime) -> list[Change]:
    """What changed in the month before, the oldest first. The same site, seed and time give the same changes.

    How the nodes left service that are ill now Slurm tells, with their reasons, and so it is not told here.
    """
    rng = random.Random(seed)
    begin = now - MONTH
    well = [node for node in site.nodes if node.health is SOUND and not node.standing.reason]
    booted = [node for node in well if begin + timedelta(days=2) < _booted_at(node) < now - timedelta(hours=1)]
    others = [node for node in well if _booted_at(node) < begin]
    rng.shuffle(others)
    scale = len(site.nodes) / PER_SITE
    alone, resumed = round(HEALED_ALONE * scale), round(RESUMED * scale)
    courses = [_booted(node, rng) for node in booted]
    courses += [_healed_alone(node, _some_time(rng, begin, now), rng) for node in others[:alone]]
    courses += [_resumed(node, _some_time(rng, begin, now), rng) for node in others[alone:][:resumed]]
    courses += [_ill_now(node) for node in site.nodes if node.standing.reason]
    return sorted((change for course in courses for change in course), key=lambda change: change.at)


@dataclass
class _Course:
    """The changes of one node as they come, and the words that it had by then."""

    node: str
    words: dict[str, str]
    found: list[Change] = field(default_factory=list)

    def say(self, at: datetime, subject: str, new: str, why: str = "", *, is_bad: bool = False) -> None:
        usual = {SLURM: IN_SERVICE, REASON: "", DIAGNOSIS: ""}.get(subject, str(State.OK))
        self.found.append(Change(self.node, subject, self.words.get(subject, usual), new, at, why, is_bad))
        self.words[subject] = new

    def fall(self, trouble: Trouble, at: datetime) -> None:
        """The node has it from now on."""
        self.say(at, SLURM, trouble.state, trouble.reason, is_bad=True)
        self.say(at, REASON, trouble.reason, f"set by root at {at:%FT%H:%M:%SZ}", is_bad=True)
        self.say(at + SEEN, trouble.check, trouble.found, is_bad=True)
        self.say(at + SEEN, DIAGNOSIS, trouble.title, is_bad=True)

    def boot(self, at: datetime) -> None:
        self.say(at + SEEN, BOOT, _word(at))

    def mend(self, trouble: Trouble, at: datetime) -> None:
        """The cause is gone. Slurm takes a node that was silent back by itself, and a drained one waits for people."""
        self.say(at + SEEN, trouble.check, str(State.OK))
        if trouble.state == "drained":
            self.say(at + SEEN, DIAGNOSIS, trouble.ready)
        else:
            self.go_back(at + SEEN)

    def go_back(self, at: datetime) -> None:
        """The node is in service again."""
        self.say(at, SLURM, IN_SERVICE)
        self.say(at, REASON, "")
        self.say(at + SEEN, DIAGNOSIS, "")


def _course(node: Node) -> _Course:
    return _Course(node.name, {BOOT: _word(_booted_at(node) - timedelta(days=60))})


def _booted(node: Node, rng: random.Random) -> Iterator[Change]:
    """A node that somebody power cycled or switched on, some of them twice: the first time did not help for long."""
    trouble = rng.choices(CURED_BY_A_BOOT, [each.weight for each in CURED_BY_A_BOOT])[0]
    course, last_at = _course(node), _booted_at(node)
    is_second = rng.random() < trouble.again
    at = last_at - timedelta(hours=rng.uniform(8, 12)) if is_second else last_at
    course.fall(trouble, at - timedelta(hours=rng.uniform(0.7, 14)))
    _boot_and_go_back(course, trouble, at, rng)
    if is_second:
        course.fall(trouble, last_at - timedelta(hours=rng.uniform(2, 5)))
        _boot_and_go_back(course, trouble, last_at, rng)
    return iter(course.found)


def _boot_and_go_back(course: _Course, trouble: Trouble, at: datetime, rng: random.Random) -> None:
    course.boot(at)
    course.mend(trouble, at)
    if trouble.state == "drained":
        course.go_back(at + timedelta(minutes=rng.uniform(20, 60)))


def _healed_alone(node: Node, at: datetime, rng: random.Random) -> Iterator[Change]:
    """A node that was silent for so short that nobody can have had a hand in it."""
    course = _course(node)
    course.fall(_SILENT, at)
    course.mend(_SILENT, at + timedelta(minutes=rng.uniform(6, 25)))
    return iter(course.found)


def _resumed(node: Node, at: datetime, rng: random.Random) -> Iterator[Change]:
    """A node that was well again by itself, and drained until somebody put it back; some of them too soon."""
    trouble = rng.choice(CURED_BY_ITSELF)
    course = _course(node)
    course.fall(trouble, at)
    well_at = at + timedelta(hours=rng.uniform(0.5, 3))
    course.mend(trouble, well_at)
    back_at = well_at + timedelta(hours=rng.uniform(0.5, 9))
    course.go_back(back_at)
    if rng.random() < trouble.again:
        again_at = back_at + timedelta(hours=rng.uniform(2, 9))
        course.fall(trouble, again_at)
        course.mend(trouble, again_at + timedelta(hours=1))
        course.go_back(again_at + timedelta(hours=2))
    return iter(course.found)


def _ill_now(node: Node) -> Iterator[Change]:
    """A node that is ill now: that it takes no login since then, where it takes none, and that it is a colleague's."""
    standing, health = node.standing, node.health
    at = datetime.fromtimestamp(standing.reason_at, UTC) + SEEN
    why = "timeout" if health.cut_off or not health.powered else LOGIN_FAILS.get(health.sshd)
    if why:
        yield Change(node.name, "ssh", str(State.OK), f"{State.FAIL}: {why}", at, is_bad=True)
    if standing.reason_by not in SLURMS:
        yield Change(node.name, DIAGNOSIS, "", COLLEAGUES, at, is_bad=True)


def _some_time(rng: random.Random, begin: datetime, now: datetime) -> datetime:
    """A moment of the month, so long ago that all of it is over and was judged."""
    return begin + timedelta(days=1) + rng.random() * (now - begin - timedelta(days=3))


def _booted_at(node: Node) -> datetime:
    return datetime.fromtimestamp(node.booted_at, UTC)


def _word(at: datetime) -> str:
    return f"{at:%FT%H:%M:%SZ}"
