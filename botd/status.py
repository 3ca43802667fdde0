"""The answer that everybody reads: nodes with their readings, from the store, for pages and resources alike.

A Board is one web process's view of the store. It reads only what changed, and keeps every node encoded, so that
JSON is made once per change and not once per request.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from botd import nodeset
from botd.checks import Checks, select, with_needs
from botd.config import Config
from botd.documents import CLOCK_SLACK, Document, decode, encode, iso, node_document, stale_nodes
from botd.errors import BadRequest, NoNodeList, SlurmFailed, SlurmTimeout
from botd.inventory import Inventory
from botd.inventory.document import from_document
from botd.model import Clock, Group, SlurmNode, Sweep, SweepState
from botd.rows import row_document
from botd.store import ALIVE_S, Pulse, Store

RECHECK_S = 0.05
"""How long a process trusts its view of the store. A request that waited for something looks afresh."""

CACHED_ANSWERS = 32

CACHED_BYTES = 64 * 2**20
"""Of all cached answers together: 10,000 nodes with 16 checks are 28 MB, and each question may be another one."""

CACHED_READINGS = 300_000
"""Readings that are kept as JSON, of some 170 bytes each."""

_POLL_S = 0.05


@dataclass(frozen=True)
class Question:
    """What a status request asks, understood: every node and check is known.

    `max_age_s` of 0 means read after the request came; `wait_s` is how long the client will wait for that.
    """

    nodes: tuple[str, ...]
    checks: tuple[str, ...]
    groups: tuple[str, ...]
    max_age_s: float
    wait_s: float
    uses_sinfo: bool = False


@dataclass(frozen=True)
class View:
    """The store as it was at one moment.

    `fragments` are its nodes as JSON, by shape and checks, made when first asked for.
    """

    pulse: Pulse
    inventory: Inventory
    readings: Mapping[str, Mapping[str, Document]]
    fragments: dict[tuple[str, tuple[str, ...]], dict[str, bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class StatusAnswer:
    """The nodes with their readings, and how far they can be trusted. `problems` are sentences for a person."""

    as_of: datetime | None
    groups: tuple[str, ...]
    checks: tuple[str, ...]
    nodes: tuple[str, ...]
    complete: bool
    problems: tuple[str, ...]
    sweep: int | None
    revision: tuple[int, int]
    view: View = field(compare=False, repr=False)

    @property
    def identity(self) -> Hashable:
        """What two answers have in common that look the same; without the view, which is as large as the store."""
        return (
            self.as_of,
            self.groups,
            self.checks,
            self.nodes,
            self.complete,
            self.problems,
            self.sweep,
            self.revision,
        )

    def head(self) -> Document:
        """The answer without its nodes."""
        return {
            "as_of": iso(self.as_of),
            "groups": list(self.groups),
            "checks": list(self.checks),
            "count": len(self.nodes),
            "complete": self.complete,
            "problems": list(self.problems),
            "sweep": self.sweep,
        }


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
        self._answers: OrderedDict[object, tuple[bytes, str]] = OrderedDict()

    @property
    def checks(self) -> Checks:
        """The checks of this site."""
        return self._checks

    def now(self) -> datetime:
        """The time by which ages are told."""
        return self._clock()

    def view(self, *, fresh: bool = False) -> View:
        """The store as it is now, or was a moment ago. Raises StoreUnavailable."""
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
        limit = self._config.server.max_nodes
        chosen = set(view.inventory.expand_groups(",".join(terms), max_nodes=limit)) if terms else set()
        chosen |= set(view.inventory.expand_nodes(nodes, max_nodes=limit)) if nodes else set()
        if len(chosen) > limit:
            raise BadRequest(f"this asks for {len(chosen)} nodes; ask for at most {limit} at once")
        ordered = tuple(sorted(chosen, key=nodeset.natural_key))
        return Question(ordered, names, tuple(terms), max_age_s, wait_s, uses_sinfo)

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
        if sweep_allowed and self._stale(view, question, since) and self.agent_alive(view):
            sweep = self._request(question)
            self._wait(sweep, question.wait_s)
            view = self.view(fresh=True)
        # A client that does not wait is told which sweep to follow; what it gets is what was there.
        complete = not self._stale(view, question, since) and self.agent_alive(view)
        problems = self._problems(view, uses_sinfo=question.uses_sinfo)
        if sweep_allowed and not complete and self.agent_alive(view):
            count = len(self._stale(view, question, since))
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
        )

    def encoded(self, answer: StatusAnswer, form: Hashable, make: Callable[[], bytes]) -> tuple[bytes, str]:
        """The body of an answer in one form and its entity tag, made by `make` where it was not made before."""
        key = (form, answer.identity)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        body = make()
        entry = (body, hashlib.blake2b(body, digest_size=16).hexdigest())
        with self._lock:
            self._answers[key] = entry
            while len(self._answers) > CACHED_ANSWERS or _size(self._answers.values()) > CACHED_BYTES:
                self._answers.popitem(last=False)
        return entry

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
        if old is None:
            old = View(replace(pulse, revision=-1, list_revision=0), Inventory({}, {}), {})
        if pulse.list_revision != old.pulse.list_revision:
            inventory = from_document(decode(self._store.node_list() or b"{}"))
            old = View(old.pulse, inventory, old.readings)
        if pulse.revision == old.pulse.revision:
            return replace(old, pulse=pulse)
        changed = {node: decode(data) for node, data in self._store.readings_since(old.pulse.revision).items()}
        fragments = {
            shape: {node: data for node, data in dict(known).items() if node not in changed}
            for shape, known in dict(old.fragments).items()
        }
        return View(pulse, old.inventory, {**old.readings, **changed}, fragments)

    def _stale(self, view: View, question: Question, since: datetime) -> list[str]:
        return stale_nodes(view.readings, question.nodes, question.checks, since, self._clock())

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


def listed_groups(inventory: Inventory) -> list[Group]:
    """Every group that a request may name: the two that are always there, then those of files and Slurm."""
    always = [Group("sinfo", "slurm", inventory.down()), Group("all", "slurm and group files", inventory.names())]
    return always + [inventory.groups[name] for name in inventory.group_names()]


def _size(entries: Iterable[tuple[bytes, str]]) -> int:
    return sum(len(body) for body, _ in entries)


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())] or ["all"]


def _over(sweep: Sweep) -> bool:
    return sweep.state in (SweepState.DONE, SweepState.CUT)


def _slurm_error(pulse: Pulse, kept: str) -> SlurmFailed:
    kind = SlurmTimeout if pulse.list_status == SlurmTimeout.status else SlurmFailed
    return kind(f"{pulse.list_error}; {kept}")
