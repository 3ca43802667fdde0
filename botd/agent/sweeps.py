"""The sweeps under way: each in a thread of its own, and no node is asked for what another one is reading already."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from botd import nodeset
from botd.agent.asking import Asking
from botd.agent.latest import LatestReadings
from botd.agent.node_list import NodeList
from botd.agent.numbers import NumberCollector
from botd.checks import Checks
from botd.errors import BadNodeset
from botd.logs import Faults
from botd.model import Clock, Reading, Sweep, SweepState
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import Plan, make_plan, run_sweep
from botd.text import one_line

log = logging.getLogger(__name__)


@dataclass
class _Running:
    """A sweep under way: which nodes are still open, so that a request can wait for them instead of asking again."""

    sweep: Sweep
    plan: Plan
    left: set[str]
    errors: list[str]
    reported: int = 0


@dataclass(frozen=True)
class Ended:
    """A sweep that is over, whose end is still to be recorded."""

    sweep: int
    state: SweepState
    errors: list[str]


class Sweeps:
    """Starts sweeps, and says how far each is. What they read goes to the latest readings and the numbers."""

    def __init__(
        self,
        config: Config,
        checks: Checks,
        node_list: NodeList,
        latest: LatestReadings,
        numbers: NumberCollector,
        *,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called from a sweep's thread when it has ended. Raises ConfigError for a secret that is missing."""
        self._settings = config.sweep
        self._max_nodes = config.server.max_nodes
        self._checks = checks
        self._list = node_list
        self._latest = latest
        self._numbers = numbers
        self._clock = clock
        self._wake = wake
        self.probes = Probes(config)
        self._asking = Asking(config, self.probes, clock)
        self._faults = Faults(log)
        self._running: dict[int, _Running] = {}
        self._ended: list[Ended] = []
        self._lock = threading.Condition()
        self._pool = ThreadPoolExecutor(max_workers=config.sweep.parallel, thread_name_prefix="sweep")

    def has_room(self) -> bool:
        """Whether one more that was asked for may start; one place stays for the regular sweep."""
        with self._lock:
            return len(self._running) < max(1, self._settings.parallel - 1)

    def is_running(self, sweep: int | None) -> bool:
        """Whether this sweep is still under way."""
        with self._lock:
            return sweep in self._running

    def take_up(self, sweep: Sweep) -> None:
        """Starts a sweep that somebody asked for by a row in the database, which is believed nothing.

        Asked are nodes and checks of this site only. A row that cannot be read, or that names more nodes than a
        request may, ends as cut.
        """
        if sweep.is_over:  # its row cannot be read
            self._refuse(sweep, sweep.errors)
            return
        try:
            nodes = nodeset.expand(sweep.nodeset, max_nodes=self._max_nodes) if sweep.nodeset else []
        except BadNodeset as error:
            self._refuse(sweep, [f"its nodes cannot be read: {error}"])
            return
        sweep = replace(sweep, max_age_s=max(sweep.max_age_s, self._settings.least_age))
        known = list(filter(self._list.inventory.is_known, nodes))
        errors = [
            *_strange("node", set(nodes).difference(known)),
            *_strange("check", set(sweep.checks) - set(self._checks)),
        ]
        self.begin(sweep, known, errors)

    def begin(self, sweep: Sweep, nodes: Sequence[str], errors: Iterable[str] = ()) -> None:
        """Starts a sweep of these nodes. `errors` are those that it has already."""
        names = [name for name in sweep.checks if name in self._checks]
        plan = make_plan(nodes, self._checks, names, fresh=sweep.fresh)
        running = _Running(sweep, plan, set(nodes), list(errors))
        for error in running.errors:
            log.warning("sweep asks for more than this site has sweep=%d error=%s", sweep.id, error)
        with self._lock:
            self._running[sweep.id] = running
        self._pool.submit(self._run, running)

    def read_now(self, sweep: Sweep, nodes: Sequence[str]) -> None:
        """A sweep of these nodes, beside all others, and its end. At the longest it takes as long as any sweep may."""
        self.begin(sweep, nodes)
        until = time.monotonic() + self._settings.deadline
        with self._lock:
            self._lock.wait_for(lambda: sweep.id not in self._running, timeout=until - time.monotonic())

    def _refuse(self, sweep: Sweep, errors: Iterable[str]) -> None:
        ended = Ended(sweep.id, SweepState.CUT, list(errors))
        log.error("sweep cannot be taken up sweep=%d error=%s", sweep.id, "; ".join(ended.errors))
        with self._lock:
            self._ended.append(ended)

    def on_record(self) -> set[int]:
        """The sweeps whose end is still to come or to be recorded."""
        with self._lock:
            return {*self._running, *(ended.sweep for ended in self._ended)}

    def progress(self) -> list[tuple[int, int]]:
        """The sweeps that got on since the last call, each with how many of its nodes are finished."""
        with self._lock:
            counts = [(running, len(running.plan.nodes) - len(running.left)) for running in self._running.values()]
        moved = [(running, done) for running, done in counts if done != running.reported]
        for running, done in moved:
            running.reported = done
        return [(running.sweep.id, done) for running, done in moved]

    def ended(self) -> list[Ended]:
        """The sweeps whose end was not recorded yet."""
        with self._lock:
            return list(self._ended)

    def forget(self, ended: Ended) -> None:
        """Says that an end is on record."""
        with self._lock:
            self._ended.remove(ended)

    def close(self) -> None:
        """Starts no more, and closes what is kept open."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._asking.close()
        self.probes.close()

    def _run(self, running: _Running) -> None:
        """One sweep from start to end, in its own thread."""
        sweep, started_s = running.sweep, time.monotonic()
        state, errors = SweepState.DONE, list[str]()
        try:
            errors = running.errors + self._probe(running)
            self._wait_for_others(running)
            took_s = time.monotonic() - started_s
            log.info("sweep done sweep=%d nodes=%d took_s=%.1f", sweep.id, len(running.plan.nodes), took_s)
        except Exception:  # the sweep must end for those who wait, and the fault must be seen
            log.exception("sweep failed sweep=%d", sweep.id)
            state, errors = SweepState.CUT, ["the sweep failed; see the agent's log"]
        with self._lock:
            self._running.pop(sweep.id, None)
            self._ended.append(Ended(sweep.id, state, errors))
            self._lock.notify_all()
        self._wake()

    def _probe(self, running: _Running) -> list[str]:
        """Asks the nodes whose readings are too old and that no other sweep is asking already."""
        sweep, begun = running.sweep, self._latest.begin()
        asked = running.plan.nodes
        stale = set(self._latest.stale(asked, running.plan.checks, sweep.since))
        left = stale - self._covered(running)
        mine = tuple(node for node in asked if node in left)
        with self._lock:
            running.left = set(stale)
        if not mine:
            return []
        plan = replace(running.plan, nodes=mine, slurm=self._list.inventory.nodes)

        def emit(node: str, readings: Mapping[str, Reading]) -> None:
            self._numbers.put(node, self._latest.put(node, readings, begun))
            with self._lock:
                running.left.discard(node)
                self._lock.notify_all()

        deadline_s = self._settings.deadline
        probers = self._asking.probers(plan, deadline_s)
        errors = run_sweep(plan, probers, emit, deadline_s=deadline_s, clock=self._clock)
        self._faults.tell(f"sweep checks={','.join(sweep.checks)}", errors)
        return errors

    def _covered(self, running: _Running) -> set[str]:
        """The nodes that a sweep which started recently enough is still asking for at least these checks."""
        with self._lock:
            others = [
                other
                for other in self._running.values()
                if other.sweep.id < running.sweep.id
                and other.sweep.started_at
                and other.sweep.started_at >= running.sweep.since
                and other.plan.checks.keys() >= running.plan.checks.keys()
            ]
            return set().union(*(other.left for other in others))

    def _wait_for_others(self, running: _Running) -> None:
        """Waits until the nodes left to other sweeps are read, at most one sweep's time."""
        until = time.monotonic() + self._settings.deadline
        with self._lock:  # looked at and waited for under one lock, so that no end of a node is missed in between
            while covered := self._covered(running).intersection(running.left):
                running.left &= covered
                if not self._lock.wait(timeout=until - time.monotonic()):
                    return
            running.left = set()


def _strange(noun: str, names: Iterable[str]) -> list[str]:
    """A sentence on what no site of this inventory and these checks has; none where there is nothing."""
    found = one_line(", ".join(sorted(names)))
    return [f"not asked, because this site has no such {noun}: {found}"] if found else []
