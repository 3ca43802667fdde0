"""The answer that everybody reads: nodes with their readings, from the store, for pages and resources alike.

A Board is one web process's view of the store. It reads only what changed, and keeps every node encoded, so that
JSON is made once per change and not once per request.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from botd import nodeset
from botd.board.answer import Holding, Question, StatusAnswer
from botd.board.bodies import Bodies
from botd.board.cache import Cache
from botd.board.choices import Choices
from botd.board.choosing import EVERYTHING, Choice, choose
from botd.board.problems import agent_is_gone, slurm_error
from botd.board.scales import BoardScales
from botd.board.waiting import Places, wait_for_sweep, wait_until
from botd.checks import Checks, named, with_needs
from botd.documents import CLOCK_SLACK, iso, read_since, stale_nodes
from botd.errors import BadNodeset, NoNodeList, StoreEmpty
from botd.history.past import Pasts
from botd.model import Clock, Sweep
from botd.settings import Config
from botd.store import ALIVE_S, Store
from botd.view import View, list_is_old, next_view

RECHECK_S = 0.05
"""How long a process trusts its view of the store. A request that waited for something looks afresh."""

SWEPT_NAMES = 2**22
"""Characters of the names of all sweeps that are worked out: some 200,000 names."""


class Board:
    """One process's view of the store. Safe to use from many threads."""

    def __init__(self, config: Config, checks: Checks, store: Store, clock: Clock) -> None:
        self._config = config
        self._checks = checks
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._pasts = Pasts(store.changes, checks, clock)
        self._scales = BoardScales(config.advice, store, clock)
        self._view: View | None = None
        self._looked_s = 0.0
        self.bodies = Bodies(checks)
        self._places = Places(config.server.threads)
        self._swept: Cache[str, frozenset[str]] = Cache(_swept_size, most=16, limit=SWEPT_NAMES)
        self._choices = Choices(config.server.max_nodes)

    @property
    def checks(self) -> Checks:
        """The checks of this site."""
        return self._checks

    def now(self) -> datetime:
        """The time by which ages are told."""
        return self._clock()

    def view(self, *, fresh: bool = False) -> View:
        """The store as it is now, or was a moment ago. Raises StoreUnavailable."""
        view = self._view
        if view and not fresh and time.monotonic() - self._looked_s <= RECHECK_S:
            return view
        with self._lock:
            if self._view is None or fresh or time.monotonic() - self._looked_s > RECHECK_S:
                scales = self._scales.now()
                self._view = next_view(self._store, self._view, self._checks, self._pasts.of, scales)
                self._looked_s = time.monotonic()
            return self._view

    def look_again(self) -> None:
        """Says that the store is known to have changed: the next request is answered from what it is then."""
        self._looked_s = -math.inf

    def known(self) -> View:
        """The view, when there is a node list. Raises NoNodeList."""
        view = self.view()
        if view.pulse.list_revision == 0:
            raise NoNodeList("no node list has been read yet; start `botd agent` and wait for its first look at Slurm")
        return view

    def wait_for_list(self, wait_s: float) -> None:
        """Returns when there is a node list or none will come, or raises NoNodeList when the time is up.

        An agent that starts makes the database and reads its first list within seconds. Raises TooMany.
        """
        if wait_s <= 0 or self._is_settled():
            return
        with self._places.one(wait_s):
            wait_until(lambda: self._is_settled(fresh=True), wait_s)
        if not self._is_settled(fresh=True):
            raise NoNodeList(
                f"no node list has been read yet, after {wait_s:g} s; see that `botd agent` runs, then ask again"
            )

    def _is_settled(self, *, fresh: bool = False) -> bool:
        """Whether there is a node list, or nobody who would write one: an agent was here and is gone."""
        try:
            view = self.view(fresh=fresh)
        except StoreEmpty:
            return False
        gone = view.pulse.agent_beat_at is not None and not self.agent_alive(view)
        return view.pulse.list_revision != 0 or gone

    def agent_alive(self, view: View) -> bool:
        """Whether the agent has beaten lately."""
        beat = view.pulse.agent_beat_at
        # One of a time to come is no sign of life either: the clock was set back, and then it is beaten anew.
        return beat is not None and abs(self._clock() - beat) < timedelta(seconds=ALIVE_S)

    # ---- asking ----

    def question(
        self,
        *,
        groups: str | None,
        nodes: str | None,
        checks: str | None,
        max_age_s: float | None,
        wait_s: float | None,
        default_groups: Sequence[str] | None = None,
    ) -> Question:
        """The question in a request's own words. Raises BadNodeset, UnknownNode, UnknownGroup or UnknownCheck.

        Where neither groups nor nodes are given it is about `default_groups`, else about the regular sweep's.
        """
        names = tuple(named(self._checks, checks))
        terms = list(dict.fromkeys(nodeset.split(groups or "")))
        if not terms and not nodes:
            terms = list(self._config.sweep.groups if default_groups is None else default_groups)
        if max_age_s is None:
            max_age_s = self._config.sweep.interval or 300.0
        if wait_s is None:
            wait_s = self._config.sweep.deadline + self._config.slurm.timeout
        uses_sinfo = any("sinfo" in term.split("/") for term in terms)
        view = self.fresh_list(max_age_s, wait_s) if max_age_s < self._config.slurm.refresh else self.known()
        if uses_sinfo and view.pulse.list_as_of is None and view.pulse.list_error:
            raise slurm_error(view.pulse, self._clock())
        chosen = self._choices.nodes(view, ",".join(terms), nodes or "")
        return Question(chosen, names, tuple(terms), max_age_s, wait_s, uses_sinfo)

    def fresh_list(self, max_age_s: float, wait_s: float) -> View:
        """The view with a node list that the agent tried to read at most `max_age_s` ago, if it gets to it in time.

        One that is younger than `[sweep] least_age` is not asked for again.
        """
        asked_at = self._clock()
        view = self.view()
        since = asked_at - self._age(max_age_s)
        if self._tried(view, since) or not self.agent_alive(view):
            return self.known()
        wait_s = min(wait_s, self._config.slurm.timeout + 2)
        with self._places.one(wait_s):
            self._store.want_node_list(asked_at)
            wait_until(lambda: self._tried(self.view(fresh=True), since), wait_s)
        return self.known()

    def slurm_nodes(self, max_age_s: float) -> tuple[View, list[str]]:
        """The view with Slurm's own list, and what is wrong with it in words.

        Raises SlurmFailed or SlurmTimeout when Slurm does not answer and the last good list is older than asked for.
        """
        view = self.fresh_list(max_age_s, self._config.slurm.timeout + 2)
        pulse, now = view.pulse, self._clock()
        if pulse.list_error and (pulse.list_as_of is None or now - pulse.list_as_of > self._age(max_age_s)):
            raise slurm_error(pulse, now)
        return view, self._problems(view, uses_sinfo=True)

    def answer(self, question: Question, *, sweep_allowed: bool = True) -> StatusAnswer:
        """The answer from the store, after a sweep of what is too old if one is allowed and the client waits for it."""
        view = self.view()
        sweep = None
        since = self._clock() - self._age(question.max_age_s)
        if sweep_allowed and self._is_stale(view, question, since) and self.agent_alive(view):
            with self._places.one(question.wait_s):
                sweep = self._request(question)
                wait_for_sweep(self._store, sweep, question.wait_s, lambda: not self.agent_alive(self.view()))
            view = self.view(fresh=True)
        # A client that does not wait is told which sweep to follow; what it gets is what was there.
        alive = self.agent_alive(view)
        complete = not self._is_stale(view, question, since) and alive
        problems = self._problems(view, uses_sinfo=question.uses_sinfo)
        if sweep_allowed and not complete and alive:
            count = len(stale_nodes(view.readings, question.nodes, question.checks, since, self._clock()))
            problems.append(f"{count} of {len(question.nodes)} nodes have readings older than asked for")
        listed = not (question.uses_sinfo and view.pulse.list_error)
        answer = StatusAnswer(
            as_of=max((t for t in (view.pulse.revised_at, view.pulse.list_as_of) if t), default=None),
            groups=question.groups,
            checks=question.checks,
            nodes=question.nodes,
            complete=complete and listed,
            problems=tuple(problems),
            sweep=sweep,
            revision=(view.pulse.revision, view.pulse.list_revision, view.recorded.last),
            view=view,
            holding=self._holding(view, question) if complete and sweep is None else None,
        )
        return answer if question.choice == EVERYTHING else self._chosen(answer, question.choice)

    def _chosen(self, answer: StatusAnswer, choice: Choice) -> StatusAnswer:
        """The answer with the nodes that are chosen, in order. What is new by the clock holds for no time."""
        nodes = choose(self.bodies.node_documents(answer), choice, self._checks)
        holding = None if choice.new_since else answer.holding
        names = tuple(node["node"] for node in nodes)
        return replace(answer, nodes=names, of=len(answer.nodes), chosen=choice.words, holding=holding)

    def _holding(self, view: View, question: Question) -> Holding | None:
        """For how long a complete answer is the answer to this question."""
        oldest, newest = view.times_of(question.nodes, question.checks)
        if not oldest or question.max_age_s < self._config.slurm.refresh:
            return None
        until = datetime.fromisoformat(oldest) + timedelta(seconds=question.max_age_s)
        return Holding(view.edition, datetime.fromisoformat(newest) - CLOCK_SLACK, until)

    def holds(self, holding: Holding) -> bool:
        """Whether an answer is still what it was. Raises StoreUnavailable."""
        view = self.view()
        is_current = holding.since <= self._clock() <= holding.until
        return is_current and holding.edition == view.edition and self.agent_alive(view)

    def running(self, answer: StatusAnswer) -> Sweep | None:
        """The sweep under way that asks most of these nodes, None where none does."""
        wanted = set(answer.nodes)
        shared = [(len(wanted & self.names_of(sweep)), sweep.id, sweep) for sweep in self._store.sweeps.running()]
        most, _, sweep = max(shared, default=(0, 0, None))
        return sweep if most else None

    def names_of(self, sweep: Sweep) -> frozenset[str]:
        """The nodes of a sweep, worked out once for all who follow it; none where its row cannot be read."""
        return self._swept.get(sweep.nodeset, lambda: _names(sweep.nodeset))

    def read_in(self, sweep: Sweep) -> set[str]:
        """The nodes of a sweep that were read since it began, as the store is now."""
        if sweep.started_at is None:
            return set()
        return read_since(self.view(fresh=True).readings, self.names_of(sweep), sweep.checks, sweep.started_at)

    # ---- looking at the store ----

    def _age(self, max_age_s: float) -> timedelta:
        """How old what is asked for may be: nothing is asked for more often than `[sweep] least_age` says."""
        return timedelta(seconds=max(max_age_s, self._config.sweep.least_age))

    def _is_stale(self, view: View, question: Question, since: datetime) -> bool:
        """Whether any reading is missing, older than `since`, or of a time to come."""
        if not question.nodes or not question.checks:
            return False
        oldest, newest = view.times_of(question.nodes, question.checks)
        return not iso(since) <= oldest <= newest <= iso(self._clock() + CLOCK_SLACK)

    def _tried(self, view: View, since: datetime) -> bool:
        tried = view.pulse.list_tried_at
        return tried is not None and since <= tried <= self._clock() + CLOCK_SLACK

    # ---- sweeps ----

    def _request(self, question: Question) -> int:
        names = with_needs(self._checks, question.checks)
        limit = self._config.sweep.queue
        return self._store.sweeps.request(question.nodes, names, question.max_age_s, self._clock(), queue_limit=limit)

    # ---- words ----

    def _problems(self, view: View, *, uses_sinfo: bool) -> list[str]:
        problems = [] if self.agent_alive(view) else [agent_is_gone(view.pulse)]
        if uses_sinfo and view.pulse.list_error:
            problems.append(list_is_old(view.pulse))
        return problems


def _swept_size(text: str, names: frozenset[str]) -> int:
    return len(text) + sum(map(len, names))


def _names(text: str) -> frozenset[str]:
    try:
        return frozenset(nodeset.expand(text))
    except BadNodeset:
        return frozenset()
