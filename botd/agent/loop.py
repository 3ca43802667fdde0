"""The agent: the one process that holds the ssh key and the BMC password.

It takes work from the database only. It reads the node list, sweeps on its interval and on request, and writes
what it finds. One loop, five times a second, does everything that must not wait: it writes what the sweeps have
found meanwhile, beats, and takes up requests. Sweeps and the node list run in threads of their own.
"""

from __future__ import annotations

import logging
import os
import threading
from datetime import datetime, timedelta
from typing import Any

from botd.access.letters import TAIL_KINDS, Letter
from botd.agent.actions.service import Acting, make_kit
from botd.agent.announcer import Announcer
from botd.agent.counting import Counting
from botd.agent.diagnoses import Diagnoses
from botd.agent.digest import Digest
from botd.agent.housekeeping import Housekeeping
from botd.agent.latest import LatestReadings
from botd.agent.life import Due, Life
from botd.agent.node_list import NodeList
from botd.agent.notes import NoteKeeper
from botd.agent.notices import Notices
from botd.agent.numbers import NumberCollector
from botd.agent.people.holders import Holder
from botd.agent.people.logins import open_logins
from botd.agent.people.service import Service, start
from botd.agent.record import Record
from botd.agent.sweeps import Sweeps
from botd.agent.tails import Tails
from botd.checks import Checks, replaced, select, site_checks
from botd.errors import BotdError, ConfigError, StoreDamaged, StoreEmpty, StoreUnavailable
from botd.ledger import Ledger
from botd.logs import Faults
from botd.manager import Manager
from botd.model import Clock, utc_now
from botd.settings import Config
from botd.store import Store

log = logging.getLogger(__name__)

TICK_S = 0.2
LIST_GAP_S = 1.0
"""The pause after each reading of the node list, whoever wants the next: also who presses what is refused again."""
BEAT_S = 2.0
MEND_S = 60.0
NOTES_S = 60.0
TOO_LONG = "regular sweep takes longer than [sweep] interval"
STORE_FAULT = "store fault, readings are kept in memory until it can be written"


