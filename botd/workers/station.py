"""A worker's side: it asks the nodes of its network what an order says, and hands on what they answer as it comes."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator

from botd.answers import Delivery
from botd.checks import Checks, site_checks
from botd.errors import ConfigError
from botd.inventory.networks import Network, network_named, on_network
from botd.model import Clock, SlurmNode, utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import Ended, Inbox, Plan, Prober, next_message, start_probers
from botd.text import one_line
from botd.workers.keys import signing_key
from botd.workers.letters import Answers, BadLetter, Order, read_order, write_answers

LOG = logging.getLogger(__name__)

BATCH = 500
BATCH_S = 1.0
"""Answers go back in batches of so many at most, and none waits longer than this for another.

A task of Celery costs some ms, however little it says."""


class Station:
    """What one worker can do. Used from several threads, one for each order."""

    def __init__(self, config: Config, name: str, *, clock: Clock = utc_now) -> None:
        """Reads keys and secrets. Raises ConfigError for what is missing."""
        self.network = network_named(config, name)
        self.name = f"{name}.{os.getpid()}@{socket.gethostname()}"
        if not config.workers.agent_key:
            raise ConfigError(
                "[workers] agent_key must be the agent's public key: `botd worker --show-key` there prints it",
                "[workers] agent_key",
            )
        self._agent = (config.workers.agent_key,)
        self.key = signing_key(config)
        self._checks: Checks = site_checks(config)
        self._probes = Probes(on_network(config, self.network))
        self._clock = clock

    def do(self, letter: object) -> Iterator[str]:
        """The letters that go back, as nodes answer. None for an order that this worker does not take."""
        try:
            order = read_order(letter, self._agent)
            plan, problems = _plan(order, self.network, self._checks)
        except BadLetter as error:
            LOG.warning("order refused error=%s", one_line(str(error)))
            return
        left_s = (order.until - self._clock()).total_seconds()
        if left_s <= 0:
            LOG.warning("order comes too late seconds=%.0f", -left_s)
            return
        yield self._letter(order, ())  # who has it now
        probers = self._probes.probers(plan)
        yield from self._batches(order, start_probers(probers), probers, time.monotonic() + left_s, problems)

    def close(self) -> None:
        """Closes what is kept open."""
        self._probes.close()

    def _batches(
        self, order: Order, inbox: Inbox, probers: Iterable[Prober], until: float, problems: list[str]
    ) -> Iterator[str]:
        """What the probers deliver until all have ended or it is too late, in batches, and then the end."""
        running, batch, due = {prober.name for prober in probers}, list[Delivery](), time.monotonic() + BATCH_S
        while running and time.monotonic() < until:
            message = next_message(inbox, min(due, until))
            if isinstance(message, Ended):
                running.discard(message.prober.name)
                problems += [message.error] if message.error else []
            elif message is not None:
                batch.append(message)
            if time.monotonic() >= due or len(batch) >= BATCH:
                if batch:
                    yield self._letter(order, batch)
                batch, due = [], time.monotonic() + BATCH_S
        yield self._letter(order, batch, ends=True, problems=tuple(problems))

    def _letter(
        self, order: Order, batch: Iterable[Delivery], *, ends: bool = False, problems: tuple[str, ...] = ()
    ) -> str:
        return write_answers(Answers(order.slice, self.name, tuple(batch), ends, problems), self.key)


def _plan(order: Order, network: Network, checks: Checks) -> tuple[Plan, list[str]]:
    """What the order asks of this network's nodes, by this worker's own checks: an order has names, and no commands.

    Raises BadLetter for nodes of elsewhere.
    """
    if order.network != network.name:
        raise BadLetter(f"it is for the network {order.network[:40]!r}")
    if network.nodes is not None and not network.nodes.issuperset(order.nodes):
        raise BadLetter(f"it asks for nodes that are not on {network.name}")
    known = {name: checks[name] for name in order.checks if name in checks}
    mine = {name: check for name, check in known.items() if check.source in network.sources}
    strange = sorted(set(order.checks) - set(mine))
    problems = [f"its worker has no such check: {', '.join(strange)}"] if strange else []
    slurm = {
        node: SlurmNode(node, "", "", address=address, hostname=hostname)
        for node, (address, hostname) in order.places.items()
    }
    return Plan(order.nodes, mine, slurm, order.fresh), problems
