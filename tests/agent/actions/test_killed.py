"""An agent that is killed at any step, and again while the next one settles what it finds, does nothing twice."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from botd.audit import verify
from botd.ledger.chain import read_chain
from tests.agent.actions.killed import run_until_killed
from tests.agent.actions.works import NODES, Works, works_again
from tests.program import wait_until

pytestmark = pytest.mark.scene("kill -9 at every step")

AGAIN = ("before any", "after any")
DONE, LEFT, UNKNOWN = "succeeded", "failed", "unknown"

POINTS = (
    # where it dies, what becomes of a drain, and how often it was sent
    ("before reserved", DONE, 1),
    ("after reserved", LEFT, 0),
    ("before re-read", LEFT, 0),
    ("after re-read", LEFT, 0),
    ("before sending", LEFT, 0),
    ("after sending", UNKNOWN, 0),
    ("drained", DONE, 1),
    ("before sent", DONE, 1),
    ("after sent", DONE, 1),
    ("before verifying", DONE, 1),
    ("after verifying", DONE, 1),
    ("before succeeded", DONE, 1),
)
BLIND = (
    # the same of an identify, of which nothing can be read back
    ("after sending", UNKNOWN, 0),
    ("packet", UNKNOWN, 1),
    ("before sent", UNKNOWN, 1),
    ("after sent", DONE, 1),
)

SWITCHED = (
    # the same of a power cycle, with how often Slurm was told to drain the node before it
    ("before reserved", DONE, 1, 1),
    ("after reserved", LEFT, 0, 0),
    ("before announced", LEFT, 0, 0),
    ("after announced", LEFT, 0, 0),
    ("drained", LEFT, 0, 1),
    ("before re-read", LEFT, 0, 1),
    ("after re-read", LEFT, 0, 1),
    ("before sending", LEFT, 0, 1),
    ("after sending", UNKNOWN, 0, 1),
    ("packet", DONE, 1, 1),
    ("before sent", DONE, 1, 1),
    ("after sent", DONE, 1, 1),
    ("before verifying", DONE, 1, 1),
    ("after verifying", DONE, 1, 1),
    ("before succeeded", DONE, 1, 1),
)


@pytest.mark.parametrize(("point", "end", "sent"), POINTS)
def test_an_agent_that_is_killed_does_nothing_twice(at_work: Works, point: str, end: str, sent: int) -> None:
    folder, now = asked(at_work, "drain")
    assert run_until_killed(folder, now, point) == -9
    assert come_to(folder, now) == (end, 0, sent)


@pytest.mark.parametrize(("point", "end", "packets", "drains"), SWITCHED)
def test_nor_does_it_switch_a_node_twice(at_work: Works, point: str, end: str, packets: int, drains: int) -> None:
    folder, now = asked(at_work, "power-cycle")
    assert run_until_killed(folder, now, point) == -9
    assert come_to(folder, now) == (end, packets, drains)


@pytest.mark.parametrize(("point", "end", "sent"), BLIND)
def test_nor_where_nothing_can_be_read_back(at_work: Works, point: str, end: str, sent: int) -> None:
    folder, now = asked(at_work, "identify")
    assert run_until_killed(folder, now, point) == -9
    assert come_to(folder, now) == (end, sent, 0)


@pytest.mark.parametrize(("again", "point", "end", "sent"), [(AGAIN[i % 2], *row) for i, row in enumerate(POINTS)])
def test_nor_does_one_that_is_killed_again_while_it_settles_what_it_found(
    at_work: Works, again: str, point: str, end: str, sent: int
) -> None:
    folder, now = asked(at_work, "drain")
    assert run_until_killed(folder, now, point) == -9
    assert run_until_killed(folder, now, again) == -9
    assert come_to(folder, now) == (end, 0, sent)


def asked(at_work: Works, action: str) -> tuple[Path, datetime]:
    """The folder of an agent that was asked for an action and has not begun, and has let go of its ledger."""
    assert at_work.press(action, NODES[0])["ok"]
    at_work.hall.ledger.close()  # SQLite's locks are the process's: two ledgers on one file in it take them away
    return at_work.site.folder, at_work.clock()


def come_to(folder: Path, now: datetime) -> tuple[str, int, int]:
    """The end that the next agent comes to, and how many packets were sent in all and lines to Slurm.

    Nothing is locked then.
    """
    with works_again(folder, now) as later:
        later.driver.step()
        wait_until(lambda: later.driver.is_idle() or later.states()[-1] == "verifying")
        later.hall.later(seconds=1201)
        later.drive()
        with later.hall.ledger.read() as db:
            assert later.hall.ledger.actions.locked(db) == []
        found = later.actions()[-1].state, len(later.bmc.packets()), len(later.helper.heard())
        path = later.hall.ledger.path
    assert verify(read_chain(path)).broken_at is None
    return found
