"""A diagnosis that changes is a change in the history, once a sweep has ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from botd.agent.diagnoses import Diagnoses
from botd.documents import NodeReadings
from botd.errors import StoreUnavailable
from botd.inventory import Inventory, build
from botd.model import SlurmNode, State
from tests.advice.cases import CHECKS, SILENT, readings
from tests.conftest import Site

NODE = "n0000.savio2"
DOWN = SlurmNode(NODE, "down*", "DOWN", ("NOT_RESPONDING",), (), "Not responding", "root")


def listed(*nodes: SlurmNode) -> Inventory:
    return build(nodes or (SlurmNode(NODE, "idle", "IDLE"),), {}, None)


def recorded(site: Site) -> list[tuple[str, str, bool]]:
    changes = site.store.changes.page(nodes=[NODE], limit=99)
    return [(each.old, each.new, each.is_bad) for each in reversed(changes) if each.subject == "diagnosis"]


@pytest.fixture
def diagnoses(site: Site) -> Diagnoses:
    made = Diagnoses(CHECKS, site.store, lambda: site.now)
    made.load()
    return made


def record(diagnoses: Diagnoses, inventory: Inventory, found: NodeReadings) -> None:
    diagnoses.record(inventory, {NODE: found}, [NODE])


def test_each_change_is_recorded_once_with_its_explanation(site: Site, diagnoses: Diagnoses) -> None:
    for found in (SILENT, SILENT, {}):
        record(diagnoses, listed(DOWN), readings(found))
    record(diagnoses, listed(), readings({}))
    assert recorded(site) == [
        ("", "silent", True),
        ("silent", "slurmd runs, Slurm does not hear it", True),
        ("slurmd runs, Slurm does not hear it", "", False),
    ]
    [first] = [each for each in site.store.changes.page(nodes=[NODE], limit=99) if each.new == "silent"]
    assert "neither ping nor ssh is answered" in first.why


def test_a_node_that_is_ready_is_no_worse_than_well(site: Site, diagnoses: Diagnoses) -> None:
    rebooted = SlurmNode(NODE, "down", "DOWN", (), (), "Node unexpectedly rebooted", "root")
    record(diagnoses, listed(rebooted), readings({}))
    assert recorded(site) == [("", "well, rebooted by itself", False)]


def test_a_node_that_was_not_read_yet_has_no_news(site: Site, diagnoses: Diagnoses) -> None:
    record(diagnoses, listed(DOWN), readings(SILENT))
    record(diagnoses, listed(DOWN), readings(dict.fromkeys(CHECKS, (State.SKIPPED, None, ""))))
    assert recorded(site) == [("", "silent", True)]


def test_the_next_agent_goes_on_where_the_last_one_ended(site: Site, diagnoses: Diagnoses) -> None:
    record(diagnoses, listed(DOWN), readings(SILENT))
    again = Diagnoses(CHECKS, site.store, lambda: site.now + timedelta(hours=1))
    again.load()
    record(again, listed(DOWN), readings(SILENT))
    assert recorded(site) == [("", "silent", True)]


def test_what_could_not_be_written_is_recorded_the_next_time(
    site: Site, diagnoses: Diagnoses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(site.store.changes, "record", full)
        with pytest.raises(StoreUnavailable):
            record(diagnoses, listed(DOWN), readings(SILENT))
    record(diagnoses, listed(DOWN), readings(SILENT))
    assert recorded(site) == [("", "silent", True)]
