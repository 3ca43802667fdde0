"""The agent's side of workers: it cuts a sweep into shares, sends orders, and joins what comes back.

To the sweep a network is a prober like any other: raw answers come in any order, and readings, needs and the deadline
are made of them in one place.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from nacl.signing import SigningKey

from botd.answers import Deliver, Delivery
from botd.errors import BotdError, WorkerAbsent
from botd.inventory.networks import Network
from botd.logs import Faults
from botd.model import Clock
from botd.settings import Config
from botd.sweep import Plan, Prober
from botd.text import one_line
from botd.transport.addresses import slurm_names
from botd.workers.letters import Answers, BadLetter, Order, read_answers, slice_of, write_order
from botd.workers.shares import prober_of, probers_of, slices

LOG = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often is looked whether who was asked is still there."""


class Sends(Protocol):
    """Who takes orders to the workers: `Post`."""

    def send(self, network: str, letter: str, expires_s: float) -> None:
        """Raises WorkerAbsent."""


@dataclass
class _Slice:
    """Some nodes of a network that are asked now. `worker` is who has begun to answer, as it calls itself."""

    token: str
    network: Network
    plan: Plan
    deliver: Deliver
    until: float
    sent_at: float = 0.0
    worker: str = ""
    is_over: bool = False
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._asked = {(node, source) for node in self.plan.nodes for source in self.plan.sources}

    def may(self, delivery: Delivery) -> bool:
        """Whether this was asked."""
        return (delivery.node, delivery.source) in self._asked


