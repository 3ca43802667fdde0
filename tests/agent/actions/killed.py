"""An agent in a process of its own that kills itself with SIGKILL at a named point of an action.

A point is `before STATE` or `after STATE`, around the commit of the move to that state; `packet` or `drained`, when
what was sent to the BMC or to Slurm has arrived and its answer is not written yet; or `before any` and `after any`,
around the first move of all.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botd.transport.slurm_control import SlurmControl
from tests.agent.actions.works import Works, works_again
from tests.program import wait_until

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.agent.actions.killed"])


def run_until_killed(folder: Path, now: datetime, point: str) -> int:
    """The exit code of an agent that goes on with what it finds there: -9 where it came to the point."""
    process = PROCESSES.Process(target=_run, args=(folder, now, point))
    process.start()
    process.join(60)
    return process.exitcode or 0


def _run(folder: Path, now: datetime, point: str) -> None:
    with works_again(folder, now) as at_work:
        _arm(at_work, point)
        at_work.driver.step()
        wait_until(lambda: at_work.driver.is_idle() or at_work.states()[-1] == "verifying")
        at_work.hall.now += timedelta(seconds=1201)
        at_work.drive()


def _arm(at_work: Works, point: str) -> None:
    """Puts the point into the parts that the agent works with."""
    ledger, kill = at_work.hall.ledger, lambda: os.kill(os.getpid(), signal.SIGKILL)
    when, _, state = point.partition(" ")
    done: list[str] = []

    def watched(move: Callable[..., Any]) -> Callable[..., Any]:
        def moved(db: Any, stored: Any, step: Any, *args: Any, **more: Any) -> Any:
            found = move(db, stored, step, *args, **more)
            done.append(step.target)
            if when == "before" and state in (step.target, "any"):
                kill()
            return found

        return moved

    ledger.actions.move = watched(ledger.actions.move)  # type: ignore[method-assign]
    ledger.actions.reserve = watched(ledger.actions.reserve)  # type: ignore[method-assign]
    write = ledger.write

    @contextmanager
    def written() -> Iterator[Any]:
        with write() as db:
            yield db
        if when == "after" and (state in done or (state == "any" and done)):
            kill()

    ledger.write = written  # type: ignore[method-assign]
    if when == "packet":
        boot = at_work.bmc.after

        def booted() -> None:
            boot()
            kill()

        at_work.bmc.after = booted
    if when == "drained":
        drain = SlurmControl.drain

        def drained(*args: Any) -> Any:
            drain(*args)
            kill()

        SlurmControl.drain = drained  # type: ignore[method-assign]
