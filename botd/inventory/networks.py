"""The networks of a site: which nodes, or which of their probes, only a worker reaches. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from botd import nodeset
from botd.answers import Source
from botd.errors import BadNodeset, ConfigError
from botd.settings import Config, NetworkSettings

PROBES = {
    "ping": frozenset({Source.PING}),
    "ssh": frozenset({Source.LOGIN, Source.COMMAND}),
    "bmc": frozenset({Source.PRESENCE, Source.POWER, Source.EVENTS}),
}
"""What a network may probe, and the sources that come of it."""

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