class Office:
    """Who is there, and what they are asked. Used from any thread."""

    def __init__(
        self,
        config: Config,
        networks: Sequence[Network],
        key: SigningKey,
        post: Sends,
        *,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = config.workers
        self._networks = tuple(networks)
        self._key = key
        self._post = post
        self._clock = clock
        self._monotonic = monotonic
        now = monotonic()
        self._seen: dict[str, dict[str, float]] = {network.name: {} for network in networks}
        self._since = dict.fromkeys(self._seen, now)
        self._back_at, self._lost = now, ""
        self._open: dict[str, _Slice] = {}
        self._faults = Faults(LOG)
        self._lock = threading.Condition()

    def probers(self, plan: Plan, own: Callable[[Plan], list[Prober]], deadline_s: float) -> list[Prober]:
        """The probers of a sweep: those that `own` makes for what the agent asks itself, and one for each share."""
        until = self._monotonic() + deadline_s

        def ask(part: Plan, network: Network) -> Prober:
            return prober_of(part, network, lambda deliver: self._ask(part, network, until, deliver))

        return probers_of(plan, self._networks, own, ask)

    # ---- what is heard ----

    def take(self, letter: object) -> None:
        """Takes what a worker has sent. What nobody may say, or nobody waits for, is left out."""
        try:
            asked = self._open.get(slice_of(letter))
            if asked is None:
                return  # of a sweep that is over
            answers = read_answers(letter, asked.network.keys)
        except BadLetter as error:
            LOG.warning("letter refused error=%s", one_line(str(error)))
            return
        good = [delivery for delivery in answers.deliveries if asked.may(delivery)]
        if len(good) < len(answers.deliveries):
            LOG.warning("worker answers for nodes that it was not asked for network=%s", asked.network.name)
        for delivery in good:
            asked.deliver(delivery)
        self._note(asked, answers)

    def beat(self, worker: str) -> None:
        """Takes a sign of life: `network.number@host`."""
        network, now = worker.partition(".")[0], self._monotonic()
        with self._lock:
            if network in self._seen:
                lately = {name: at for name, at in self._seen[network].items() if at >= now - self._settings.silent}
                self._seen[network], self._since[network] = {**lately, worker: now}, now

    def connected(self, error: str) -> None:
        """Takes that the broker is there, or why it is not. What it was given before it was away may be lost."""
        with self._lock:
            if not error:
                self._back_at = self._monotonic()
            self._lost = error
            self._lock.notify_all()
        self._faults.tell("broker cannot be reached", [error] if error else [])

    def there(self, network: str) -> list[str]:
        """The workers of a network that gave a sign of life lately."""
        with self._lock:
            oldest = self._monotonic() - self._settings.silent
            return [worker for worker, at in self._seen[network].items() if at >= oldest]

    def _note(self, asked: _Slice, answers: Answers) -> None:
        self.beat(answers.worker)
        with self._lock:
            asked.worker = answers.worker
            asked.problems += answers.problems
            asked.is_over = asked.is_over or answers.ends
            self._lock.notify_all()

    # ---- what is asked ----

    def _ask(self, plan: Plan, network: Network, until: float, deliver: Deliver) -> None:
        """Has the workers of a network answer a plan. Raises WorkerAbsent, and BotdError for what went wrong there."""
        self._check(network)
        parts = slices(plan, self._settings.slice, len(self.there(network.name)))
        asked = [_Slice(secrets.token_hex(16), network, part, deliver, until) for part in parts]
        with self._lock:
            self._open.update({one.token: one for one in asked})
        try:
            for one in asked:
                self._send(one)
            self._wait(network, asked, until)
        finally:
            with self._lock:
                for one in asked:
                    del self._open[one.token]
        if problems := sorted({problem for one in asked for problem in one.problems}):
            raise BotdError(f"{network.name}: {one_line('; '.join(problems))}")

    def _wait(self, network: Network, asked: Iterable[_Slice], until: float) -> None:
        """Until all are answered or it is too late. What was lost is sent again: to read twice does no harm."""
        while (left := [one for one in asked if not one.is_over]) and self._monotonic() < until:
            self._check(network)
            for one in left:
                if self._is_lost(one):
                    LOG.warning("order sent again network=%s nodes=%d", network.name, len(one.plan.nodes))
                    self._send(one)
            with self._lock:
                if not all(one.is_over for one in left):
                    self._lock.wait(LOOK_S)

    def _is_lost(self, one: _Slice) -> bool:
        """Whether the broker was away since it was sent, or whoever began it has given no sign of life for long."""
        with self._lock:
            if self._lost:
                return False
            seen_at = self._seen[one.network.name].get(one.worker, one.sent_at)
            is_silent = bool(one.worker) and self._monotonic() - max(seen_at, self._back_at) > self._settings.silent
            return self._back_at > one.sent_at or is_silent

    def _check(self, network: Network) -> None:
        """Raises WorkerAbsent where nobody is there who could answer."""
        with self._lock:
            now, silent, since, lost = self._monotonic(), self._settings.silent, self._since[network.name], self._lost
            heard_at = since if lost else max(since, self._back_at)
        if now - heard_at > silent:
            why = f", and the broker cannot be reached: {lost}" if lost else ""
            raise WorkerAbsent(f"no worker for {network.name} since {_ago(now - since)}{why}")

    def _send(self, one: _Slice) -> None:
        left_s = max(1.0, one.until - self._monotonic())
        listed = ((node, one.plan.slurm[node]) for node in one.plan.nodes if node in one.plan.slurm)
        order = Order(
            one.token,
            one.network.name,
            one.plan.nodes,
            tuple(one.plan.checks),
            {node: (slurm.address, slurm.hostname) for node, slurm in listed if slurm_names(slurm)},
            one.plan.fresh,
            self._clock() + timedelta(seconds=left_s),
        )
        one.worker, one.sent_at = "", self._monotonic()
        problems = list[str]()
        try:
            self._post.send(one.network.name, write_order(order, self._key), left_s)
        except WorkerAbsent as error:
            one.sent_at, problems = float("-inf"), [str(error)]  # and so it is lost
        self._faults.tell(f"order not sent network={one.network.name}", problems)


def _ago(seconds: float) -> str:
    """How long, in the largest unit that it fills."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
