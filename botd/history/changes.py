"""What changed: the words that a reading and a Slurm state have in the history, and when they are different.

Pure. A reading that was skipped says nothing about the node, so it changes nothing. The working states of Slurm
(idle, allocated, mixed, completing, ...) are one word, `in service`: jobs come and go, and that is no history of a
node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from botd.checks import Checks
from botd.documents import NodeReadings, ReadingDocument, iso
from botd.inventory.states import is_out_of_service
from botd.model import BOOT, REASON, SLURM, STARTED, Change, Check, SlurmNode, State

IN_SERVICE = "in service"
NOT_LISTED = "not in Slurm"
OUT = "out of service"

NOTED = ("NOT_RESPONDING", "REBOOT_REQUESTED", "REBOOT_ISSUED", "MAINTENANCE")
"""The flags that belong to the history of a node that is in service."""

Words = dict[str, str]
"""The word of each check of a node, as it was last known."""


def word(check: Check, reading: ReadingDocument) -> str:
    """A reading in a word, such as `ok`, `warn`, `fail: timeout`; empty where it was skipped or never taken."""
    state = reading["state"]
    if state == State.SKIPPED or reading["at"] is None:
        return ""
    says_how = check.says_how and state != State.OK and reading["value"]
    return f"{state}: {reading['value']}" if says_how else str(state)


def reading_changes(node: str, words: Words, readings: NodeReadings, checks: Checks, now: datetime) -> Iterator[Change]:
    """What these new readings of a node change, given the words that are known of it; they are brought up to date.

    The first reading of a check is a change only when it is not ok.
    """
    for name, reading in readings.items():
        new, old, taken_at = word(checks[name], reading), words.get(name, ""), reading["at"]
        if not new or taken_at is None:
            continue
        words[name] = new
        if new != old and (old or new != State.OK):
            at = datetime.fromisoformat(taken_at)
            is_bad = reading["state"] in (State.FAIL, State.WARN)
            yield Change(node, name, old, new, min(at, now), reading["detail"], is_bad)


SAME_BOOT = timedelta(minutes=3)
"""How far apart two readings of one boot may be: the clock of who reads it is set now and then, an answer is late."""


def boot_changes(node: str, words: Words, readings: NodeReadings, now: datetime) -> Iterator[Change]:
    """That a node has booted since it was last read, given the words that are known of it; they are brought up to date.

    It is known by its uptime. The first reading is no change.
    """
    found = readings.get("uptime")
    if not found or found["state"] != State.OK or found["at"] is None or not isinstance(found["value"], int):
        return
    at = datetime.fromisoformat(found["at"])
    booted_at, old = at - timedelta(seconds=found["value"]), words.get(BOOT, "")
    if old and abs(booted_at - boot_time(old)) <= SAME_BOOT:
        return
    words[BOOT] = _time_word(booted_at)
    if old and booted_at > boot_time(old):
        yield Change(node, BOOT, old, words[BOOT], min(at, now))


def boot_time(word: str) -> datetime:
    """When a node booted, or slurmd was started, by its word in the history."""
    return datetime.fromisoformat(word)


def _time_word(at: datetime) -> str:
    return f"{at.astimezone(UTC):%FT%H:%M:%SZ}"


def list_changes(old: Mapping[str, SlurmNode], new: Mapping[str, SlurmNode], at: datetime) -> list[Change]:
    """What differs between two node lists of Slurm: states and reasons, also of nodes that came or went.

    Of a node that was out of service also that its slurmd was started.
    """
    found: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        found += _node_changes(name, old.get(name), new.get(name), at)
    return found


def standing(node: SlurmNode | None) -> str:
    """What Slurm thinks of a node, in the words of the history."""
    if node is None:
        return NOT_LISTED
    if is_out_of_service(node):
        return node.state or OUT
    noted = [flag.lower().replace("_", " ") for flag in NOTED if flag in node.flags]
    return ", ".join([IN_SERVICE, *noted])


def _node_changes(name: str, old: SlurmNode | None, new: SlurmNode | None, at: datetime) -> Iterator[Change]:
    before, after = standing(old), standing(new)
    is_bad = new is not None and is_out_of_service(new)
    reason = new.reason if new else ""
    if before != after and (old is not None or is_bad):
        yield Change(name, SLURM, before if old else "", after, at, reason, is_bad)
    if (old.reason if old else "") != reason:
        yield Change(name, REASON, old.reason if old else "", reason, at, _who(new), bool(reason))
    if old and new and is_out_of_service(old):
        yield from _start(old, new, at)


def _start(old: SlurmNode, new: SlurmNode, at: datetime) -> Iterator[Change]:
    """That slurmd was started anew, and not by a boot: SlurmdStartTime and BootTime, as slurmd told Slurm last."""
    if not (old.boot_at and new.boot_at and old.slurmd_started_at and new.slurmd_started_at):
        return
    if new.slurmd_started_at > old.slurmd_started_at and abs(new.boot_at - old.boot_at) <= SAME_BOOT:
        yield Change(new.node, STARTED, _time_word(old.slurmd_started_at), _time_word(new.slurmd_started_at), at)


def _who(node: SlurmNode | None) -> str:
    """Who set the reason, and when, as Slurm says."""
    if node is None or not node.reason:
        return ""
    when = f" at {iso(node.reason_at)}" if node.reason_at else ""
    return f"set by {node.reason_by or 'nobody'}{when}"
