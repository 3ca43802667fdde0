"""Networks in the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from botd.config import parse_config
from botd.errors import ConfigError
from botd.inventory.networks import network_named, networks_of, on_network


def networks(*tables: dict[str, Any]) -> Any:
    return networks_of(parse_config({"network": list(tables)}))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"nodes": ["n1"]}, 'name must be lower-case letters, digits and "-", at most 32, not ""'),
        ({"name": "A b", "nodes": ["n1"]}, "name must be"),
        ({"name": "a"}, 'names no nodes; write nodes = \\["all"\\]'),
        ({"name": "a", "nodes": ["n[1-"]}, "nodes cannot be read"),
        ({"name": "a", "nodes": ["n1"], "probes": ["slurm"]}, 'takes "ping", "ssh" and "bmc", not "slurm"'),
        ({"name": "a", "nodes": ["n1"], "probes": []}, "and not nothing"),
        ({"name": "a", "nodes": ["n1"], "keys": ["ssh-ed25519 AAAA"]}, "botd worker --show-key"),
    ],
)
def test_a_network_that_cannot_work_is_refused_in_words(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        networks(table)


def test_two_networks_of_one_name_are_refused_and_an_unknown_one_is_too() -> None:
    with pytest.raises(ConfigError, match='two networks named "a"'):
        networks({"name": "a", "nodes": ["n1"]}, {"name": "a", "nodes": ["n2"]})
    with pytest.raises(ConfigError, match=r'no .* named "b" .*there is a'):
        network_named(parse_config({"network": [{"name": "a", "nodes": ["n1"]}]}), "b")
    with pytest.raises(ConfigError, match="two brackets"):
        parse_config({"network": {"name": "a"}})


def test_a_network_has_its_own_address_rules() -> None:
    document = {"network": [{"name": "a", "nodes": ["all"], "bmc_address": "{node}-oob"}]}
    config = parse_config({**document, "nodes": {"address": "{node}.hpc"}})
    there = on_network(config, networks_of(config)[0])
    assert (there.nodes.address, there.bmc.address) == ("{node}.hpc", "{node}-oob")
