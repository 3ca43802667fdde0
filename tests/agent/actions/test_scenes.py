"""What may happen while a node is power cycled, at each step of it; `make press` plays all steps, `make test` some.

What must hold is counted by the fixture: one packet at most, no job ended, no line lost, no success that is none.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from botd.errors import LedgerUnavailable
from tests.agent.actions.killed import run_until_killed
from tests.agent.actions.works import NODES, Works, works_again
from tests.conftest import leave_out
from tests.press.site import LONG
from tests.press.truth import ENDS, Caps, Figures, figures, read_ledger
from tests.program import wait_until

NODE = NODES[0]
BEFORE = ("requested", "reserved", "announced", "re-read")
AFTER = ("sending", "sent", "verifying")
STEPS = (*BEFORE, *AFTER)
ENDS_AFTER_TROUBLE = {
    "reserved": ("failed", 0),
    "announced": ("failed", 0),
    "re-read": ("failed", 0),
    "sending": ("succeeded", 1),
    "sent": ("succeeded", 1),
    "verifying": ("succeeded", 1),
}
"""How a power cycle ends at whose step the ledger could not be written for a while, and how many packets were sent."""

FEW = STEPS if LONG else ("announced", "sending")


def at(at_work: Works, step: str, happens: Callable[[], object]) -> None:
    """Has something happen once, right after the move to this step is on the disk."""
    ledger, moved = at_work.hall.ledger, list[str]()
    write, move, reserve = ledger.write, ledger.actions.move, ledger.actions.reserve

    def noted(done: Callable[..., Any]) -> Callable[..., Any]:
        def doing(db: Any, stored: Any, to: Any, *args: Any, **more: Any) -> Any:
            found = done(db, stored, to, *args, **more)
            moved.append(to.target)
            return found

        return doing

    @contextmanager
    def written() -> Iterator[Any]:
        with write() as db:
            yield db
        if step in moved:
            moved.clear()
            ledger.write = write  # type: ignore[method-assign]
            happens()

    ledger.write = written  # type: ignore[method-assign]
    ledger.actions.move = noted(move)  # type: ignore[method-assign]
    ledger.actions.reserve = noted(reserve)  # type: ignore[method-assign]


def cycle(at_work: Works, step: str, happens: Callable[[], object], action: str = "power-cycle") -> str:
    """How a power cycle, or another action, ends during which something happens at a step."""
    at_work.bmc.after = lambda: boots(at_work)
    if step == "requested":
        assert at_work.press(action, NODE, login="kmf")["ok"]
        happens()
    else:
        at(at_work, step, happens)
        assert at_work.press(action, NODE, login="kmf")["ok"]
    return come_to_an_end(at_work)


def boots(at_work: Works) -> None:
    at_work.boot(NODE, at_work.clock() + timedelta(seconds=20))
    at_work.hall.later(seconds=60)


def come_to_an_end(at_work: Works) -> str:
    """The end that it comes to, where the agent goes on as it does, whatever cannot be read or written for a while."""

    def is_over() -> bool:
        with suppress(LedgerUnavailable):
            at_work.driver.step()
        if at_work.states()[-1] == "verifying":
            at_work.hall.later(seconds=300)
        return at_work.driver.is_idle() and at_work.states()[-1] in ENDS

    wait_until(is_over)
    return at_work.states()[-1]


# ---- the world ----


@pytest.mark.scene("slurmctld stops at each step")
@pytest.mark.parametrize("step", FEW)
def test_a_slurm_that_stops_ends_what_is_not_sent_yet(at_work: Works, step: str) -> None:
    end = cycle(at_work, step, lambda: at_work.silent.update({"slurm", "jobs"}))
    may_be = [("refused", 0), ("failed", 0)] if step in BEFORE[:3] else [("succeeded", 1)]
    assert (end, len(at_work.bmc.packets())) in may_be


HARD = ("power-cycle", "power-off", "power-on")
MAY_LIVE: dict[str, Callable[[Works], object]] = {
    "a job starts": lambda at_work: at_work.jobs.update({NODE: ("4711",)}),
    "jobs are not known": lambda at_work: at_work.silent.add("jobs"),
    "Slurm knows no such node": lambda at_work: (at_work.helper.directory / "nodes" / NODE).unlink(),
}


@pytest.mark.scene("a job starts between look and packet")
@pytest.mark.parametrize("step", BEFORE[:3] if LONG else ["announced"])
@pytest.mark.parametrize("action", HARD)
@pytest.mark.parametrize("what", MAY_LIVE if LONG else ["a job starts"])
def test_a_job_that_may_live_at_any_step_before_the_last_look_goes_on(
    at_work: Works, what: str, action: str, step: str
) -> None:
    if action == "power-on":
        at_work.powers[NODE] = "off"
        at_work.helper.put(NODE, "down*|2026-11-26T19:59:00|slurm|Not responding")
        at_work.refresh()
    end = cycle(at_work, step, lambda: MAY_LIVE[what](at_work), action)
    assert (end in ("refused", "failed"), at_work.bmc.packets()) == (True, [])


@pytest.mark.scene("a person drains in that moment")
@pytest.mark.parametrize("step", FEW)
def test_the_reason_of_a_person_stays_at_any_step(at_work: Works, step: str) -> None:
    theirs = "drained|2026-11-26T20:00:07|jd|RMA open"
    end = cycle(at_work, step, lambda: at_work.helper.put(NODE, theirs))
    # Once the last look was taken it is too late: the packet leaves within seconds.
    assert end in (("refused", "failed") if step in BEFORE[:3] else ("succeeded",))
    assert (at_work.helper.directory / "nodes" / NODE).read_text().rstrip() == theirs


@pytest.mark.scene("the clock is set back an hour")
@pytest.mark.parametrize("step", FEW)
def test_a_clock_that_is_set_back_sends_nothing_twice_and_frees_no_cap(at_work: Works, step: str) -> None:
    cycle(at_work, step, lambda: at_work.hall.later(hours=-1))
    assert len(at_work.bmc.packets()) <= 1
    at_work.hall.later(hours=-1)
    assert not at_work.press("power-cycle", NODE, login="kmf")["ok"]


# ---- the ledger ----


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, on which the ledger will lie."""
    if os.geteuid() != 0:
        leave_out("a file system of its own needs root: run `make test` as root")
    folder = tmp_path / "ledger"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "disk", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes the ledger, and does not end."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(path: Path) -> Iterator[None]:
    """The disk of the ledger has no room."""
    ballast = path.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while shutil.disk_usage(path.parent).free:
            file.write(bytes(shutil.disk_usage(path.parent).free))
    yield
    ballast.unlink()


