"""The driver: every action under way makes its next step here, and what an earlier agent left is settled first.

It looks at what the ledger has, and gives each action that is to go on to a worker of its own, so that a slow BMC holds
nobody else. Nothing is known but what the ledger says: an action without a worker is one that was left.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from botd.acting.actions import BY_NAME, Weight
from botd.acting.cycles import Cycle
from botd.acting.guards import Look
from botd.acting.halts import Mode
from botd.acting.moves import BY_ENDS, LEFT, MOVES, WAIT_S, By, Restart, State, after_restart
from botd.agent.actions.judge import Judge
from botd.agent.actions.kit import Kit
from botd.agent.actions.teller import Teller
from botd.agent.actions.worker import Worker
from botd.errors import LedgerUnavailable, StoreUnavailable
from botd.ledger import Transaction
from botd.ledger.actions import Said, Stored
from botd.logs import Faults

log = logging.getLogger(__name__)

TICK_S = 0.5
"""How often it looks where nobody wakes it: for what is late, and for the file of a stop."""

TO_START = frozenset({State.REQUESTED, State.QUEUED, State.APPROVED})
UNDER_WAY = tuple(LEFT)
NOT_SENT = tuple(move.source for move in MOVES if By.ANYBODY in move.by and move.source)

FAULT = "nothing is done to nodes"


class Driver:
    """The driver of one agent. `step` belongs to one thread."""

    def __init__(self, kit: Kit, judge: Judge, worker: Worker, teller: Teller) -> None:
        self._kit = kit
        self._judge = judge
        self._worker = worker
        self._teller = teller
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._at_work: dict[int, Weight] = {}
        self._firsts: dict[int, Look] = {}
        self._is_reconciled = False
        self._counted: tuple[Cycle, ...] = ()
        self._faults = Faults(log)

    def taken(self, number: int, look: Look) -> None:
        """Takes note of the look with which an action was asked for."""
        with self._lock:
            self._firsts[number] = look

    def turn(self) -> None:
        """Something has moved: looks now."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Drives until `stop` is set. Workers that still run then are settled by the next agent."""
        while not stop.is_set():
            try:
                self.step()
            except (LedgerUnavailable, StoreUnavailable) as error:
                self._faults.tell(FAULT, [str(error)], level=logging.ERROR)
            except Exception:  # the thread must outlive a fault of ours, and the fault must be seen
                log.exception("the driver failed")
            else:
                self._faults.tell(FAULT)
            self._wake.wait(TICK_S)
            self._wake.clear()
        self._worker.close()

    def step(self) -> None:
        """One look at all actions. Raises LedgerUnavailable, StoreUnavailable where nobody can be told."""
        if not self._is_reconciled:
            self._settle()
            self._is_reconciled = True
        self._count_cycles()
        self._end_what_is_stopped()
        for stored in self._under_way():
            self._drive(stored)
        self._teller.tell()

    def is_idle(self) -> bool:
        """Whether no worker is at work."""
        with self._lock:
            return not self._at_work

    # ---- what waits, and what was left ----

    def _under_way(self) -> list[Stored]:
        """The actions that have no worker, hard ones first, the oldest first."""
        with self._lock:
            busy = set(self._at_work)
        with self._kit.ledger.read() as db:
            found = [each for each in self._kit.ledger.actions.under(db, *UNDER_WAY) if each.id not in busy]
        return sorted(found, key=lambda each: each.weight != Weight.HARD)

    def _drive(self, stored: Stored) -> None:
        state = State(stored.state)
        if state in WAIT_S and not 0 <= self._age_s(stored) < WAIT_S[state]:
            self._move(stored, LEFT[state].target, "waited too long; ask again")
        elif state in TO_START:
            if self._kit.known.inventory.as_of:  # before the first node list no name means anything
                self._start(stored, self._worker.do)
        elif LEFT[state].restart is Restart.READ_BACK:
            self._start(stored, self._worker.read_back)
        elif LEFT[state].restart is Restart.GIVE_UP:  # its worker failed
            self._move(stored, LEFT[state].target, LEFT[state].words)

    def _settle(self) -> None:
        """What an earlier agent left goes where the table says, before anything else acts. Again where it was cut."""
        for stored in self._under_way():
            state = State(stored.state)
            left = after_restart(state, self._age_s(stored), is_proof_good=True)
            if left and left.target != state:
                self._move(stored, left.target, left.words)

    def _move(self, stored: Stored, target: State, words: str) -> None:
        code = "expired" if target is State.EXPIRED else "left"
        step = BY_ENDS[State(stored.state), target]
        said = Said(code, words) if "code" in step.writes else Said(words=words)
        with self._kit.ledger.write() as db:
            self._kit.ledger.actions.move(db, stored, step, "agent", self._kit.clock(), said)

    def _count_cycles(self) -> None:
        """What people did to nodes by themselves is kept, and may open the breaker where anything acts."""
        cycles = self._kit.cycles()
        if cycles is self._counted:
            return
        with self._kit.ledger.write() as db:
            self._judge.see_cycles(db)
            if self._kit.config.actions.mode != Mode.OFF:
                self._judge.open_breaker(db)
        self._counted = cycles

    def _end_what_is_stopped(self) -> None:
        """Ends all that was not sent yet, where somebody has stopped everything."""
        with self._kit.ledger.read() as db:
            waiting = self._kit.ledger.actions.under(db, *NOT_SENT)
            why = self._judge.why_stopped(db) if waiting else ""
        if why:
            with self._kit.ledger.write() as db:
                self._end_all(db, why)

    def _end_all(self, db: Transaction, why: str) -> None:
        now = self._kit.clock()
        for stored in self._kit.ledger.actions.under(db, *NOT_SENT):
            step = BY_ENDS[State(stored.state), State.REFUSED]
            self._kit.ledger.actions.move(db, stored, step, "agent", now, Said("stopped", why))

    def _age_s(self, stored: Stored) -> float:
        return (self._kit.clock() - stored.changed_at).total_seconds()

    # ---- workers ----

    def _start(self, stored: Stored, work: Callable[[Stored, Look | None], None]) -> None:
        """Gives an action to a worker, where there is a place for one more of its weight."""
        weight = BY_NAME[stored.action].weight
        with self._lock:
            if not self._has_place(weight):
                return
            self._at_work[stored.id] = weight
            first = self._firsts.pop(stored.id, None)
        name, asked = f"action-{stored.id}", (work, stored, first)
        threading.Thread(target=self._work, args=asked, name=name, daemon=True).start()

    def _has_place(self, weight: Weight) -> bool:
        caps = self._kit.roles().roles.caps
        is_hard = weight is Weight.HARD
        taken = sum((each is Weight.HARD) == is_hard for each in self._at_work.values())
        return taken < (caps.at_once if is_hard else caps.soft_at_once)

    def _work(self, work: Callable[[Stored, Look | None], None], stored: Stored, first: Look | None) -> None:
        try:
            work(stored, first)
        except (LedgerUnavailable, StoreUnavailable) as error:
            log.error("action left as it stands id=%d error=%s", stored.id, error)
        except Exception:  # what becomes of the action is settled as after a restart
            log.exception("action failed id=%d", stored.id)
        finally:
            with self._lock:
                self._at_work.pop(stored.id, None)
            self._kit.on_end()
            self._kit.on_change()
            self.turn()
