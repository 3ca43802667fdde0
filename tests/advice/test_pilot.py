"""A dry run beside what people did: what of the history is their doing, and whether it was the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from botd.advice.pilot import SAME, Agrees, Did, compare, count, in_words
from botd.documents import iso
from botd.model import BOOT, REASON, SLURM, Change

AT = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
NODE = "n0012.savio2"
LATER = AT + timedelta(days=2)


def change(hours: float, subject: str, old: str, new: str, why: str = "") -> Change:
    return Change(NODE, subject, old, new, AT + timedelta(hours=hours), why)


def boot(hours: float) -> Change:
    """A boot that is read half an hour after it."""
    return change(hours + 0.5, BOOT, iso(AT - timedelta(days=9)), iso(AT + timedelta(hours=hours)))


RESUMED = [change(2, SLURM, "drained", "in service"), change(2, REASON, "Kill task failed", "")]
DRAINED = [
    change(3, SLURM, "in service", "draining", "fan fails"),
    change(3, REASON, "", "fan fails", "set by kmf at 2026-11-26T13:00:00.000Z"),
]
BY_SLURM = [
    change(3, SLURM, "in service", "drained", "Kill task failed"),
    change(3, REASON, "", "Kill task failed", "set by root at 2026-11-26T13:00:00.000Z"),
]
SLURMD = [change(1, "slurmd", "fail", "ok")]
ELSE = [change(1, "ping", "fail", "ok"), change(1, SLURM, "down*", "in service"), change(4, "slurmd", "ok", "fail")]


@pytest.mark.parametrize(
    ("changes", "did", "by"),
    [
        (RESUMED, [Did.RESUMED], ""),
        (DRAINED, [Did.DRAINED], "kmf"),
        ([boot(1)], [Did.BOOTED], ""),
        (SLURMD, [Did.SLURMD], ""),
        ([*RESUMED, *DRAINED, boot(1)], [Did.BOOTED, Did.RESUMED, Did.DRAINED], ""),
        (BY_SLURM, [], ""),
        (ELSE, [], ""),
    ],
)
def test_what_people_did_is_read_out_of_the_history(changes: list[Change], did: list[Did], by: str) -> None:
    found = compare("drain", AT, changes, LATER)
    assert [each.did for each in found.deeds] == did
    assert {each.by for each in found.deeds[:1]} <= {by}


@pytest.mark.parametrize("hours", [-1, 25])
def test_what_was_before_it_or_a_day_after_it_is_not_compared(hours: float) -> None:
    assert compare("power-cycle", AT, [boot(hours)], LATER) == ((), Agrees.NOTHING)


@pytest.mark.parametrize(
    ("action", "changes", "after", "agrees"),
    [
        ("resume", RESUMED, 48, Agrees.SAME),
        ("resume", RESUMED, 3, Agrees.SAME),
        ("drain", DRAINED, 48, Agrees.SAME),
        ("power-cycle", [boot(1)], 48, Agrees.SAME),
        ("power-on", [boot(1), *RESUMED], 48, Agrees.SAME),
        ("restart-slurmd", SLURMD, 48, Agrees.SAME),
        ("restart-slurmd", [boot(1)], 48, Agrees.OTHER),
        ("resume", DRAINED, 48, Agrees.OTHER),
        ("resume", DRAINED, 5, Agrees.OPEN),
        ("resume", BY_SLURM, 48, Agrees.NOTHING),
        ("resume", [], 23, Agrees.OPEN),
        ("identify", RESUMED, 48, Agrees.NOT_SEEN),
    ],
)
def test_it_agrees_where_people_did_the_same(action: str, changes: list[Change], after: float, agrees: Agrees) -> None:
    assert compare(action, AT, changes, AT + timedelta(hours=after)).agrees == agrees


def test_what_leaves_a_trace_is_what_is_compared() -> None:
    assert set(SAME) == {"drain", "resume", "restart-slurmd", "power-on", "power-cycle"}


def test_it_is_counted_in_words() -> None:
    found = count([Agrees.SAME] * 14 + [Agrees.OTHER] * 3 + [Agrees.NOTHING] * 2)
    assert in_words(found) == "14 of 19 as people did; 3 they did something else; 2 nothing happened"
    assert in_words(count([Agrees.OPEN])) == "0 of 0 as people did; 1 whose day is not over"