class Agent:
    """The loop and the sweeps."""

    def __init__(self, config: Config, *, clock: Clock = utc_now, manager: Manager | None = None) -> None:
        """Reads the secrets. Raises ConfigError or StoreUnavailable when the agent cannot work."""
        self._config = config
        self._clock = clock
        self._manager = manager or Manager({})
        self._checks: Checks = site_checks(config)
        select(self._checks, config.sweep.checks)  # a wrong name must show at the start
        for note in replaced(config):
            log.warning("%s", note)
        self._store = Store(config)
        self._store.create()
        self._life = Life(self._store, clock)
        self._life.claim()
        self._latest = LatestReadings(self._checks, self._store, clock)
        self._list = NodeList(config, self._store, clock)
        self._numbers = NumberCollector(self._checks, self._store, clock)
        self._record = Record(Ledger(config), self._store, clock)
        self._counting = Counting(config, self._record.ledger, self._store, lambda: self._list.inventory, clock)
        self._diagnoses = Diagnoses(self._checks, self._store, clock, self._counting.scales)
        people = open_logins(config, self._record.ledger, clock)
        self._read_anew: set[str] = set()
        self._housekeeping = Housekeeping(config.history, self._store, clock)
        self._wake = threading.Event()
        self._sweeps = Sweeps(
            config, self._checks, self._list, self._latest, self._numbers, clock=clock, wake=self._wake.set
        )
        self._list_due = threading.Event()
        parts = make_kit(
            config,
            self._checks,
            self._store,
            self._record,
            people,
            self._list,
            self._latest,
            self._sweeps,
            clock,
            self._counting.scales,
            self._counting.turn,
            self._list_due.set,
        )
        self._acting = Acting(parts, self._store)
        self._tails = Tails(parts, self._store, self._list, self._sweeps.probes.follow)
        self._desk = Service(config, self._store, self._record.ledger, people, self._list, clock, self._answer)
        self._regular: int | None = None
        self._faults = Faults(log)
        self._is_late = False  # whether the regular sweep under way was still running when the next one was due
        self._wanted_at: datetime | None = None
        self._is_lost = False  # whether the database was removed or emptied
        self._mend_due = Due(MEND_S)
        self._notes = NoteKeeper(self._store, clock)
        self._notes_due = Due(NOTES_S)
        self._notices = Notices(config, self._store, clock)
        self._announcer = Announcer(self._record.ledger, self._notices, clock)
        self._digest = Digest(config, self._checks, self._store, clock, self._notices.send, self._counting.scales)

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set."""
        self._latest.load()
        self._diagnoses.load()
        if cut := self._store.sweeps.cut(self._clock()):
            log.warning("sweeps cut by the end of an earlier agent sweeps=%d", cut)
        self._store.tails.clear()
        log.info("agent started pid=%d checks=%d", os.getpid(), len(self._checks))
        list_thread = threading.Thread(target=self._keep_list, args=(stop,), name="node-list", daemon=True)
        list_thread.start()
        self._record.step()
        start(self._desk, stop)
        self._acting.start(stop)
        self._digest.start(stop)
        self._counting.start(stop)
        due = Due(self._config.sweep.interval)
        beat = Due(BEAT_S)
        self._manager.ready("asks Slurm, the nodes and the BMCs")
        while not stop.is_set():
            self._manager.alive()
            self._wake.wait(TICK_S)
            self._wake.clear()
            try:
                self._tick(due, beat)
            except (StoreDamaged, ConfigError):  # damaged, or another agent's now: nothing more is written
                self._sweeps.close()
                raise
            except StoreUnavailable as error:
                self._is_lost = self._is_lost or isinstance(error, StoreEmpty)
                self._faults.tell(STORE_FAULT, [str(error)], level=logging.ERROR)
            else:
                self._faults.tell(STORE_FAULT)
        self._close()

    def _answer(self, letter: Letter, holder: Holder | None) -> dict[str, Any]:
        """What a letter that has to do with nodes is answered with. Raises BotdError, ValueError."""
        answer = self._tails.answer if letter.kind in TAIL_KINDS else self._acting.answer
        return answer(letter, holder)

    def _tick(self, sweep_due: Due, beat_due: Due) -> None:
        if self._is_lost:
            self._begin_anew()
        if beat_due.now():
            self._beat()
        if self._mend_due.now():
            self._latest.mend()
        self._write()
        self._record.step()
        self._announcer.step()
        if self._list_wanted():
            self._list_due.set()
        if self._list.tried_at is None:
            return  # before the first list no name means anything
        if self._sweeps.has_room() and (sweep := self._store.sweeps.claim(self._clock())):
            self._sweeps.take_up(sweep)
        if sweep_due.now():
            self._begin_regular()
        if self._notes_due.now():
            self._notes.expire()
        self._housekeeping.step()

    def _write(self) -> None:
        """Writes what the sweeps have found and how far they are; a sweep ends after its last reading is in."""
        over = self._sweeps.ended()
        self._read_anew |= self._latest.flush()
        if over:
            self._numbers.flush()
            self._diagnoses.record(self._list.inventory, self._latest.all(), self._read_anew)
            self._read_anew = set()
        if any(ended.sweep == self._regular for ended in over):
            self._counting.swept()
        for sweep, done in self._sweeps.progress():
            self._store.sweeps.progress(sweep, done)
        for ended in over:
            self._store.sweeps.end(ended.sweep, ended.state, ended.errors, self._clock())
            self._sweeps.forget(ended)

    # ---- the node list ----

    def _keep_list(self, stop: threading.Event) -> None:
        """Refreshes the node list on its interval and whenever somebody wants a newer one."""
        while not stop.is_set():
            self._list_due.clear()
            try:
                self._list.refresh()
            except StoreUnavailable as error:
                self._faults.tell("node list not written", [str(error)], level=logging.ERROR)
            except Exception:  # the thread must outlive a fault of ours, and the fault must be seen
                log.exception("node list failed")
            else:
                self._faults.tell("node list not written")
            stop.wait(min(LIST_GAP_S, self._config.slurm.refresh))
            self._list_due.wait(self._config.slurm.refresh)

    def _list_wanted(self) -> bool:
        """Whether somebody wants a newer node list since it was last looked, and there is none of the last moment."""
        wanted, seen = self._store.pulse().list_wanted_at, self._wanted_at
        self._wanted_at = wanted
        tried_at, least_age = self._list.tried_at, timedelta(seconds=self._config.sweep.least_age)
        is_young = tried_at is not None and abs(self._clock() - tried_at) < least_age
        return wanted != seen and wanted is not None and not is_young

    # ---- sweeps ----

    def _begin_regular(self) -> None:
        """Starts the sweep of the interval, unless the last one is still running."""
        if self._sweeps.is_running(self._regular):
            self._is_late = True
            self._faults.tell(TOO_LONG, ["the next one is due while the last one still runs"])
            return
        if not self._is_late:
            self._faults.tell(TOO_LONG)
        self._is_late = False
        inventory, settings = self._list.inventory, self._config.sweep
        nodes, wrong = list[str](), list[str]()
        for group in settings.groups:
            try:
                nodes += inventory.expand_groups(group, max_nodes=len(inventory.names()))
            except BotdError as error:
                wrong.append(f"{group}: {error}")
        self._faults.tell("regular sweep without a group", wrong)
        names = select(self._checks, settings.checks)
        asked = sorted(set(nodes))
        sweep = self._store.sweeps.start(asked, names, self._clock())
        self._regular = sweep.id
        self._sweeps.begin(sweep, asked)

    # ---- its own life ----

    def _begin_anew(self) -> None:
        """Makes the database again that somebody removed or emptied, and has written all that is in memory."""
        now = self._clock()
        self._store.create(now, f"the database was removed or emptied; the history begins anew at {now:%FT%TZ}")
        log.error("the database was removed or emptied and is made anew; its history is lost")
        self._life.claim()
        self._latest.rewrite()
        self._record.begin_anew()
        self._list_due.set()
        self._is_lost = False

    def _beat(self) -> None:
        """Raises ConfigError when another agent has taken this database."""
        self._life.beat()
        if cut := self._store.sweeps.cut(self._clock(), but=self._sweeps.on_record()):
            log.error("sweeps cut that are on record as running and are not sweeps=%d", cut)

    def _close(self) -> None:
        self._manager.stopping()
        self._tails.close()
        self._sweeps.close()
        self._notices.close()
        try:
            self._latest.flush()
            self._store.sweeps.cut(self._clock())
            self._record.close()
        except StoreUnavailable as error:
            log.error("store fault at the end error=%s", error)
        log.info("agent stopped")
