"""The diagnoses of many nodes: what neighbours add, and that nothing stays of what has changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from botd.advice.morning import NIGHT, Morning, next_morning, nobodys_past
from botd.documents import NodeReadings
from botd.history.past import NodePast
from botd.inventory import Inventory, build
from botd.model import Group, SlurmNode, State
from tests.advice.cases import AT, CHECKS, FAIL, HUNG, OFF, SILENT, readings

NAMES = [f"n{number:04d}.savio2" for number in range(40)]
WELL = readings({})
LOST = readings(SILENT)
GONE = readings({"df_scratch": (FAIL, HUNG, "hung: statfs did not end within 8 s")})


def site(*down: str, apart_s: float = 0, rack: Collection[str] = NAMES[:20]) -> Inventory:
    """Forty nodes, of which these are down, one after the other, and one rack."""
    lost = {
        node: SlurmNode(node, "down*", "DOWN", ("NOT_RESPONDING",), (), "Not responding", "root",
                        AT + place * timedelta(seconds=apart_s))
        for place, node in enumerate(down)
    }  # fmt: skip
    nodes = [lost.get(node) or SlurmNode(node, "idle", "IDLE", partitions=("savio2",)) for node in NAMES]
    return build(nodes, {"rack-01": Group("rack-01", "/etc/pdsh/group/rack-01", tuple(rack))}, AT)


def morning(inventory: Inventory, found: Mapping[str, NodeReadings], old: Morning = NIGHT) -> Morning:
    return next_morning(old, inventory, found, found, CHECKS, nobodys_past)


def diagnoses(found: Morning) -> set[str]:
    return {advice["diagnosis"] for advice in found.given.values()}


def test_five_nodes_of_a_rack_that_fall_silent_at_once_are_one_finding_of_the_rack() -> None:
    five = NAMES[:5]
    found = morning(site(*five, apart_s=60), {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(five, LOST)})
    assert set(found.given) == set(five)
    assert diagnoses(found) == {"rack-silent"}
    assert found.given[five[0]]["explanation"] == "5 of the 20 nodes of rack-01 fell silent at once"


def test_four_are_four_nodes_and_so_are_five_within_a_day_and_five_of_many_racks() -> None:
    four, five, apart = NAMES[:4], NAMES[:5], [NAMES[0], *NAMES[20:24]]
    for down, apart_s in ((four, 0), (five, 3600 * 4), (apart, 0)):
        spread = site(*down, apart_s=apart_s, rack=NAMES[:20])
        inventory = build(
            [SlurmNode(**{**_fields(node), "partitions": ()}) for node in spread.nodes.values()], spread.groups, AT
        )
        found = morning(inventory, {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(down, LOST)})
        assert diagnoses(found) == {"silent"}


def test_nodes_that_slurm_does_not_miss_yet_fell_silent_just_now() -> None:
    found = morning(site(), {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(NAMES[:6], LOST)})
    assert diagnoses(found) == {"rack-silent"}


def test_a_rack_without_power_is_said_to_be_that() -> None:
    six = NAMES[:6]
    found = morning(site(*six), {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(six, readings(OFF))})
    assert diagnoses(found) == {"rack-off"}


LEAF, OTHER, CORE = NAMES[:6], NAMES[6:12], NAMES[:12]


def behind_switches(*down: str, apart_s: float = 0) -> Inventory:
    """The same, where a switch each has six of the nodes, and one above them both."""
    switches = {"leaf1": LEAF, "leaf2": OTHER, "core": CORE}
    groups = tuple(Group(name, "slurm topology", tuple(nodes)) for name, nodes in switches.items())
    return replace(site(*down, apart_s=apart_s), switches=groups)


def silent(inventory: Inventory, *nodes: str) -> Morning:
    return morning(inventory, {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(nodes, LOST)})


def test_all_nodes_behind_a_switch_that_fall_silent_are_one_finding_of_the_switch() -> None:
    found = silent(behind_switches(*LEAF), *LEAF)
    assert diagnoses(found) == {"switch-silent"}
    assert found.given[LEAF[0]]["explanation"].startswith("nobody behind the switch leaf1 answers; 6 of its 6 nodes")


def test_as_long_as_one_answers_it_is_not_the_switch() -> None:
    assert diagnoses(silent(behind_switches(*LEAF[:5]), *LEAF[:5])) == {"rack-silent"}


def test_the_highest_switch_is_told_where_nobody_behind_it_answers() -> None:
    found = silent(behind_switches(*CORE), *CORE)
    assert {advice["explanation"].partition(" answers")[0] for advice in found.given.values()} == {
        "nobody behind the switch core"
    }


def test_one_that_was_silent_before_makes_it_no_less_the_switch_and_is_its_own() -> None:
    inventory = behind_switches(*LEAF[1:], LEAF[0])
    before = replace(inventory.nodes[LEAF[0]], reason_at=AT - timedelta(days=9))
    found = silent(replace(inventory, nodes={**inventory.nodes, LEAF[0]: before}), *LEAF)
    assert found.given[LEAF[0]]["diagnosis"] == "silent"
    assert {found.given[node]["diagnosis"] for node in LEAF[1:]} == {"switch-silent"}


def test_nodes_that_fell_silent_over_days_are_no_finding_of_a_switch() -> None:
    assert diagnoses(silent(behind_switches(*LEAF, apart_s=86400), *LEAF)) == {"silent"}


def test_a_mount_that_hangs_on_a_fifth_of_all_nodes_is_its_servers() -> None:
    some = {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(NAMES[:7], GONE)}
    assert diagnoses(morning(site(), some)) == {"mount-hung"}
    assert diagnoses(morning(site(), {**some, NAMES[7]: GONE})) == {"file-server"}


def test_one_node_more_changes_the_diagnosis_of_the_others() -> None:
    inventory = site(*NAMES[:5])
    first = morning(inventory, {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(NAMES[:4], LOST)})
    assert diagnoses(first) == {"silent", "slurmd-unheard"}
    everything = {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(NAMES[:5], LOST)}
    second = next_morning(first, inventory, everything, [NAMES[4]], CHECKS, nobodys_past)
    assert diagnoses(second) == {"rack-silent"}
    assert second.changed_since(first) == set(NAMES[:5])
    assert second.given == morning(inventory, everything).given


def test_a_step_is_the_same_as_a_fresh_start() -> None:
    found: dict[str, NodeReadings] = dict.fromkeys(NAMES, WELL)
    step, inventory = morning(site(), found), site()
    for place, look in enumerate((LOST, GONE, WELL, LOST, LOST, GONE, LOST, LOST, LOST, WELL, GONE, GONE, GONE, GONE)):
        found = {**found, NAMES[place % 10]: look}
        step = next_morning(step, inventory, found, [NAMES[place % 10]], CHECKS, nobodys_past)
        assert step.given == morning(inventory, found).given
        inventory = site(*NAMES[: place // 2])


def test_a_node_that_is_as_it_was_keeps_its_diagnosis_and_costs_no_look_at_the_history() -> None:
    asked: list[Collection[str]] = []

    def pasts(nodes: Collection[str]) -> Mapping[str, NodePast]:
        asked.append(nodes)
        return {}

    inventory, found = site(*NAMES[:2]), {**dict.fromkeys(NAMES, WELL), **dict.fromkeys(NAMES[:2], LOST)}
    first = next_morning(NIGHT, inventory, found, found, CHECKS, pasts)
    second = next_morning(first, inventory, found, [NAMES[0]], CHECKS, pasts)
    assert second.changed_since(first) == set()
    assert list(map(sorted, asked)) == [NAMES[:2], NAMES[:1]]


def test_a_node_that_is_well_again_has_no_diagnosis_any_more() -> None:
    inventory = site()
    first = morning(inventory, {**dict.fromkeys(NAMES, WELL), NAMES[0]: GONE})
    second = next_morning(first, inventory, dict.fromkeys(NAMES, WELL), [NAMES[0]], CHECKS, nobodys_past)
    assert (set(first.given), set(second.given), second.looks) == ({NAMES[0]}, set(), {})


def _fields(node: SlurmNode) -> dict[str, Any]:
    return {name: getattr(node, name) for name in SlurmNode.__dataclass_fields__}


def test_a_mount_that_only_fills_is_nobodys_server() -> None:
    filling = readings({"df_scratch": (State.WARN, {"used_percent": 97.0, "mounted": True, "hung": False}, "97%")})
    assert diagnoses(morning(site(), dict.fromkeys(NAMES, filling))) == {"mount-filling"}
