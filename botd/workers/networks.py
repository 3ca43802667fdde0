"""The networks of a site, and which of a sweep's questions each of them is asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from botd import nodeset
from botd.answers import Deliver, Source
from botd.errors import BadNodeset, ConfigError, WorkerAbsent
from botd.settings import Config, NetworkSettings
from botd.sweep import Plan, Prober

PROBES = {
    "ping": frozenset({Source.PING}),
    "ssh": frozenset({Source.LOGIN, Source.COMMAND}),
    "bmc": frozenset({Source.PRESENCE, Source.POWER, Source.EVENTS}),
}
"""What a network may probe, and the sources that come of it. Slurm is asked by the agent alone."""

_BY_AGENT = frozenset({Source.JOBS, Source.LAST_JOB})

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Network:
    """A network: its nodes, None for all of them; what is asked there; and the public keys of who asks."""

    name: str
    nodes: frozenset[str] | None
    sources: frozenset[Source]
    keys: frozenset[str]

    def asks(self, node: str, sources: frozenset[Source]) -> bool:
        """Whether its workers are who asks this node for these."""
        return sources <= self.sources and (self.nodes is None or node in self.nodes)


@dataclass(frozen=True)
class Share:
    """The part of a sweep that one network's workers do; `network` is None for the agent's own."""

    network: Network | None
    plan: Plan


def networks_of(config: Config) -> tuple[Network, ...]:
    """The networks of a site. Raises ConfigError for one that cannot work, and for two of one name."""
    found: dict[str, Network] = {}
    for settings in config.network:
        if settings.name in found:
            raise ConfigError(f'there are two networks named "{settings.name}"; give one another name', _at(settings))
        found[settings.name] = _network(settings)
    return tuple(found.values())


def network_named(config: Config, name: str) -> Network:
    """The network of this name. Raises ConfigError where there is none."""
    networks = {network.name: network for network in networks_of(config)}
    if name not in networks:
        told = ", ".join(networks) or "none"
        raise ConfigError(f'there is no [[network]] named "{name[:60]}" in the configuration; there is {told}')
    return networks[name]


def on_network(config: Config, network: Network) -> Config:
    """The configuration with the address rules of this network."""
    own = next(settings for settings in config.network if settings.name == network.name)
    return replace(
        config,
        nodes=replace(config.nodes, address=own.node_address or config.nodes.address),
        bmc=replace(config.bmc, address=own.bmc_address or config.bmc.address),
    )


def network_of(networks: Sequence[Network], node: str, probe: str) -> Network | None:
    """The network whose workers ask this node by this probe; None where the agent itself does."""
    return next((network for network in networks if network.asks(node, PROBES[probe])), None)


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


def _network(settings: NetworkSettings) -> Network:
    if not _NAME.fullmatch(settings.name):
        raise ConfigError(
            f'[[network]] name must be lower-case letters, digits and "-", at most 32, not "{settings.name[:60]}"',
            "[[network]] name",
        )
    if wrong := [probe for probe in settings.probes if probe not in PROBES] or not settings.probes:
        told = f'not "{wrong[0]}"' if isinstance(wrong, list) else "and not nothing"
        raise ConfigError(f'{_at(settings)}: probes takes "ping", "ssh" and "bmc", {told}', _at(settings))
    if wrong_keys := [key for key in settings.keys if not _KEY.fullmatch(key)]:
        raise ConfigError(
            f'{_at(settings)}: keys takes what `botd worker --show-key` prints, 64 digits, not "{wrong_keys[0][:80]}"',
            _at(settings),
        )
    sources = frozenset[Source]().union(*(PROBES[probe] for probe in settings.probes))
    return Network(settings.name, _nodes(settings), sources, frozenset(settings.keys))


def _nodes(settings: NetworkSettings) -> frozenset[str] | None:
    if not settings.nodes:
        raise ConfigError(f'{_at(settings)} names no nodes; write nodes = ["all"] for every node', _at(settings))
    if "all" in settings.nodes:
        return None
    try:
        return frozenset(name for text in settings.nodes for name in nodeset.expand(text))
    except BadNodeset as error:
        raise ConfigError(f"{_at(settings)}: nodes cannot be read: {error}", _at(settings)) from None


def _at(settings: NetworkSettings) -> str:
    return f"[[network]] name={settings.name}"
