"""What counts as an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from botd.history.incidents import IMPORTED, Offender, imported_incidents, offenders
from botd.model import Change

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bad(node: str, minutes: int, subject: str = "ssh", new: str = "fail: timeout", why: str = "") -> Change:
    return Change(
        node,
        subject,
        "in service" if subject == "slurm" else "ok",
        new,
        NOW + timedelta(minutes=minutes),
        why,
        is_bad=True,
    )


def test_what_follows_within_an_hour_is_the_same_incident() -> None:
    found = offenders([bad("n1", 0), bad("n1", 5, "slurm", "down*", "Not responding"), bad("n1", 60), bad("n2", 1)])
    assert found == [
        Offender("n1", 2, NOW + HOUR, "ssh fail: timeout"),
        Offender("n2", 1, NOW + timedelta(minutes=1), "ssh fail: timeout"),
    ]


def test_imported_incidents_count_and_are_told_apart_from_what_follows_them_within_the_hour() -> None:
    before = imported_incidents({"n1": [NOW - HOUR * 9, NOW - HOUR * 2], "n2": [NOW]})
    found = offenders([*before, bad("n1", -70), bad("n1", 0), bad("n2", -30, "slurm", "down*", IMPORTED)])
    assert found == [
        Offender("n1", 3, NOW, "ssh fail: timeout", imported=2),
        Offender("n2", 1, NOW - HOUR / 2, f"slurm down*: {IMPORTED}"),
    ]
    assert offenders(before)[1] == Offender("n2", 1, NOW, "slurm out of service, imported", imported=1)


def test_what_was_ill_already_and_is_ill_in_another_way_is_no_new_incident() -> None:
    down = bad("n1", 0, "slurm", "down*")
    drained_then = replace(bad("n1", 120, "slurm", "drained"), old="down*")
    refused_then = replace(bad("n1", 240, "ssh", "fail: refused"), old="fail: timeout")
    assert [(found.node, found.incidents) for found in offenders([down, drained_then, refused_then])] == [("n1", 1)]


@pytest.mark.parametrize("old", ["", "in service", "in service, not responding", "not in Slurm"])
def test_a_node_that_slurm_takes_out_of_service_has_an_incident(old: str) -> None:
    assert offenders([replace(bad("n1", 0, "slurm", "down*"), old=old)])[0].last == "slurm down*"


@pytest.mark.parametrize("old", ["", "ok", "warn", "unknown"])
def test_a_login_that_begins_to_fail_is_an_incident(old: str) -> None:
    assert offenders([replace(bad("n1", 0), old=old)])[0].incidents == 1


def test_incidents_are_told_apart_by_when_they_began_in_whatever_order_they_come() -> None:
    changes = [bad("n1", minutes) for minutes in (119, 0, 60, 59)]
    assert [(found.incidents, found.last_at) for found in offenders(changes)] == [(2, NOW + HOUR)]


def test_of_nodes_with_as_many_incidents_the_latest_is_first_and_then_it_goes_by_name() -> None:
    changes = [bad("n3", 0), bad("n2", 0), bad("n4", 5), bad("n1", 0), bad("n1", 90)]
    assert [found.node for found in offenders(changes)] == ["n1", "n4", "n2", "n3"]


def test_the_last_incident_is_told_with_its_reason() -> None:
    changes = [bad("n1", 0, why="first"), bad("n1", 90, "slurm", "drained", "bad GPU 3")]
    assert offenders(changes)[0].last == "slurm drained: bad GPU 3"
    assert offenders([]) == []
