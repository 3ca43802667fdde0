"""What a cell of the page's table sorts by."""

from __future__ import annotations

import pytest

from botd.checks import site_checks
from botd.config import parse_config
from botd.display.rows import sort_key

CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
DISK = {"size": 2**40, "used_percent": 61.0, "mounted": True, "hung": False}


@pytest.mark.parametrize(
    ("check", "value", "key"),
    [
        ("load", 0.25, 0.25),
        ("uptime", 7, 7),
        ("ipmi_reachable", True, None),
        ("ping", None, None),
        ("ssh", "up", None),
        ("users", [], 0),
        ("users", ["amy", "bob"], 2),
        ("df_tmp", DISK, 61.0),
        ("df_tmp", {**DISK, "mounted": None}, 61.0),  # a plain directory that may be one
        ("df_tmp", {**DISK, "mounted": False}, None),
        ("df_tmp", {**DISK, "hung": True}, None),
        ("df_tmp", {"size": 2**40}, None),  # in no shape of this version
        ("memory", {"size": 2**36, "free": 2**30, "expected": None}, 2**36),
        ("slurmd", {"running": True, "version": "22.05.8"}, None),
    ],
)
def test_a_cell_sorts_by_the_number_in_its_value(check: str, value: object, key: float | None) -> None:
    assert sort_key(value, CHECKS[check]) == key
