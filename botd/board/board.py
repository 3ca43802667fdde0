"""The answer that everybody reads: nodes with their readings, from the store, for pages and resources alike.

A Board is one web process's view of the store. It reads only what changed, and keeps every node encoded, so that
JSON is made once per change and not once per request.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from botd import nodeset
from botd.board.answer import Holding, Question, StatusAnswer
from botd.board.cache import Kept
from botd.board.view import View
from botd.checks import Checks, select, with_needs
from botd.display.rows import row_document
from botd.documents import CLOCK_SLACK, Document, decode, encode, iso, node_document, stale_nodes
from botd.errors import BadRequest, NoNodeList, SlurmFailed, SlurmTimeout
from botd.inventory import Inventory
from botd.inventory.document import from_document
from botd.model import Clock, SlurmNode, Sweep, SweepState
from botd.settings import Config
from botd.store import ALIVE_S, Pulse, Store

RECHECK_S = 0.05
"""How long a process trusts its view of the store. A request that waited for something looks afresh."""

CACHED_ANSWERS = 64
"""Bodies that are kept; one that goes out with gzip counts twice."""

CACHED_BYTES = 64 * 2**20
"""Of all cached answers together: 10,000 nodes with 16 checks are 28 MB, and each question may be another one."""

GZIP_LEVEL = 3
"""22 MB of 10,000 nodes take 50 ms with 1 to 3 and become 1.4 MB; 6 takes 140 ms and saves a fifth of that."""

CACHED_CHOICES = 64

CACHED_NAMES = 2**23
"""Characters of all cached choices of nodes together, their names included: some 400,000 names."""

CACHED_READINGS = 300_000
"""Readings that are kept as JSON, of some 170 bytes each."""

_POLL_S = 0.05


class Board:
    """One process's view of the store. Safe to use from many threads."""

    def __init__(self, config: Config, checks: Checks, store: Store, clock: Clock) -> None:
        self._config = config
        self._checks = checks
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._view: View | None = None
        self._looked_at = 0.0
        self._bodies: Kept[Hashable, tuple[bytes, str]] = Kept(_body_size, most=CACHED_ANSWERS, limit=CACHED_BYTES)
        self._choices: Kept[_Choice, tuple[str, ...]] = Kept(_choice_size, most=CACHED_CHOICES, limit=CACHED_NAMES)

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
        if view and not fresh and time.monotonic() - self._looked_at <= RECHECK_S:
            return view
        with self._lock:
            if self._view is None or fresh or time.monotonic() - self._looked_at > RECHECK_S:
                self._view = self._look(self._view)
                self._looked_at = time.monotonic()
            return self._view

    def known(self) -> View:
        """The view, when there is a node list. Raises NoNodeList."""
        view = self.view()
        if view.pulse.list_revision == 0:
            raise NoNodeList("no node list has been read yet; start `botd agent` and wait for its first look at Slurm")
        return view

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
        names = tuple(select(self._checks, _words(checks or "all")))
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
            raise _slurm_error(view.pulse, "there is no earlier list")
        pulse = view.pulse
        choice = _Choice(pulse.list_revision, pulse.list_as_of, ",".join(terms), nodes or "")
        ordered = self._choices.get(choice, lambda: self._chosen(view, choice))
        return Question(ordered, names, tuple(terms), max_age_s, wait_s, uses_sinfo)

    def _chosen(self, view: View, choice: _Choice) -> tuple[str, ...]:
        """The nodes that a request names, naturally sorted. Raises as `question` does."""
        limit = self._config.server.max_nodes
        terms, nodes = choice.terms, choice.nodes
        chosen = set(view.inventory.expand_groups(terms, max_nodes=limit)) if terms else set()
        chosen |= set(view.inventory.expand_nodes(nodes, max_nodes=limit)) if nodes else set()
        if len(chosen) > limit:
            raise BadRequest(f"this asks for {len(chosen)} nodes; ask for at most {limit} at once")
        return tuple(sorted(chosen, key=nodeset.natural_key))

    def fresh_list(self, max_age_s: float, wait_s: float) -> View:
        """The view with a node list that the agent tried to read at most `max_age_s` ago, if it gets to it in time."""
        asked_at = self._clock()
        view = self.view()
        since = asked_at - timedelta(seconds=max_age_s)
        if self._tried(view, since) or not self.agent_alive(view):
            return self.known()
        self._store.want_node_list(asked_at)
        self._poll(lambda: self._tried(self.view(fresh=True), since), min(wait_s, self._config.slurm.timeout + 2))
        return self.known()

    def slurm_nodes(self, max_age_s: float) -> tuple[View, list[str]]:
        """The view with Slurm's own list, and what is wrong with it in words.

        Raises SlurmFailed or SlurmTimeout when Slurm does not answer and the last good list is older than asked for.
        """
        view = self.fresh_list(max_age_s, self._config.slurm.timeout + 2)
        pulse = view.pulse
        if pulse.list_error and (pulse.list_as_of is None or self._age_s(pulse.list_as_of) > max_age_s):
            raise _slurm_error(pulse, self._last_good(pulse))
        return view, self._problems(view, uses_sinfo=True)

    def answer(self, question: Question, *, sweep_allowed: bool = True) -> StatusAnswer:
        """The answer from the store, after a sweep of what is too old if one is allowed and the client waits for it."""
        view = self.view()
        sweep = None
        since = self._clock() - timedelta(seconds=question.max_age_s)
        if sweep_allowed and self._is_stale(view, question, since) and self.agent_alive(view):
            sweep = self._request(question)
            self._wait(sweep, question.wait_s)
            view = self.view(fresh=True)
        # A client that does not wait is told which sweep to follow; what it gets is what was there.
        alive = self.agent_alive(view)
        complete = not self._is_stale(view, question, since) and alive
        problems = self._problems(view, uses_sinfo=question.uses_sinfo)
        if sweep_allowed and not complete and alive:
            count = len(stale_nodes(view.readings, question.nodes, question.checks, since, self._clock()))
            problems.append(f"{count} of {len(question.nodes)} nodes have readings older than asked for")
        listed = not (question.uses_sinfo and view.pulse.list_error)
        return StatusAnswer(
            as_of=max((t for t in (view.pulse.revised_at, view.pulse.list_as_of) if t), default=None),
            groups=question.groups,
            checks=question.checks,
            nodes=question.nodes,
            complete=complete and listed,
            problems=tuple(problems),
            sweep=sweep,
            revision=(view.pulse.revision, view.pulse.list_revision),
            view=view,
            holding=self._holding(view, question) if complete and sweep is None else None,
        )

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

    def encoded(self, answer: StatusAnswer, form: Hashable, make: Callable[[], bytes]) -> tuple[bytes, str]:
        """The body of an answer in one form and its entity tag, made by `make` where it was not made before."""

        def entry() -> tuple[bytes, str]:
            body = make()
            return body, hashlib.blake2b(body, digest_size=16).hexdigest()

        return self._bodies.get((form, answer.identity), entry)

    def packed(self, tag: str, body: bytes) -> bytes:
        """A body with gzip, made where that of this entity tag was not made before."""
        return self._bodies.get(("gzip", tag), lambda: (gzip.compress(body, GZIP_LEVEL, mtime=0), tag))[0]

    def node_documents(self, answer: StatusAnswer) -> list[Document]:
        """The nodes of an answer as documents."""
        return [self._document(answer.view, node, answer.checks) for node in answer.nodes]

    def node_json(self, answer: StatusAnswer) -> list[bytes]:
        """The nodes of an answer as JSON, each encoded once until something in it changes."""
        return self._fragments(answer, "node", lambda document: document)

    def row_json(self, answer: StatusAnswer) -> list[bytes]:
        """The nodes of an answer as the rows that the page draws, each encoded once until something in it changes."""
        return self._fragments(answer, "row", row_document)

    def running(self, answer: StatusAnswer) -> Sweep | None:
        """The sweep under way that asks most of these nodes, None where none does."""
        wanted = set(answer.nodes)
        shared = [(len(wanted.intersection(sweep.nodes)), sweep.id, sweep) for sweep in self._store.sweeps.running()]
        most, _, sweep = max(shared, default=(0, 0, None))
        return sweep if most else None

    def _fragments(self, answer: StatusAnswer, shape: str, make: Callable[[Document], Document]) -> list[bytes]:
        """The nodes of an answer as JSON of a shape, which `make` gives to those that have none yet."""
        kept = dict(answer.view.fragments)
        if sum(len(checks) * len(nodes) for (_, checks), nodes in kept.items()) > CACHED_READINGS:
            answer.view.fragments.clear()
        known = answer.view.fragments.setdefault((shape, answer.checks), {})
        for node in answer.nodes:
            if node not in known:
                known[node] = encode(make(self._document(answer.view, node, answer.checks)))
        return [known[node] for node in answer.nodes]

    def _document(self, view: View, node: str, checks: Iterable[str]) -> Document:
        slurm: SlurmNode | None = view.inventory.nodes.get(node)
        wanted = [self._checks[name] for name in checks]
        return node_document(node, view.inventory.groups_of(node), slurm, view.readings.get(node, {}), wanted)

    # ---- looking at the store ----

    def _look(self, old: View | None) -> View:
        """The view after the old one: only what changed since is read, and only its fragments are dropped."""
        pulse = self._store.pulse()
        # Another beginning is another database: the one before was damaged and kept aside.
        if old is None or pulse.history_since != old.pulse.history_since:
            old = View(replace(pulse, revision=-1, list_revision=0), Inventory({}, {}), {})
        if pulse.list_revision != old.pulse.list_revision:
            inventory = from_document(decode(self._store.node_list() or b"{}"))
            old = View(old.pulse, inventory, old.readings)
        if pulse.revision == old.pulse.revision:
            return replace(old, pulse=pulse)
        changed = self._store.readings.since(old.pulse.revision)
        fragments = {
            shape: {node: data for node, data in dict(known).items() if node not in changed}
            for shape, known in dict(old.fragments).items()
        }
        return View(pulse, old.inventory, {**old.readings, **changed}, fragments)

    def _is_stale(self, view: View, question: Question, since: datetime) -> bool:
        """Whether any reading is missing, older than `since`, or of a time to come."""
        if not question.nodes or not question.checks:
            return False
        oldest, newest = view.times_of(question.nodes, question.checks)
        return not (iso(since) or "") <= oldest <= newest <= (iso(self._clock() + CLOCK_SLACK) or "")

    def _tried(self, view: View, since: datetime) -> bool:
        tried = view.pulse.list_tried_at
        return tried is not None and since <= tried <= self._clock() + CLOCK_SLACK

    # ---- sweeps ----

    def _request(self, question: Question) -> int:
        names = with_needs(self._checks, question.checks)
        limit = self._config.sweep.queue
        return self._store.sweeps.request(question.nodes, names, question.max_age_s, self._clock(), queue_limit=limit)

    def _wait(self, sweep_id: int, wait_s: float) -> None:
        """Returns when the sweep has ended, when the time is up, or when the agent is gone."""
        self._poll(lambda: _over(self._store.sweeps.get(sweep_id)) or not self.agent_alive(self.view()), wait_s)

    def _poll(self, done: Callable[[], bool], wait_s: float) -> None:
        ends_at, pause_s = time.monotonic() + wait_s, _POLL_S
        while time.monotonic() < ends_at and not done():
            time.sleep(min(pause_s, max(0.0, ends_at - time.monotonic())))
            pause_s = min(pause_s * 1.2, 0.5)

    # ---- words ----

    def _problems(self, view: View, *, uses_sinfo: bool) -> list[str]:
        problems = []
        if not self.agent_alive(view):
            seen = iso(view.pulse.agent_beat_at)
            last = f"it was last seen at {seen}" if seen else "it has never run on this database"
            problems.append(f"the agent is not running ({last}): these are the last readings")
        if uses_sinfo and view.pulse.list_error:
            as_of = iso(view.pulse.list_as_of)
            used = f"the last good list, of {as_of}, is used" if as_of else "there is no earlier list"
            problems.append(f"{view.pulse.list_error}; {used}")
        return problems

    def _last_good(self, pulse: Pulse) -> str:
        if pulse.list_as_of is None:
            return "there is no earlier list"
        age = self._age_s(pulse.list_as_of)
        return f"the last good list is kept and {age:.0f} s old: add max_age={age + 60:.0f} to see it"

    def _age_s(self, at: datetime) -> float:
        return (self._clock() - at).total_seconds()


class _Choice(NamedTuple):
    """How a request names nodes, and of which list."""

    list_revision: int
    list_as_of: datetime | None
    terms: str
    nodes: str


def _choice_size(choice: _Choice, names: tuple[str, ...]) -> int:
    return len(choice.terms) + len(choice.nodes) + sum(map(len, names))


def _body_size(_key: Hashable, entry: tuple[bytes, str]) -> int:
    return len(entry[0])


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())] or ["all"]


def _over(sweep: Sweep) -> bool:
    return sweep.state in (SweepState.DONE, SweepState.CUT)


def _slurm_error(pulse: Pulse, kept: str) -> SlurmFailed:
    kind = SlurmTimeout if pulse.list_status == SlurmTimeout.status else SlurmFailed
    return kind(f"{pulse.list_error}; {kept}")
