"""One sweep: nodes x checks -> readings. It knows no HTTP, no SQL, and not how a probe reaches a node.

Everything is asked at once: each prober runs in a thread of its own and delivers raw answers as they come; this
module turns them into readings in one thread, in any order. A check whose need is not met is skipped without
waiting for it, and a node comes out as soon as its last check has settled, whatever the others do.
"""

from __future__ import annotations

import dataclasses
import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from botd.answers import Answer, Deliver, Delivery, Job, Output, SlurmAnswer, Source
from botd.checks import Checks, with_needs
from botd.errors import BotdError
from botd.model import Check, Clock, Facts, Finding, Reading, SlurmNode, State
from botd.text import clean, clean_value

log = logging.getLogger(__name__)

MET = (State.OK, State.WARN)
"""States of a needed check under which the checks that need it mean something."""

_SHOWN = 200  # characters of a refused output that a detail repeats

_LOADER = re.compile(r"^ERROR: ld\.so: object .*? cannot be preloaded.*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """What one sweep asks: these checks (needs included) of these nodes.

    `slurm` holds what Slurm says of the nodes it knows; `fresh` asks for new logins instead of kept connections.
    """

    nodes: tuple[str, ...]
    checks: Checks
    slurm: Mapping[str, SlurmNode] = field(default_factory=dict)
    fresh: bool = False

    @property
    def sources(self) -> set[Source]:
        """The sources that the checks read."""
        return {check.source for check in self.checks.values()}


@dataclass(frozen=True)
class Prober:
    """Something that asks nodes and delivers the raw answers of some sources; `run` ends when it has.

    `nodes` are those that it asks, None for all of the plan. No two probers of a sweep have one name.
    """

    name: str
    sources: frozenset[Source]
    run: Callable[[Deliver], None]
    nodes: frozenset[str] | None = None


Emit = Callable[[str, Mapping[str, Reading]], None]
"""Takes one finished node and all its readings."""


def make_plan(
    nodes: Sequence[str],
    checks: Checks,
    names: Iterable[str],
    slurm: Mapping[str, SlurmNode] | None = None,
    *,
    fresh: bool = False,
) -> Plan:
    """The plan that asks the named checks, and what they need, of these nodes."""
    wanted = {name: checks[name] for name in with_needs(checks, names)}
    return Plan(tuple(nodes), wanted, slurm or {}, fresh)


def run_sweep(plan: Plan, probers: Sequence[Prober], emit: Emit, *, deadline_s: float, clock: Clock) -> list[str]:
    """Runs the probers and emits each node once, when it is finished; at the deadline the rest as it stands.

    Returns a sentence for each prober that failed as a whole. Never raises for what a node does. A KeyboardInterrupt
    is passed on, after every node that any reading is there of has come out as it stands.
    """
    rounds = {node: _NodeRound(node, plan) for node in plan.nodes}
    inbox = start_probers(probers)
    try:
        errors = _settle_nodes(rounds, {prober.name for prober in probers}, inbox, emit, deadline_s, clock)
    except KeyboardInterrupt:
        begun = {node: unfinished for node, unfinished in rounds.items() if unfinished.readings}
        _cut_short(begun, "interrupted before it answered", emit, clock)
        raise
    _cut_short(rounds, "no answer in time", emit, clock)
    return errors


def _settle_nodes(
    rounds: dict[str, _NodeRound],
    running: set[str],
    inbox: Inbox,
    emit: Emit,
    deadline_s: float,
    clock: Clock,
) -> list[str]:
    """Takes what the running probers deliver until all have ended or the time is up; finished nodes leave `rounds`."""
    errors: list[str] = []
    until = time.monotonic() + deadline_s
    while rounds and running:
        message = next_message(inbox, until)
        if message is None:
            errors.append(f"the sweep was cut at its deadline of {deadline_s:g} s with {len(rounds)} nodes unfinished")
            break
        if isinstance(message, Ended):
            running.discard(message.prober.name)
            errors += [message.error] if message.error else []
            _close_sources(rounds, message, clock, emit)
        elif current := rounds.get(message.node):
            current.take(message, clock)
            if current.finished:
                emit(message.node, rounds.pop(message.node).readings)
    return errors


def read_answer(check: Check, answer: Answer, facts: Facts) -> Finding:
    """What the check makes of a raw answer, with nothing unprintable in it.

    Output that its parse refuses is unknown, with the refused text.
    """
    if isinstance(answer, Output):
        answer = dataclasses.replace(answer, text=without_loader_errors(answer.text))
        missing = _missing(check, answer)
        if missing:
            return Finding(State.UNKNOWN, None, clean(missing))
    try:
        found = check.parse(answer, facts)
        return Finding(found.state, clean_value(found.value), clean(found.detail))
    except (ValueError, LookupError, ArithmeticError):
        refused = answer.text if isinstance(answer, Output) else repr(answer)
        return Finding(State.UNKNOWN, None, f"cannot read: {clean(refused)[:_SHOWN] or 'an empty answer'}")
    except Exception as error:  # a fault of ours costs this cell, and is seen
        log.exception("check failed to read an answer check=%s node=%s", check.name, facts.node)
        return Finding(State.UNKNOWN, None, f"botd failed, see its log: {type(error).__name__}")


def without_loader_errors(text: str) -> str:
    """The output without what ld.so says, before each program, of a library that it cannot preload.

    A stale /etc/ld.so.preload or LD_PRELOAD makes every program print it (ld.so(8)), and hides the answer.
    """
    # ERROR: ld.so: object '/opt/xalt/lib64/libxalt_init.so' from LD_PRELOAD cannot be preloaded (cannot open ...
    return _LOADER.sub("", text) if "ld.so" in text else text


def _missing(check: Check, output: Output) -> str:
    """Why there is no whole output to parse, or an empty string when there is one, or the check takes less."""
    if output.detail and not (output.timed_out and check.reads_cut):
        return output.detail
    return _cut(check, output) if output.status is None and not check.reads_cut else ""


def _cut(check: Check, output: Output) -> str:
    if output.timed_out:
        return f"did not end within {check.timeout_s:g} s"
    begins = f"printed too much; it begins: {clean(output.text)[:_SHOWN]}"
    return begins if output.truncated else "ended without a status"


# ---- probers at work ----


@dataclass(frozen=True)
class Ended:
    """The end of a prober, and in a sentence why, where it failed as a whole."""

    prober: Prober
    error: str = ""


Inbox = queue.SimpleQueue[Delivery | Ended]
"""What probers at work deliver, and their ends."""


def start_probers(probers: Iterable[Prober]) -> Inbox:
    """What these probers deliver from now on, each from a thread of its own; the end of each is the last of it."""
    inbox: Inbox = queue.SimpleQueue()
    for prober in probers:
        _start(prober, inbox)
    return inbox


def next_message(inbox: Inbox, until: float) -> Delivery | Ended | None:
    """The next message, None when the time is up, also while messages never stop coming."""
    left_s = until - time.monotonic()
    try:
        return inbox.get(timeout=left_s) if left_s > 0 else None
    except queue.Empty:
        return None


def _start(prober: Prober, inbox: Inbox) -> None:
    """Runs the prober in a daemon thread, whose end, good or bad, is a message too."""

    def run() -> None:
        try:
            prober.run(inbox.put)
        except BotdError as error:
            inbox.put(Ended(prober, str(error)))
        except Exception as error:  # a fault of ours must cost these cells only, and be seen
            log.exception("prober failed prober=%s", prober.name)
            inbox.put(Ended(prober, f"{prober.name} failed: {type(error).__name__}"))
        else:
            inbox.put(Ended(prober))

    threading.Thread(target=run, name=f"probe-{prober.name}", daemon=True).start()


def _cut_short(rounds: Mapping[str, _NodeRound], why: str, emit: Emit, clock: Clock) -> None:
    """Emits nodes as they stand: what is still open is unknown."""
    for node, unfinished in rounds.items():
        unfinished.give_up(why, set(Source), clock)
        emit(node, unfinished.readings)


def _close_sources(rounds: dict[str, _NodeRound], ended: Ended, clock: Clock, emit: Emit) -> None:
    """After a prober's end nothing more comes from its sources: what is still open there is unknown."""
    asked = ended.prober.nodes
    for node in list(rounds) if asked is None else rounds.keys() & asked:
        rounds[node].give_up(ended.error or "no answer", ended.prober.sources, clock)
        if rounds[node].finished:
            emit(node, rounds.pop(node).readings)


class _NodeRound:
    """One node's part of a sweep: raw answers go in, readings settle in the order that needs allow."""

    def __init__(self, node: str, plan: Plan) -> None:
        self.readings: dict[str, Reading] = {}
        self._node = node
        self._plan = plan
        self._answers: dict[str, Delivery] = {}
        self._jobs: tuple[Job, ...] | None = None

    @property
    def finished(self) -> bool:
        """Whether every check has a reading."""
        return len(self.readings) == len(self._plan.checks)

    def take(self, delivery: Delivery, clock: Clock) -> None:
        """Takes one raw answer and settles what it makes possible."""
        answer = delivery.answer
        if isinstance(answer, SlurmAnswer) and delivery.source is Source.JOBS and not answer.error:
            self._jobs = answer.jobs if self._jobs is None else self._jobs
        for name, check in self._plan.checks.items():
            if check.source is delivery.source and delivery.check in ("", name):
                self._answers.setdefault(name, delivery)
                self._try(name, clock)

    def give_up(self, why: str, sources: Iterable[Source], clock: Clock) -> None:
        """Every check of these sources that has no answer becomes unknown."""
        for name, check in self._plan.checks.items():
            if check.source in sources and name not in self.readings and name not in self._answers:
                self._settle(name, Reading(State.UNKNOWN, None, check.unit, clock(), None, why), clock)

    def _try(self, name: str, clock: Clock) -> None:
        """Settles a check if its needs have settled and its answer is there, or if it can never run."""
        if name in self.readings:
            return
        check = self._plan.checks[name]
        needed = [(need, self.readings.get(need)) for need in check.needs]
        unmet = next((need for need, reading in needed if reading and reading.state not in MET), None)
        if unmet:
            detail = f"needs {unmet}, which is {self.readings[unmet].state}"
            self._settle(name, Reading(State.SKIPPED, None, check.unit, clock(), None, detail), clock)
        elif name in self._answers and all(reading for _, reading in needed):
            self._settle(name, self._read(check, self._answers[name], clock), clock)

    def _read(self, check: Check, delivery: Delivery, clock: Clock) -> Reading:
        facts = Facts(self._node, self._plan.slurm.get(self._node), self._jobs, check.settings)
        found = read_answer(check, delivery.answer, facts)
        took_s = None if delivery.took_s is None else round(delivery.took_s, 3)
        return Reading(found.state, found.value, check.unit, clock(), took_s, found.detail)

    def _settle(self, name: str, reading: Reading, clock: Clock) -> None:
        self.readings[name] = reading
        for other, check in self._plan.checks.items():
            if name in check.needs:
                self._try(other, clock)
