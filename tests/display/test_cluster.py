"""The picture of the cluster: which groups part the nodes, and what a block says."""

from __future__ import annotations

from typing import Any

import pytest

from botd.checks import site_checks
from botd.config import parse_config
from botd.display.cluster import REST, Square, draw_blocks, families, family
from botd.errors import UnknownGroup
from botd.inventory import Inventory, build
from botd.model import Group, SlurmNode

CHECKS = site_checks(parse_config({}))
NODES = [f"n{i}" for i in range(8)]


def inventory(groups: dict[str, list[str]], partitions: dict[str, list[str]]) -> Inventory:
    nodes = [
        SlurmNode(name, "idle", "IDLE", partitions=tuple(p for p, members in partitions.items() if name in members))
        for name in NODES
    ]
    return build(nodes, {name: Group(name, "/file", tuple(members)) for name, members in groups.items()}, None)


RACKS = {"rack-1": NODES[:4], "rack-2": NODES[4:]}


@pytest.mark.parametrize(
    ("groups", "partitions", "best"),
    [
        ({}, {"all-of-them": NODES}, "partitions"),
        (RACKS, {"all-of-them": NODES}, "rack-*"),
        ({**RACKS, "gpu": NODES[:2]}, {"a": NODES[:4], "b": NODES[2:]}, "rack-*"),
        ({"gpu": NODES[:2]}, {"a": NODES[:4], "b": NODES[4:]}, "partitions"),
        ({"gpu": NODES[:4], "cpu": NODES[4:]}, {"p": NODES[:6], "q": NODES}, "files"),
    ],
)
def test_the_groups_that_part_the_nodes_best_come_first(
    groups: dict[str, list[str]], partitions: dict[str, list[str]], best: str
) -> None:
    assert next(iter(families(inventory(groups, partitions)))) == best


def test_nothing_parts_nodes_without_groups() -> None:
    assert families(inventory({}, {})) == {}
    (block,) = draw_blocks([], NODES, {}, [], CHECKS)
    assert (block.name, len(block.squares)) == (REST, 8)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("rack-*", ["rack-1", "rack-2"]),
        ("partitions", ["p"]),
        ("files", ["gpu", "rack-1", "rack-2"]),
        ("gpu,rack-2", ["gpu", "rack-2"]),
        ("p", ["p"]),
    ],
)
def test_groups_are_named_by_family_name_or_pattern(by: str, names: list[str]) -> None:
    known = inventory({**RACKS, "gpu": NODES[:2]}, {"p": NODES})
    assert [group.name for group in family(known, by)] == names


def test_an_unknown_group_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownGroup, match="did you mean") as caught:
        family(inventory(RACKS, {}), "rck-1")
    assert caught.value.near[0] == "rack-1"


def reading(state: str) -> dict[str, Any]:
    return {"state": state, "value": None, "unit": None, "at": "2026-11-23T20:19:48.000Z", "took_s": 1, "detail": ""}


def test_every_node_stands_in_one_block_the_smallest_of_its_groups() -> None:
    names = {"big": NODES[:6], "small": NODES[:2], "elsewhere": ["x1"]}
    groups = [Group(name, "slurm", tuple(members)) for name, members in names.items()]
    blocks = draw_blocks(groups, NODES, {}, ["ping"], CHECKS)
    members = {block.name: [square.node for square in block.squares] for block in blocks}
    assert members == {"big": NODES[2:6], "small": NODES[:2], REST: NODES[6:]}


def test_a_block_tells_who_is_ill_and_of_what() -> None:
    readings = {
        "n0": {"ping": reading("fail"), "ssh": reading("fail"), "load": reading("warn")},
        "n1": {"ping": reading("ok"), "ssh": reading("ok"), "load": reading("warn")},
        "n2": {"ping": reading("ok"), "ssh": reading("skipped")},
    }
    (block,) = draw_blocks([Group("g", "slurm", tuple(NODES))], NODES[:4], readings, ["ping", "ssh", "load"], CHECKS)
    assert [square.worst for square in block.squares] == ["fail", "warn", "ok", "unread"]
    assert [square.title for square in block.squares] == [
        "n0: fail Ping, SSH",
        "n1: warn Load",
        "n2: ok",
        "n3: not read",
    ]
    assert block.nodesets == {"fail": "n0", "warn": "n1", "ok": "n2", "unread": "n3"}
    assert block.record() == {
        "group": "g",
        "count": 4,
        "ok": 1,
        "fail": 1,
        "warn": 1,
        "unknown": 0,
        "unread": 1,
        "fail_nodes": "n0",
        "warn_nodes": "n1",
        "unknown_nodes": "",
    }


def test_a_square_names_three_checks_at_most() -> None:
    found = {name: reading("fail") for name in CHECKS}
    (block,) = draw_blocks([], ["n0"], {"n0": found}, list(CHECKS), CHECKS)
    assert block.squares == (Square("n0", "fail", ("Ping", "SSH", "Uptime", f"and {len(CHECKS) - 3} more")),)