@pytest.mark.scene("the ledger is full or locked")
@pytest.mark.parametrize("step", [step for step in FEW if step != "requested"])
@pytest.mark.parametrize("trouble", [full, locked])
def test_a_ledger_that_takes_nothing_ends_the_work_and_is_gone_on_with(
    disk: Path, at_work: Works, step: str, trouble: Callable[[Path], Any]
) -> None:
    ledger = at_work.hall.ledger
    assert ledger.path.parent == disk
    sa.event.listen(ledger._db._engine, "checkout", impatiently)
    with ExitStack() as troubles:
        at(at_work, step, lambda: troubles.enter_context(trouble(ledger.path)))
        at_work.bmc.after = lambda: boots(at_work)
        assert at_work.press("power-cycle", NODE, login="kmf")["ok"]
        with suppress(LedgerUnavailable):
            at_work.driver.step()
        wait_until(at_work.driver.is_idle)
        assert at_work.states() == [step]
    end = come_to_an_end(at_work)
    # What was written ahead may have happened, or not: who comes later can only look.
    assert (end, len(at_work.bmc.packets())) == ENDS_AFTER_TROUBLE[step]


def impatiently(connection: Any, *_: object) -> None:
    connection.execute("PRAGMA busy_timeout = 50")


@pytest.mark.parametrize("point", ["after sending", "packet", "after sent"] if LONG else ["packet"])
def test_by_a_ledger_that_is_damaged_nothing_is_sent_again(
    at_work: Works, found: dict[str, Figures], point: str
) -> None:
    assert at_work.press("power-cycle", NODE)["ok"]
    ledger, folder, now = at_work.hall.ledger, at_work.site.folder, at_work.clock()
    ledger.close()
    assert run_until_killed(folder, now, point) == -9
    told = read_ledger(ledger.path)
    with ledger.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(ledger.path.stat().st_size - 4096))
    with pytest.raises(LedgerUnavailable, match="damaged"), works_again(folder, now) as later:
        later.drive()
    counted = figures(1, at_work.orders(), told, Caps(), (), at_work.jobs_ended())
    found["the ledger is damaged"] = found.get("the ledger is damaged", Figures()) + counted
    assert counted.is_clean, counted
