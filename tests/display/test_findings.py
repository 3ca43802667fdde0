"""What readings come to, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from botd.checks import site_checks
from botd.config import parse_config
from botd.display.findings import bad_first, survey, verdict, worst

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
NOW = datetime(2026, 11, 23, 20, 20, tzinfo=UTC)
AT = "2026-11-23T20:19:48.000Z"


def reading(state: str, value: Any = None, at: str | None = AT) -> dict[str, Any]:
    return {"state": state, "value": value, "unit": None, "at": at, "took_s": None, "detail": ""}


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        ({"ping": reading("ok", 1), "ssh": reading("ok", "up")}, "2 checks ok"),
        ({"ping": reading("ok", 1)}, "1 check ok"),
        ({"ping": reading("ok", 1), "load": reading("skipped")}, "1 check ok, 1 skipped"),
        ({"ping": reading("ok", 1), "load": reading("unknown", at=None)}, "1 check ok, 1 not read"),
        ({"ping": reading("unknown", at=None)}, "not read yet"),
        ({}, "skipped"),
        ({"ping": reading("fail"), "ssh": reading("fail", "timeout")}, "Ping: no answer; SSH: timeout"),
        ({"load": reading("warn", 1.6), "ssh": reading("fail", "hung")}, "SSH: hung; Load: 1.60 (warn)"),
        ({"load": reading("unknown")}, "Load: unknown"),
        ({"users": reading("unknown", "x\x1b[31m")}, "Users: x [31m (unknown)"),
        ({"df_tmp": reading("fail", {"mounted": False, "hung": False})}, "/tmp: not mounted"),
    ],
)
def test_a_node_is_told_in_one_line(readings: dict[str, Any], words: str) -> None:
    assert verdict(readings, CHECKS) == words


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["ok", "warn", "fail", "unknown"], "fail"),
        (["ok", "unknown", "warn"], "warn"),
        (["ok", "unknown", "skipped"], "unknown"),
        (["ok", "skipped"], "ok"),
        (["skipped"], "unread"),
        ([], "unread"),
    ],
)
def test_a_node_is_as_bad_as_its_worst_reading(states: list[str], expected: str) -> None:
    readings = {str(i): reading(state) for i, state in enumerate(states)}
    assert worst(readings, readings) == expected


def test_only_the_checks_asked_for_count_and_only_when_they_were_taken() -> None:
    readings = {"ping": reading("fail"), "ssh": reading("ok"), "load": reading("unknown", at=None)}
    assert worst(readings, ["ssh", "load", "nosuch"]) == "ok"


def test_a_survey_tells_who_was_not_reached() -> None:
    silent = {"ping": reading("fail"), "ssh": reading("fail"), "ipmi_reachable": reading("fail")}
    well = {"ping": reading("ok"), "ssh": reading("fail"), "ipmi_reachable": reading("ok")}
    found = survey([silent, well, {}], ["ping", "ssh", "ipmi_reachable"], CHECKS)
    assert found.reached(CHECKS) == (
        "1 node does not answer ping, 2 nodes take no ssh login, 1 BMC does not answer, 1 node was not read yet."
    )


@pytest.mark.parametrize(
    ("readings", "names", "words"),
    [
        ([{"ping": reading("ok")}], ["ping"], "Everything that was asked could be reached."),
        ([{"load": reading("ok")}], ["load"], ""),
        ([{}], ["ping"], "1 node was not read yet."),
        ([], ["ping"], ""),
    ],
)
def test_a_survey_claims_no_more_than_it_asked(readings: list[Any], names: list[str], words: str) -> None:
    assert survey(readings, names, CHECKS).reached(CHECKS) == words


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([AT], "12 s old"),
        ([AT, "2026-11-23T20:16:00.000Z"], "12 s to 4 min old"),
        ([AT, "2026-11-20T20:16:00.000Z"], "12 s to 3 d old"),
        ([None], "not taken yet"),
    ],
)
def test_a_survey_tells_how_old_readings_are(times: list[str | None], words: str) -> None:
    readings = [{"ping": reading("ok", at=at)} for at in times]
    assert survey(readings, ["ping"], CHECKS).ages(NOW) == words


def test_checks_with_something_wrong_stand_first_and_what_was_never_read_is_not_wrong() -> None:
    def reading(state: str, at: str | None = "2026-11-23T08:00:00.000Z") -> Any:
        return {"state": state, "value": None, "unit": None, "at": at, "took_s": None, "detail": ""}

    well = {"ping": reading("ok"), "ssh": reading("ok"), "load": reading("skipped"), "users": reading("unknown", None)}
    ill = {**well, "load": reading("warn"), "users": reading("unknown")}
    assert bad_first(well, [well, well]) == ["ping", "ssh", "load", "users"]
    assert bad_first(well, [well, ill]) == ["load", "users", "ping", "ssh"]
