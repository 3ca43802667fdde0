"""What a time was like, told backwards from what nodes are now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from botd.history.incidents import imported_incidents
from botd.history.report import Period, ReportRow, Standing, report
from botd.model import Change

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
NOW = SINCE + timedelta(hours=100)
WHOLE = Period(SINCE, NOW, NOW)
WELL, DOWN = Standing("in service", ""), Standing("down*", "powered off")


def at(hours: float, node: str, subject: str, old: str, new: str) -> Change:
    moment = SINCE + timedelta(hours=hours)
    return Change(node, subject, old, new, moment, "", is_bad=not new.startswith("in service"))


def was_down(node: str, begin: float, end: float, why: str = "powered off") -> list[Change]:
    return [
        at(begin, node, "slurm", "in service", "down*"),
        at(begin, node, "diagnosis", "", why),
        at(end, node, "slurm", "down*", "in service, not responding"),
        at(end, node, "diagnosis", why, ""),
    ]


def rows(about: str, found: list[ReportRow]) -> list[ReportRow]:
    return [row for row in found if row.about == about]


def test_a_partition_was_available_as_long_as_its_nodes_were_in_service() -> None:
    found = report({"n1": WELL, "n2": WELL}, was_down("n1", 10, 60), {"p": ("n1", "n2")}, WHOLE)
    assert rows("partition", found) == [ReportRow("partition", "p", 2, 50.0, 150.0, 0.0, 75.0)]


def test_a_node_in_two_partitions_counts_in_both_and_its_cause_once() -> None:
    found = report({"n1": DOWN}, [], {"p": ("n1",), "q": ("n1", "gone")}, WHOLE)
    assert [(row.name, row.nodes, row.out_h, row.available_percent) for row in rows("partition", found)] == [
        ("p", 1, 100.0, 0.0),
        ("q", 1, 100.0, 0.0),
    ]
    assert rows("cause", found) == [ReportRow("cause", "powered off", 1, 100.0)]


def test_a_cause_takes_the_time_out_of_service_while_it_was_the_diagnosis() -> None:
    changes = [
        at(10, "n1", "slurm", "in service", "drained"),
        at(20, "n1", "diagnosis", "", "tmp full"),
        at(50, "n1", "diagnosis", "tmp full", "ready to go back"),
        at(60, "n1", "slurm", "drained", "in service"),
    ]
    found = report({"n1": Standing("in service", "ready to go back")}, changes, {}, WHOLE)
    assert [(row.name, row.out_h) for row in rows("cause", found)] == [
        ("tmp full", 30.0),
        ("no diagnosis", 10.0),
        ("ready to go back", 10.0),
    ]


def test_what_is_not_known_is_neither_available_nor_not() -> None:
    begun = [at(40, "n1", "slurm", "", "down*"), at(90, "n1", "slurm", "down*", "not in Slurm")]
    (row,) = rows("partition", report({"n1": Standing("not in Slurm", "")}, begun, {"p": ("n1",)}, WHOLE))
    assert (row.out_h, row.in_service_h, row.unknown_h, row.available_percent) == (50.0, 0.0, 50.0, 0.0)
    (row,) = rows("partition", report({"n1": Standing("", "")}, [], {"p": ("n1",)}, WHOLE))
    assert (row.unknown_h, row.available_percent) == (100.0, None)


def test_what_happened_after_its_end_is_only_gone_back_over() -> None:
    period = Period(SINCE, SINCE + timedelta(hours=50), NOW)
    found = report({"n1": DOWN}, [*was_down("n1", 10, 20), *was_down("n1", 60, 70)[:2]], {"p": ("n1",)}, period)
    assert rows("partition", found) == [ReportRow("partition", "p", 1, 10.0, 40.0, 0.0, 80.0)]
    assert rows("repeater", found) == []


def test_a_repeater_left_service_more_than_once() -> None:
    changes = [*was_down("n1", 1, 2), *was_down("n2", 5, 6), *was_down("n1", 10, 12), *was_down("n1", 20, 21)]
    found = report({"n1": WELL, "n2": WELL}, changes, {}, WHOLE)
    assert rows("repeater", found) == [ReportRow("repeater", "n1", 1, 4.0, incidents=3, imported=0)]


@pytest.mark.parametrize("order", [("p2", "p10"), ("p10", "p2")])
def test_partitions_stand_by_name_and_causes_by_the_time_they_took(order: tuple[str, str]) -> None:
    changes = [*was_down("n1", 1, 2, "small"), *was_down("n2", 1, 30, "large")]
    found = report({"n1": WELL, "n2": WELL}, changes, dict.fromkeys(order, ("n1",)), WHOLE)
    assert [row.name for row in found] == ["p2", "p10", "large", "small"]


def test_imported_incidents_make_a_repeater_and_no_time_out_of_service() -> None:
    ago = {"n1": [SINCE - timedelta(hours=9)], "n2": [NOW], "gone": [SINCE, SINCE - timedelta(hours=9)]}
    period, before = Period(SINCE, NOW, NOW, SINCE - timedelta(days=3)), imported_incidents(ago)
    found = report({"n1": WELL, "n2": WELL}, was_down("n1", 10, 60), {}, period, before)
    assert rows("repeater", found) == [ReportRow("repeater", "n1", 1, 50.0, incidents=2, imported=1)]
