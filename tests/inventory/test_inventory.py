"""The inventory: which names there are, and how a request names them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.errors import BadNodeset, BotdError, NotFound, UnknownGroup, UnknownNode
from botd.inventory import Inventory, build
from botd.inventory.document import from_document, to_document
from botd.inventory.request import with_those_in_service
from botd.model import Group, SlurmNode

AT = datetime(2026, 11, 23, 20, 16, 37, 123456, tzinfo=UTC)


def node(name: str, *partitions: str, base: str = "IDLE", flags: tuple[str, ...] = ()) -> SlurmNode:
    return SlurmNode(name, base.lower(), base, flags, partitions=partitions)


def group(name: str, *nodes: str) -> Group:
    return Group(name, f"/etc/pdsh/group/{name}", nodes)


@pytest.fixture
def inventory() -> Inventory:
    """Five nodes of savio2 and three of savio3, of which some are out; `login` is only in a group file."""
    nodes = [node(f"n{i:04d}.savio2", "savio2") for i in (0, 1, 2, 10)]
    nodes.append(node("n0292.savio2", "savio2", "htc", base="DOWN", flags=("NOT_RESPONDING",)))
    nodes += [node(f"n{i:04d}.savio3", "savio3", "all", "@odd;") for i in (0, 1)]
    nodes.append(node("n0292.savio3", "savio3", flags=("DRAIN",)))
    nodes.append(node("n0500.vector0", "vector0", base="IDLE", flags=("NOT_RESPONDING",)))
    groups = [group("savio3", "n0000.savio3"), group("racks", "n0002.savio2", "login", "n0001.savio3")]
    return build(nodes, {item.name: item for item in groups}, AT, ["a problem"])


def ask(inventory: Inventory, text: str, max_nodes: int = 100) -> list[str]:
    return inventory.expand_groups(text, max_nodes=max_nodes)


def test_names_are_those_of_slurm_and_of_groups_naturally_sorted(inventory: Inventory) -> None:
    assert inventory.names() == (
        "login",
        "n0000.savio2",
        "n0000.savio3",
        "n0001.savio2",
        "n0001.savio3",
        "n0002.savio2",
        "n0010.savio2",
        "n0292.savio2",
        "n0292.savio3",
        "n0500.vector0",
    )


def test_numbers_sort_as_numbers() -> None:
    assert build([node("n10"), node("n9"), node("n1")], {}, None).names() == ("n1", "n9", "n10")


def test_down_is_what_sinfo_R_lists(inventory: Inventory) -> None:
    assert inventory.down() == ("n0292.savio2", "n0292.savio3")


def test_nodes_that_slurm_lists_as_out_are_down_whatever_their_word() -> None:
    assert build([replace(node("n1"), state="", base="UNKNOWN", listed=True)], {}, None).down() == ("n1",)


def test_partitions_are_groups_unless_a_file_has_the_name(inventory: Inventory) -> None:
    assert inventory.group_names() == ("htc", "racks", "savio2", "savio3", "vector0")
    assert inventory.groups["htc"] == Group("htc", "slurm", ("n0292.savio2",))
    assert inventory.groups["savio3"].nodes == ("n0000.savio3",)


def test_a_partition_with_a_bad_name_is_a_problem(inventory: Inventory) -> None:
    assert inventory.problems[0] == "a problem"
    assert '"@odd;" is not a name' in inventory.problems[1]


def test_the_groups_of_a_node_are_sorted(inventory: Inventory) -> None:
    assert inventory.groups_of("n0292.savio2") == ("htc", "savio2")
    assert inventory.groups_of("login") == ("racks",)
    assert inventory.groups_of("nobody") == ()


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("sinfo", ["n0292.savio2", "n0292.savio3"]),
        ("savio3", ["n0000.savio3"]),
        ("@savio3", ["n0000.savio3", "n0001.savio3", "n0292.savio3"]),
        ("@all", ["n0000.savio3", "n0001.savio3"]),
        ("htc", ["n0292.savio2"]),
        ("n0010.savio2,n0001.savio3", ["n0001.savio3", "n0010.savio2"]),
        ("n[0000-0002].savio2", ["n0000.savio2", "n0001.savio2", "n0002.savio2"]),
        ("n[0001,0010].savio2, htc ,,", ["n0001.savio2", "n0010.savio2", "n0292.savio2"]),
        ("htc,n0292.savio2,htc", ["n0292.savio2"]),
        ("login", ["login"]),
        ("n0010", ["n0010.savio2"]),
        ("n[0002,0010]", ["n0002.savio2", "n0010.savio2"]),
        ("savio2/htc", ["n0292.savio2"]),
        ("savio2/n0292", ["n0292.savio2"]),
        ("n0292/savio2", ["n0292.savio2"]),
        ("savio2 / n[0290-0299,0001]", ["n0001.savio2", "n0292.savio2"]),
        ("sinfo/@savio3", ["n0292.savio3"]),
        ("all/sinfo/n0292.savio3", ["n0292.savio3"]),
        ("savio2/n0292.savio3", []),
        ("htc/racks", []),
        ("all/n[0000-0001].savio2", ["n0000.savio2", "n0001.savio2"]),
        ("all/n0292", ["n0292.savio2", "n0292.savio3"]),
    ],
)
def test_a_request_names_nodes(inventory: Inventory, text: str, nodes: list[str]) -> None:
    assert ask(inventory, text) == nodes


def test_all_is_every_name(inventory: Inventory) -> None:
    assert ask(inventory, "all") == list(inventory.names())


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", BadNodeset, "names no node and no group"),
        (" , ,", BadNodeset, "names no node and no group"),
        ("savio2/", BadNodeset, 'nothing on one side of "/"'),
        ("/", BadNodeset, 'nothing on one side of "/"'),
        ("@nosuch", BadNodeset, 'there is no partition "nosuch"'),
        ("@savio22", BadNodeset, 'did you mean "savio2"'),
        ("@\x1b[31m", BadNodeset, r'there is no partition "\?'),
        ("n[0000-", BadNodeset, "unbalanced brackets"),
        ("n1;reboot", BadNodeset, "is not a name"),
        ("-rf", BadNodeset, "is not a name"),
        ("n[0-9999999]", BadNodeset, "spans more than"),
        ("all/n[0-9999999]", BadNodeset, "spans more than"),
        ("htx", UnknownGroup, 'there is no group "htx"; did you mean "htc"'),
        ("sinfp", UnknownGroup, 'did you mean "sinfo"'),
        ("zzz", UnknownGroup, 'there is no group "zzz"; /api/v1/group-list'),
        ("savio2/zzz", UnknownGroup, 'there is no group "zzz"'),
        ("n0292", UnknownNode, "may be n0292.savio2, n0292.savio3; write the full name"),
        ("n0292.savio4", UnknownNode, r'did you mean "n0292\.savio'),
        ("n0011.savio2", UnknownNode, r'did you mean "n0010\.savio2"'),
        ("n0011", UnknownNode, 'did you mean "n0010"'),
        ("savio4", UnknownNode, 'there is no node and no group "savio4"; did you mean "savio'),
        ("n[0000-0003].savio2", UnknownNode, r'"n0003\.savio2"'),
        ("savio2/n[0800-0809]", UnknownNode, '"n0800"'),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    inventory: Inventory, text: str, error: type[BotdError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        ask(inventory, text)
    assert type(caught.value) is error


def test_the_limit_counts_the_union(inventory: Inventory) -> None:
    assert len(ask(inventory, "all", max_nodes=10)) == 10
    assert len(ask(inventory, "savio2,savio2,n0000.savio2", max_nodes=5)) == 5
    with pytest.raises(BadNodeset, match="spans more than 9 nodes"):
        ask(inventory, "all", max_nodes=9)
    with pytest.raises(BadNodeset, match="spans more than 5 nodes"):
        ask(inventory, "savio2,savio3", max_nodes=5)


def test_many_candidates_are_not_all_named() -> None:
    crowd = build([node(f"n1.c{i}") for i in range(8)], {}, None)
    with pytest.raises(UnknownNode, match=r"n1\.c4 and 3 more; write"):
        crowd.expand_groups("n1", max_nodes=100)


def test_a_full_name_counts_before_a_short_one() -> None:
    both = build([node("n1"), node("n1.savio2")], {}, None)
    assert both.expand_nodes("n1", max_nodes=9) == ["n1"]
    assert both.expand_groups("all/n1", max_nodes=9) == ["n1", "n1.savio2"]


def test_a_name_without_digits_may_have_a_domain() -> None:
    assert build([node("login.savio")], {}, None).expand_groups("login.savio", max_nodes=9) == ["login.savio"]


def test_nodes_are_named_without_groups(inventory: Inventory) -> None:
    assert inventory.expand_nodes("n0010,n[0000-0001].savio2", max_nodes=3) == [
        "n0000.savio2",
        "n0001.savio2",
        "n0010.savio2",
    ]
    with pytest.raises(UnknownNode, match="savio2"):
        inventory.expand_nodes("savio2", max_nodes=9)
    with pytest.raises(BadNodeset):
        inventory.expand_nodes("n0010,n[0000-0001].savio2", max_nodes=2)
    with pytest.raises(BadNodeset):
        inventory.expand_nodes("", max_nodes=9)


@pytest.mark.parametrize(
    ("asked", "whole"),
    [
        (["sinfo"], "all"),
        (["sinfo/savio2", "sinfo / rack1"], "savio2,rack1 "),
        (["savio2/htc", "n[1-2]"], "savio2/htc,n[1-2]"),
        (["sinfo/sinfo"], "all"),
        ([], ""),
    ],
)
def test_the_nodes_in_service_of_a_request_are_those_of_its_other_terms(asked: list[str], whole: str) -> None:
    assert with_those_in_service(asked).replace(" ", "") == whole.replace(" ", "")


def test_it_survives_the_store(inventory: Inventory) -> None:
    full = SlurmNode(
        node="n7",
        state="down$",
        base="DOWN",
        flags=("MAINTENANCE",),
        unrecognised=("NEW",),
        reason='tab\t"quote" ☃\n\x00',
        reason_by="root",
        reason_at=AT,
        partitions=("a", "b"),
        features=("x",),
        address="10.0.0.7",
        memory_mb=500,
        cpus=2,
        boot_at=AT,
        slurmd_version="22.05.8",
    )
    before = replace(inventory, nodes={**inventory.nodes, "n7": full})
    after = from_document(orjson.loads(orjson.dumps(to_document(before))))
    assert after == before
    assert after.names() == before.names()


def test_an_inventory_without_a_time_survives_too() -> None:
    assert from_document(orjson.loads(orjson.dumps(to_document(build([], {}, None))))) == build([], {}, None)


@pytest.mark.parametrize("document", [{}, {"nodes": 3}, {"nodes": [{}], "groups": [], "as_of": None, "problems": []}])
def test_another_document_is_refused(document: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_document(document)


@given(st.text(st.sampled_from("n0129.savio[]-,/@ hct\x00é"), max_size=40))
def test_any_request_gives_known_nodes_or_a_documented_error(text: str) -> None:
    inventory = build([node("n0292.savio2", "savio2", "htc"), node("n1", "savio3")], {}, None)
    try:
        nodes = inventory.expand_groups(text, max_nodes=50)
    except (BadNodeset, NotFound):
        return
    assert nodes == [name for name in inventory.names() if name in nodes]
