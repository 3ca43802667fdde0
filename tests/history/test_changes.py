"""What counts as a change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from botd.checks import site_checks
from botd.config import parse_config
from botd.documents import ReadingDocument, iso
from botd.history.changes import boot_changes, list_changes, reading_changes, standing, word
from botd.model import SlurmNode
from tests.conftest import drained, idle

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}, "check": [{"name": "nhc", "command": "nhc"}]}))


def reading(state: str = "ok", value: Any = None, detail: str = "", at: datetime | None = NOW) -> ReadingDocument:
    return {"state": state, "value": value, "unit": None, "at": iso(at), "took_s": None, "detail": detail}


def changes(words: dict[str, str], **readings: ReadingDocument) -> list[tuple[str, str, str, bool]]:
    found = reading_changes("n1", words, readings, CHECKS, NOW)
    return [(change.subject, change.old, change.new, change.is_bad) for change in found]


def test_a_reading_that_fails_is_a_change_and_so_is_its_end() -> None:
    words: dict[str, str] = {}
    assert changes(words, ping=reading()) == []
    assert changes(words, ping=reading("fail")) == [("ping", "ok", "fail", True)]
    assert changes(words, ping=reading("fail")) == []
    assert changes(words, ping=reading()) == [("ping", "fail", "ok", False)]


def test_a_first_reading_is_a_change_only_when_it_is_not_well() -> None:
    assert changes({}, ping=reading(), load=reading("warn"), df_tmp=reading("unknown")) == [
        ("load", "", "warn", True),
        ("df_tmp", "", "unknown", False),
    ]


def test_numbers_that_move_are_no_change_and_the_ways_that_a_login_fails_are() -> None:
    words = {"ssh": "ok", "load": "ok"}
    assert changes(words, load=reading(value=0.2)) == []
    assert changes(words, ssh=reading("fail", "timeout")) == [("ssh", "ok", "fail: timeout", True)]
    assert changes(words, ssh=reading("fail", "refused")) == [("ssh", "fail: timeout", "fail: refused", True)]


def test_a_reading_that_was_skipped_or_never_taken_changes_nothing() -> None:
    words = {"load": "ok"}
    assert changes(words, load=reading("skipped")) == []
    assert changes(words, load=reading("unknown", at=None)) == []
    assert changes(words, load=reading()) == []


def test_a_change_is_as_old_as_its_reading_and_never_of_a_time_to_come() -> None:
    past, future = reading("fail", at=NOW - HOUR, detail="lost"), reading("fail", at=NOW + HOUR)
    assert [(c.at, c.why) for c in reading_changes("n1", {}, {"ping": past}, CHECKS, NOW)] == [(NOW - HOUR, "lost")]
    assert [c.at for c in reading_changes("n1", {}, {"ping": future}, CHECKS, NOW)] == [NOW]


def test_a_drain_says_the_state_the_reason_and_who_set_it_and_so_does_its_end() -> None:
    before = {"n1": idle("n1"), "n2": idle("n2")}
    after = {**before, "n1": drained("n1", "no IB", reason_at=NOW - HOUR)}
    began, ended = list_changes(before, after, NOW), list_changes(after, before, NOW + HOUR)
    assert [(c.subject, c.old, c.new, c.why, c.is_bad) for c in began] == [
        ("slurm", "in service", "drained", "no IB", True),
        ("reason", "", "no IB", "set by root at 2026-11-23T07:00:00.000Z", True),
    ]
    assert [(c.subject, c.old, c.new, c.is_bad) for c in ended] == [
        ("slurm", "drained", "in service", False),
        ("reason", "no IB", "", False),
    ]


def test_a_start_of_slurmd_is_history_where_the_node_was_out_and_did_not_boot() -> None:
    booted_at = NOW - 9 * HOUR
    down = replace(drained("n1", "x"), boot_at=booted_at, slurmd_started_at=booted_at + HOUR / 60)
    back = replace(down, slurmd_started_at=NOW)

    def told(old: SlurmNode, new: SlurmNode) -> list[tuple[str, str, str, bool]]:
        found = list_changes({"n1": old}, {"n1": new}, NOW + HOUR)
        return [(c.subject, c.old, c.new, c.is_bad) for c in found if c.subject == "slurmd_start"]

    assert told(down, back) == [("slurmd_start", "2026-11-22T23:01:00Z", "2026-11-23T08:00:00Z", False)]
    for other in (
        replace(back, boot_at=NOW),  # a boot starts it, too
        replace(back, boot_at=None),
        replace(back, slurmd_started_at=None),
        replace(back, slurmd_started_at=booted_at),
        down,
    ):
        assert told(down, other) == []
    assert told(replace(down, slurmd_started_at=None), back) == []
    assert told(replace(down, state="idle", base="IDLE", flags=()), back) == []


def test_jobs_that_come_and_go_are_no_history_of_a_node() -> None:
    busy = replace(idle("n1"), state="allocated", base="ALLOCATED")
    assert list_changes({"n1": idle("n1")}, {"n1": busy}, NOW) == []
    assert list_changes({"n1": busy}, {"n1": replace(busy, state="completing", flags=("COMPLETING",))}, NOW) == []


def test_nodes_that_come_are_a_change_only_when_they_are_out_and_nodes_that_go_always() -> None:
    assert list_changes({}, {"n1": idle("n1")}, NOW) == []
    assert [c.new for c in list_changes({}, {"n1": drained("n1", "x")}, NOW)] == ["drained", "x"]
    assert [(c.old, c.new) for c in list_changes({"n1": idle("n1")}, {}, NOW)] == [("in service", "not in Slurm")]


@pytest.mark.parametrize(
    ("base", "flags", "state", "expected"),
    [
        ("MIXED", (), "mixed", "in service"),
        ("IDLE", ("NOT_RESPONDING",), "idle*", "in service, not responding"),
        ("IDLE", ("REBOOT_REQUESTED",), "idle@", "in service, reboot requested"),
        ("DOWN", ("NOT_RESPONDING",), "down*", "down*"),
        ("ALLOCATED", ("DRAIN",), "draining", "draining"),
        ("UNKNOWN", (), "unknown", "in service"),
    ],
)
def test_what_slurm_thinks_of_a_node_in_words(base: str, flags: tuple[str, ...], state: str, expected: str) -> None:
    assert standing(SlurmNode("n1", state, base, flags)) == expected


def test_a_word_has_a_value_only_where_that_is_a_word_of_its_own() -> None:
    assert word(CHECKS["ssh"], reading("ok", "up")) == "ok"
    assert word(CHECKS["ipmi_state"], reading("fail", "off")) == "fail: off"
    assert word(CHECKS["nhc"], reading("fail", "a text that is another one every time")) == "fail"


def test_a_boot_is_a_change_and_no_first_reading_and_no_clock_that_is_set_is_one() -> None:
    words: dict[str, str] = {}

    def boots(up_s: int, at: datetime = NOW) -> list[tuple[str, str]]:
        found = {"uptime": reading(value=up_s, at=at)}
        return [(change.old, change.new) for change in boot_changes("n1", words, found, at)]

    assert boots(3600) == []
    assert boots(4600, NOW + timedelta(seconds=1100)) == []
    assert boots(60, NOW + HOUR) == [("2026-11-23T07:00:00Z", "2026-11-23T08:59:00Z")]
    assert boots(7200, NOW + HOUR) == []  # before the last one: a clock that was set back
    assert list(boot_changes("n1", words, {"uptime": reading("unknown")}, NOW)) == []
    assert list(boot_changes("n1", words, {}, NOW)) == []
