"""The shares of a sweep: which of its questions each network is asked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from botd.answers import Deliver, Source
from botd.errors import WorkerAbsent
from botd.inventory.networks import PROBES, Network
from botd.sweep import Plan, Prober

_BY_AGENT = frozenset({Source.JOBS, Source.LAST_JOB})
"""Slurm is asked by the agent alone."""


@dataclass(frozen=True)
class Share:
    """The part of a sweep that one network's workers do; `network` is None for the agent's own."""

    network: Network | None
    plan: Plan


def cut(plan: Plan, networks: Sequence[Network]) -> list[Share]:
    """The shares that the plan falls into. Each check of each node lies in exactly one of them."""
    shares: dict[tuple[Network | None, tuple[str, ...]], set[Source]] = {}
    for sources in (*PROBES.values(), _BY_AGENT):
        if sources & plan.sources:
            for network, nodes in _split(plan.nodes, sources, networks):
                shares.setdefault((network, nodes), set()).update(sources)
    return [Share(network, _part(plan, nodes, sources)) for (network, nodes), sources in shares.items()]


def probers_of(
    plan: Plan,
    networks: Sequence[Network],
    own: Callable[[Plan], list[Prober]],
    ask: Callable[[Plan, Network], Prober],
) -> list[Prober]:
    """The probers of a plan: `own` makes those of what this process asks itself, `ask` one for each other share."""
    if not networks:
        return own(plan)
    found = list[Prober]()
    for share in cut(plan, networks):
        if share.network is None:
            found += [replace(prober, nodes=frozenset(share.plan.nodes)) for prober in own(share.plan)]
        else:
            found.append(ask(share.plan, share.network))
    return found


def prober_of(plan: Plan, network: Network, run: Callable[[Deliver], None]) -> Prober:
    """The prober of a share that a network's workers do."""
    name = f"network {network.name}: {', '.join(sorted(plan.sources))}"
    return Prober(name, frozenset(plan.sources), run, frozenset(plan.nodes))


def unasked(plan: Plan, network: Network) -> Prober:
    """The prober of a share that only the agent could have done, for a command that asks by itself."""

    def run(deliver: Deliver) -> None:
        raise WorkerAbsent(f"a worker of {network.name} asks them, and only for the agent")

    return prober_of(plan, network, run)


def slices(plan: Plan, most: int, workers: int) -> list[Plan]:
    """The plan in slices of at most so many nodes, and at least one for each worker."""
    nodes = plan.nodes
    size = max(1, min(most, -(-len(nodes) // max(1, workers))))
    return [replace(plan, nodes=nodes[at : at + size]) for at in range(0, len(nodes), size)]


def _split(
    nodes: Sequence[str], sources: frozenset[Source], networks: Sequence[Network]
) -> Iterator[tuple[Network | None, tuple[str, ...]]]:
    """The nodes by who asks them for these sources."""
    fitting = [network for network in networks if sources <= network.sources]
    found: dict[Network | None, list[str]] = {}
    for node in nodes:
        found.setdefault(next((network for network in fitting if network.asks(node, sources)), None), []).append(node)
    yield from ((network, tuple(names)) for network, names in found.items())


def _part(plan: Plan, nodes: tuple[str, ...], sources: set[Source]) -> Plan:
    """The plan with these nodes and the checks of these sources. What they need may be asked elsewhere."""
    checks = {name: check for name, check in plan.checks.items() if check.source in sources}
    return replace(plan, nodes=nodes, checks=checks)
