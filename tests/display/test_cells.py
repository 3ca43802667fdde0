"""A reading as a few characters, and outside text made harmless."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.checks import site_checks
from botd.config import parse_config
from botd.display.cells import age, cell, short_value, with_ages
from botd.text import fit, plain, width

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}, "check": [{"name": "own", "command": "true"}]}))
PLAIN = CHECKS["own"]


def reading(value: Any, state: str = "ok", unit: str | None = None) -> dict[str, Any]:
    return {"state": state, "value": value, "unit": unit, "at": None, "took_s": None, "detail": ""}


@pytest.mark.parametrize(
    ("state", "shown"),
    [("ok", "3 ms"), ("warn", "! 3 ms"), ("fail", "!! 3 ms"), ("unknown", "? 3 ms"), ("skipped", "-")],
)
def test_the_state_is_told_by_a_mark(state: str, shown: str) -> None:
    assert cell(reading(3, state, "ms"), PLAIN) == shown


@pytest.mark.parametrize(("state", "shown"), [("ok", "none"), ("fail", "no answer"), ("unknown", "unknown")])
def test_a_missing_value_is_a_word(state: str, shown: str) -> None:
    assert short_value(reading(None, state), PLAIN) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.21345, "ms", "0.21 ms"),
        (12345678, None, "12345678"),
        (1.5, "per user", "1.50 per user"),
        (45, "s", "45 s"),
        (0.35, "s", "0.35 s"),
        (3599.9, "s", "59 min 59 s"),
        (90061, "s", "1 d 1 h"),
        (7260, "s", "2 h 1 min"),
        (1536, "B", "1.5 KiB"),
        (0, "B", "0 B"),
        (2**61, "B", "2048.0 PiB"),
        (True, None, "yes"),
        (False, None, "no"),
        ("up", None, "up"),
    ],
)
def test_a_value_stands_in_the_unit_that_reads_best(value: object, unit: str | None, shown: str) -> None:
    assert short_value(reading(value, unit=unit), PLAIN) == shown


def test_a_unit_that_goes_without_saying_is_not_said() -> None:
    assert short_value(reading(1.5, unit="per core"), CHECKS["load"]) == "1.50"


@pytest.mark.parametrize(
    ("check", "value", "shown"),
    [
        ("users", [], "none"),
        ("users", ["bob", "eve"], "bob, eve"),
        ("users", ["LAB amy"], "LAB amy"),
        ("slurmd_log", [], "none"),
        ("slurmd_log", ["error: x"], "1 line"),
        ("slurmd_log", ["error: x", "y"], "2 lines"),
    ],
)
def test_names_are_listed_and_lines_counted(check: str, value: list[str], shown: str) -> None:
    assert short_value(reading(value), CHECKS[check]) == shown


NO_DISK = {"size": None, "free": None, "used_percent": None, "read_only": None}
DISK = {"size": 2**30, "free": 2**29, "used_percent": 49.6, "mounted": True, "read_only": False, "hung": False}


@pytest.mark.parametrize(
    ("check", "value", "shown"),
    [
        ("df_tmp", DISK, "50% of 1.0 GiB"),
        ("df_tmp", {**DISK, "read_only": True}, "read-only, 50% of 1.0 GiB"),
        ("df_tmp", {**DISK, "mounted": False}, "not mounted"),
        ("df_tmp", {**NO_DISK, "mounted": None, "hung": True}, "hung"),
        ("df_tmp", {**NO_DISK, "mounted": True, "hung": False}, "no answer"),
        ("memory", {"size": 2**36, "free": 1, "expected": None}, "64.0 GiB"),
        ("slurmd", {"running": True, "version": "22.05.8"}, "22.05.8"),
        ("slurmd", {"running": True, "version": None}, "running"),
        ("slurmd", {"running": False, "version": "22.05.8"}, "stopped"),
        (
            "last_job",
            {"job_id": "7_1", "user": "bob", "state": "FAILED", "exit_code": "1:0", "ended_at": None},
            "7_1 FAILED 1:0",
        ),
    ],
)
def test_an_object_is_told_by_what_matters(check: str, value: dict[str, object], shown: str) -> None:
    assert short_value(reading(value), CHECKS[check]) == shown


@pytest.mark.parametrize("check", CHECKS)
def test_an_object_in_another_shape_as_an_earlier_version_left_it_is_told_by_its_values(check: str) -> None:
    assert short_value(reading({"a": 1, "b": None, "c": "x"}), CHECKS[check]) == "1 x"


NOW = datetime(2026, 11, 23, 20, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-11-23T20:20:00.000Z", "0 s"),
        ("2026-11-23T20:18:30.001Z", "89 s"),
        ("2026-11-23T20:18:30.000Z", "1 min"),
        ("2026-11-23T18:50:01.000Z", "89 min"),
        ("2026-11-23T18:20:01.000Z", "1 h"),
        ("2026-11-22T08:20:01.000Z", "35 h"),
        ("2026-11-22T08:20:00.000Z", "1 d"),
        ("2026-11-20T20:19:00.000Z", "3 d"),
        ("2026-11-23T20:20:09.000Z", "0 s"),
        (None, "never"),
    ],
)
def test_an_age_is_told_in_one_unit(at: str | None, shown: str) -> None:
    assert age(at, NOW) == shown


def test_every_time_in_a_sentence_gets_its_age() -> None:
    text = "seen at 2026-11-23T20:17:00.000Z, and not since 2026-11-23T20:19:48.000Z"
    assert with_ages(text, NOW) == (
        "seen at 2026-11-23T20:17:00.000Z (3 min ago), and not since 2026-11-23T20:19:48.000Z (12 s ago)"
    )
    assert with_ages("at 12:00", NOW) == "at 12:00"


def test_a_hostile_value_is_plain_in_its_cell() -> None:
    assert cell(reading("a\x1b[31mb\nc\u202e", "fail"), PLAIN) == "!! a [31mb c"


@given(st.text())
def test_plain_text_is_one_line_that_a_terminal_prints_as_it_is(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert plain(shown) == shown
    assert {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("节点", 4), ("ｎ１", 4), ("e\u0301", 1), ("ü", 1), ("한", 2), ("🔥", 2), ("", 0)]
)
def test_the_width_is_that_of_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [("ab", 4, "ab  "), ("abcd", 4, "abcd"), ("abcde", 4, "abc…"), ("节点节点", 5, "节点…"), ("节点节点", 4, "节… ")],
)
def test_text_is_filled_up_or_cut_to_its_columns(text: str, columns: int, shown: str) -> None:
    assert fit(text, columns) == shown


@given(st.text().map(plain), st.integers(1, 50))
def test_fitted_text_has_exactly_its_columns(text: str, columns: int) -> None:
    assert width(fit(text, columns)) == columns
