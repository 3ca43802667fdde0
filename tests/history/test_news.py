"""What is new since a moment, by the changes on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from botd.history.news import News, news_of
from botd.model import DIAGNOSIS, REASON, SLURM, Change

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
POINT = NOW - timedelta(hours=24)
NODE = "n0007.savio2"


def change(subject: str, old: str, new: str, ago_h: float = 2) -> Change:
    return Change(NODE, subject, old, new, NOW - timedelta(hours=ago_h))


def what_of(*changes: Change, out: bool, begun_h: float = 1000) -> str:
    """Which of new, back and changed the node is, empty for none."""
    found: News = news_of(changes, POINT, NOW - timedelta(hours=begun_h), {NODE} if out else set())
    return " ".join(name for name in ("new", "back", "changed") if NODE in getattr(found, name))


@pytest.mark.parametrize("before", ["in service", "in service, maintenance", "not in Slurm", ""])
def test_a_node_that_left_service_is_new(before: str) -> None:
    assert what_of(change(SLURM, before, "down*"), out=True) == "new"


def test_a_node_that_was_back_for_an_hour_is_new_again() -> None:
    changes = change(SLURM, "drained", "in service", 9), change(SLURM, "in service", "drained", 8)
    assert what_of(*changes, out=True) == "new"


def test_a_node_that_is_in_service_again_is_back() -> None:
    assert what_of(change(SLURM, "drained", "in service"), out=False) == "back"
    gone = change(SLURM, "in service", "down*", 9), change(SLURM, "down*", "in service", 8)
    assert what_of(*gone, out=False) == "back"


def test_a_node_that_slurm_does_not_know_any_more_is_not_back() -> None:
    assert what_of(change(SLURM, "drained", "not in Slurm"), out=False) == ""


@pytest.mark.parametrize(
    "changes",
    [
        (change(SLURM, "down*", "down"),),
        (change(REASON, "no IB", "no IB, called Dell -jd"),),
        (change(REASON, "", "no IB"),),
        (change(DIAGNOSIS, "silent", "powered off"),),
    ],
)
def test_a_node_of_which_something_else_is_so_has_changed(changes: tuple[Change, ...]) -> None:
    assert what_of(*changes, out=True) == "changed"


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (change(DIAGNOSIS, "", "silent"),),
        (change(SLURM, "down*", "down", 9), change(SLURM, "down", "down*", 8)),
    ],
)
def test_a_node_that_is_as_it_was_is_no_news(changes: tuple[Change, ...]) -> None:
    assert what_of(*changes, out=True) == ""


def test_what_a_record_begins_with_is_no_news_and_what_follows_is() -> None:
    first = change(SLURM, "", "down*", 3), change(REASON, "", "Not responding", 3)
    assert what_of(*first, out=True, begun_h=3) == ""
    assert what_of(*first, change(REASON, "Not responding", "no IB", 1), out=True, begun_h=3) == "changed"
    begun_at = NOW - timedelta(hours=3)
    other = Change("n0001.savio2", SLURM, "in service", "down*", NOW - timedelta(hours=1))
    found = news_of([*first, other], POINT, begun_at, {NODE, other.node})
    assert (found.new, found.since, found.is_whole) == ({other.node}, begun_at, False)
    assert news_of([], POINT, POINT - timedelta(hours=1), set()).since == POINT
