"""Reservations and switches: what scontrol 22.05 printed on a controller with both, and what it prints without."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.errors import SlurmFailed
from botd.inventory import build
from botd.inventory.document import from_document, to_document
from botd.inventory.reservations import SEEN, Surroundings, parse_reservations, parse_topology
from botd.model import SlurmNode
from botd.settings import SlurmSettings

from .conftest import MakeTool

PRINTED = Path(__file__).parent / "surroundings"
RESERVATIONS = (PRINTED / "reservations.txt").read_text()
TOPOLOGY = (PRINTED / "topology.txt").read_text()
NOW = datetime(2026, 11, 27, 5, 0, tzinfo=UTC)
NODES = [SlurmNode(name, "idle", "IDLE") for name in ("n0", "n1", "n0000.savio2", "n0002.savio2", "n9")]


@pytest.fixture(autouse=True)
def utc_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def scontrol(make_tool: MakeTool) -> str:
    """Prints what the real one did."""
    places = f"{quote(str(PRINTED / 'reservations.txt'))} ;; *) cat {quote(str(PRINTED / 'topology.txt'))}"
    return make_tool("scontrol", f'case "$*" in *reservation*) cat {places} ;; esac')


def marked(around: Surroundings, now: datetime = NOW) -> dict[str, str]:
    return {node.node: node.maintenance for node in around.mark(NODES, now)}


def test_reservations_for_maintenance_are_read_with_their_names_times_and_nodes() -> None:
    found = parse_reservations(RESERVATIONS)
    assert [each.name for each in found] == ["maint", "cool down", "daily"]
    assert found[0].nodes == ("n0000.savio2", "n0001.savio2")
    assert (found[1].start_at, found[1].end_at) == (
        datetime(2026, 11, 28, 8, tzinfo=UTC),
        datetime(2027, 11, 28, 8, tzinfo=UTC),
    )
    assert len(found[1].nodes) == 6


def test_switches_are_read_with_the_nodes_behind_each() -> None:
    found = {switch.name: switch.nodes for switch in parse_topology(TOPOLOGY)}
    assert found["leaf1"] == ("n0000.savio2", "n0001.savio2")
    assert found["leaf2"] == ("n0", "n1", "n0002.savio2", "n0003.savio2")
    assert len(found["spine"]) == 6


def test_without_any_there_is_none() -> None:
    assert parse_reservations("No reservations in the system\n") == ()
    assert parse_topology("") == ()
    assert parse_topology("BlockName=b1 BlockIndex=0 Nodes=n[0-3] BlockSize=4\n") == ()


@pytest.mark.parametrize(
    "text", ["what", "ReservationName=x Nodes=n1", RESERVATIONS.replace("Nodes=n[0-1]", "Nodes=n[")]
)
def test_what_cannot_be_read_is_not_taken_for_none(text: str) -> None:
    with pytest.raises(SlurmFailed, match="cannot be read"):
        parse_reservations(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_reservations, parse_topology):
        with contextlib.suppress(SlurmFailed):
            parse(text)


def test_each_node_says_its_own_and_of_several_the_first(scontrol: str) -> None:
    around = Surroundings(SlurmSettings(scontrol=scontrol))
    around.read(NOW)
    assert marked(around) == {
        "n0": "cool down", "n1": "cool down", "n0000.savio2": "maint", "n0002.savio2": "cool down", "n9": "",
    }  # fmt: skip
    after = marked(around, NOW + timedelta(hours=2))
    assert after["n0000.savio2"] == "cool down"


def test_what_is_far_away_is_not_said_yet(scontrol: str) -> None:
    around = Surroundings(SlurmSettings(scontrol=scontrol))
    around.read(NOW)
    assert set(marked(around, NOW - timedelta(days=5)).values()) == {""}


def test_one_call_for_all_reservations_and_the_switches_once_an_hour(
    scontrol: str, calls_of: Callable[[str], list[str]]
) -> None:
    around = Surroundings(SlurmSettings(scontrol=scontrol))
    for after in (timedelta(0), timedelta(minutes=1), SEEN):
        around.read(NOW + after)
    asked = [call.removeprefix("--all --local show ") for call in calls_of(scontrol)]
    assert asked == ["reservation -o", "topology", "reservation -o", "reservation -o", "topology"]


@pytest.mark.parametrize("answer", ["exit 1", "echo what is this", "case $* in *reservation*) exit 1;; esac"])
def test_what_cannot_be_read_any_more_stays_and_is_told_once(
    scontrol: str, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    around = Surroundings(SlurmSettings(scontrol=scontrol))
    around.read(NOW)
    before, switches = marked(around), around.switches
    Path(scontrol).write_text(f"#!/bin/sh\n{answer}\n")
    for _ in range(3):
        around.read(NOW + SEEN)
    assert (marked(around), around.switches) == (before, switches)
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def test_switches_that_are_gone_for_a_moment_stay(scontrol: str) -> None:
    """Without slurmctld, `scontrol show topology` of 22.05 prints nothing and ends with 0."""
    around = Surroundings(SlurmSettings(scontrol=scontrol))
    around.read(NOW)
    Path(scontrol).write_text('#!/bin/sh\necho "slurm_load_topo error: No error" >&2\n')
    around.read(NOW + SEEN)
    assert len(around.switches) == 3


def test_a_saved_list_asks_nobody(scontrol: str, calls_of: Callable[[str], list[str]]) -> None:
    Surroundings(SlurmSettings(scontrol=scontrol, sinfo_file="sinfo.txt")).read(NOW)
    assert calls_of(scontrol) == []


def test_the_store_keeps_both(scontrol: str) -> None:
    around = Surroundings(SlurmSettings(scontrol=scontrol))
    around.read(NOW)
    inventory = build(around.mark(NODES, NOW), {}, NOW, (), around.switches)
    assert from_document(to_document(inventory)) == inventory
    assert "leaf1" not in inventory.group_names()


def test_what_an_earlier_version_kept_has_neither() -> None:
    document = to_document(build(NODES, {}, NOW))
    del document["switches"]
    for node in document["nodes"]:
        for name in ("maintenance", "maintenance_at", "maintenance_until"):
            del node[name]
    assert from_document(document) == build(NODES, {}, NOW)
