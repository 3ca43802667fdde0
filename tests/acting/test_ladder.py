"""The ladder: what was tried on a node, and what a second press of the same means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from botd.acting.ladder import Tried, read_tried, tried, tried_document

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Done:
    id: int = 7
    node: str = "n1"
    action: str = "power-cycle"
    weight: str = "hard"
    state: str = "failed"
    code: str = "not-well"
    is_dry: bool = False
    sent_at: datetime | None = NOW
    asked_at: datetime = NOW


def test_what_came_to_the_node_and_failed_was_tried() -> None:
    assert tried([Done()], NOW - DAY) == (Tried("n1", "power-cycle", 7, NOW),)


@pytest.mark.parametrize(
    "done",
    [
        Done(state="succeeded", code=""),
        Done(state="unknown", code="unknown"),
        Done(state="refused", code="live-job", sent_at=None),
        Done(code="left", sent_at=None),
        Done(code="not-sent"),
        Done(code="other-bmc"),
        Done(is_dry=True),
        Done(sent_at=NOW - DAY),
    ],
)
def test_what_did_not_come_to_it_is_dry_or_long_ago_was_not(done: Done) -> None:
    assert tried([done], NOW - DAY) == ()


def test_what_is_told_is_read_as_the_same() -> None:
    found = tried([Done(), Done(id=8, action="restart-slurmd")], NOW - DAY)
    assert read_tried(tried_document(found)) == found
