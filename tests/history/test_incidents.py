"""What counts as an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from botd.history.incidents import Offender, offenders
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


def test_what_was_ill_already_and_is_ill_in_another_way_is_no_new_incident() -> None:
    down = bad("n1", 0, "slurm", "down*")
    drained_then = replace(bad("n1", 120, "slurm", "drained"), old="down*")
    refused_then = replace(bad("n1", 240, "ssh", "fail: refused"), old="fail: timeout")
    assert [(found.node, found.incidents) for found in offenders([down, drained_then, refused_then])] == [("n1", 1)]
