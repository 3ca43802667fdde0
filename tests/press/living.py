"""An agent that acts, as a process that can be killed, in a world of files and with a clock that can be moved."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from botd.access.roles import parse_roles
from botd.agent.people.desk import Desk
from botd.agent.people.roles_file import RolesState
from botd.errors import BotdError
from botd.ledger import Ledger
from botd.model import utc_now
from botd.store import Store
from botd.transport.bmc.outcome import Answered, NoAnswer
from tests.agent.actions.works import DRAINED, NODES, Works
from tests.agent.people.parts import Hall
from tests.conftest import Site
from tests.libexec.helper import IDLE, Helper, make_helper
from tests.program import wait_until

PROCESSES = multiprocessing.get_context("forkserver")
"""Each agent is a fork of a server that has imported everything, and has no database open."""
PROCESSES.set_forkserver_preload(["tests.press.living"])

POLL_S = 0.02

WAY = """\
#!/bin/sh
cd '{directory}' || exit 1
read -r line
printf '%s\\n' "$line" >>lines
[ ! -e mute-before ] || case $line in show*) ;; *) exit 1 ;; esac
printf '%s\\n' "$line" | ./botd-slurm-helper >answer.$$
[ ! -e mute-after ] || case $line in show*) ;; *) rm answer.$$; exit 1 ;; esac
cat answer.$$
rm answer.$$
"""
"""The way to the helper: it notes each line, and answers nothing where a test says so, before or after it was done."""


class LiveHall(Hall):
    """People whose clock is that of this machine, as far as a file has moved it."""

    def clock(self) -> datetime:
        with suppress(OSError, ValueError):
            return utc_now() + timedelta(seconds=float((self.ledger.path.parent.parent / "clock").read_text()))
        return utc_now()

    def later(self, **span: float) -> None:
        place = self.ledger.path.parent.parent / "clock"
        moved = (self.clock() - utc_now() + timedelta(**span)).total_seconds()
        new = place.with_suffix(f".{os.getpid()}")
        new.write_text(f"{moved:.0f}")
        new.replace(place)
        self.now = self.clock()


class LiveWorks(Works):
    """The parts, with that clock."""

    def clock(self) -> datetime:
        return self.hall.clock()

    def has(self, trouble: str) -> bool:
        """Whether a test has made this trouble."""
        return (self.helper.directory / trouble).exists()


def open_works(folder: Path) -> LiveWorks:
    """The parts on what lies in a folder."""
    helper = Helper(folder / "slurm")
    site = Site(folder, {"actions": {"mode": "on", "slurm": str(helper.directory / "way")}})
    ledger = Ledger(site.config)
    ledger.open(utc_now())
    hall = LiveHall(ledger, utc_now())
    ledger.state(hall.clock())  # which publishes the key
    return LiveWorks(site, hall, helper)


def make_world(folder: Path) -> None:
    """A Slurm of files, with a way to its helper."""
    helper = make_helper(folder / "slurm")
    for node in NODES:
        if node != DRAINED:
            helper.put(node, IDLE)
    way = helper.directory / "way"
    way.write_text(WAY.format(directory=helper.directory))
    way.chmod(0o755)


def run_agent(folder: Path) -> None:
    """The agent, until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    works = open_works(folder)
    roles = RolesState(parse_roles(works.roles), works.roles, "digest")
    ledger, hall = works.hall.ledger, works.hall
    desk = Desk(
        works.site.store, ledger.keys().open, hall.logins, lambda: roles, works.clock, counter=works.acting.answer
    )
    driver = works.acting.start(stop)
    (folder / "alive").touch()
    while not stop.wait(POLL_S):
        works.refresh()
        works.bmc.answers = NoAnswer("no answer to the command") if works.has("bmc-mute") else Answered(0, None)
        with suppress(BotdError):
            desk.answer()
    driver.join()


@dataclass
class Agent:
    """The process of an agent, of which there is one at most."""

    folder: Path
    process: BaseProcess | None = None

    def start(self) -> None:
        """Starts it, where there is none."""
        if not self.process:
            self.process = PROCESSES.Process(target=run_agent, args=(self.folder,), daemon=True)
            self.process.start()

    def end(self, number: signal.Signals) -> None:
        """Ends it by a signal, and waits for that."""
        if self.process and self.process.pid:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
            self.process.join()
            self.process = None

    def is_alive(self) -> bool:
        """Whether it is there. One that ended by itself is not."""
        return self.process is not None and self.process.is_alive()


def answered(desk: Desk, store: Store, nonce: str) -> dict[str, Any]:
    """What a desk answers to an ask that lies in the store."""
    desk.answer()
    answer: dict[str, Any] = wait_until(lambda: store.asks.answer_to(nonce))
    return answer
