"""What the lists of roles hold: narrowly where they grant, widely where they exclude, and in doubt neither."""

from __future__ import annotations

from dataclasses import replace

import pytest

from botd.access.places import Doubt, check_nodes, check_protected
from botd.errors import BadNodeset
from tests.access.places import NODES, PLACES, SAVIO2, SAVIO3


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("all", NODES),
        ("sinfo", SAVIO2[:1]),
        ("savio2", SAVIO2),
        ("savio2,mgmt", (*SAVIO2, "mgmt")),
        ("savio3", SAVIO3[:2]),  # the file's group has taken the partition's name
        ("@savio3", SAVIO3[:2]),  # both hold these
        ("rack1/savio2", SAVIO2[1:2]),
        ("savio2/n[0000-0001]", SAVIO2[:2]),
        ("n0000", SAVIO2[:1]),
        ("n0002", ()),  # it may be either
        ("savio2/n0002", SAVIO2[2:3]),
        ("n000?.savio2", SAVIO2),
        ("fs*", ("fs01.brc",)),
        ("nowhere", ()),
        ("@nowhere", ()),
        ("empty", ()),
        ("@nowhere,savio2/n0001", SAVIO2[1:2]),
    ],
)
def test_a_role_is_for_these_nodes(text: str, nodes: tuple[str, ...]) -> None:
    assert tuple(node for node in NODES if PLACES.grants(text, node)) == nodes


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("", ()),
        ("n0002", (SAVIO2[2], SAVIO3[0])),  # either
        ("@savio3", SAVIO3),
        ("savio2/n0000", SAVIO2[:1]),
        ("mgmt,fs*", ("fs01.brc", "mgmt")),
        ("fs0?", ("fs01.brc",)),
        ("n9999", ()),  # a node that was taken away
        ("n0099.savio2", ()),
    ],
)
def test_a_role_is_not_for_these_nodes(text: str, nodes: tuple[str, ...]) -> None:
    assert tuple(node for node in NODES if PLACES.excludes(text, node)) == nodes


@pytest.mark.parametrize(
    "text", ["@nowhere", "@empty", "empty", "nowhere", "savio2/nowhere", "mgmt,@nowhere", "rack7", "savio4/n0002"]
)
def test_what_excludes_and_is_not_there_leaves_a_doubt(text: str) -> None:
    with pytest.raises(Doubt):
        PLACES.excludes(text, "mgmt")


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("", ()),
        ("login[00-03]", ("login00.brc",)),
        ("fs01.brc,mgmt,ghost*", ("fs01.brc", "mgmt")),
        ("savio2", ()),  # a name as text, and no node has it
        ("@savio2", SAVIO2),
        ("@savio3", SAVIO3),
    ],
)
def test_these_nodes_are_protected(text: str, nodes: tuple[str, ...]) -> None:
    assert tuple(node for node in NODES if PLACES.protects(text, node)) == nodes


@pytest.mark.parametrize("text", ["@nowhere", "@empty", "mgmt,@empty"])
def test_a_protected_group_that_is_not_there_leaves_a_doubt(text: str) -> None:
    with pytest.raises(Doubt, match="group"):
        PLACES.protects(text, "mgmt")


def test_a_group_that_is_not_believed_grants_nothing_and_leaves_a_doubt() -> None:
    places = replace(PLACES, faults={"rack1": "others can write its file"})
    assert not places.grants("rack1", SAVIO2[1])
    assert not places.grants("@rack1", SAVIO2[1])
    for ask in (places.excludes, places.protects):
        with pytest.raises(Doubt, match="others can write its file"):
            ask("@rack1", "mgmt")


@pytest.mark.parametrize("text", ["n[1-", "a//b", "@", "@a b", ",", "n1;reboot", "fs[0-3]*", "-rf", "n[1-99999999]"])
def test_a_list_that_can_never_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadNodeset):
        check_nodes(text)


@pytest.mark.parametrize("text", ["all", "a/b", "fs[0-3]*"])
def test_what_means_nothing_among_the_protected_is_refused(text: str) -> None:
    with pytest.raises(BadNodeset):
        check_protected(text)
