"""What a cell of the page's table sorts by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from botd.checks import site_checks
from botd.config import parse_config
from botd.display.rows import row_document, sort_key
from botd.documents import slurm_document
from botd.model import SlurmNode
from tests.conftest import drained

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


def node(slurm: SlurmNode | None = None, **readings: Any) -> Any:
    document = slurm_document(slurm) if slurm else None
    return {
        "node": "n1",
        "groups": ["rack1"],
        "slurm": document,
        "readings": readings,
        "recommendation": None,
        "since": document and document["reason_at"],
    }


def reading(state: str, value: Any, at: str | None = "2026-11-23T08:00:01.500Z") -> dict[str, Any]:
    return {"state": state, "value": value, "unit": None, "at": at, "took_s": 0.1, "detail": "left out"}


def test_a_row_says_what_stands_on_the_screen_and_no_more() -> None:
    at = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    slurm, seconds = drained("n1", "no IB", reason_at=at), int(at.timestamp())
    assert row_document(node(slurm, users=reading("ok", ["amy", "bob"])), CHECKS) == {
        "node": "n1",
        "groups": ["rack1"],
        "state": "drained",
        "reason": "no IB",
        "reason_by": "root",
        "reason_at": seconds,
        "since": seconds,
        "rule": "",
        "diagnosis": "",
        "family": "",
        "cells": [("ok", "amy, bob", 2, seconds + 1)],
    }


def test_a_row_of_a_node_that_slurm_does_not_know_has_no_state_and_no_reason() -> None:
    row = row_document(node(), CHECKS)
    assert [row[key] for key in ("state", "reason", "reason_by", "reason_at")] == [None, "", "", None]


def test_cells_stand_in_the_order_of_the_readings_and_a_reading_never_taken_has_no_time() -> None:
    readings = {"ping": reading("unknown", None, at=None), "load": reading("warn", 2.5)}
    assert row_document(node(**readings), CHECKS)["cells"] == [
        ("unknown", "? unknown", None, None),
        ("warn", "! 2.50", 2.5, int(datetime(2026, 11, 23, 8, 0, 1, tzinfo=UTC).timestamp())),
    ]


def test_what_slurm_and_nodes_say_is_plain_in_a_row() -> None:
    hostile = "a\x1b[31m\nb\u202e"
    row = row_document(node(replace(drained("n1", hostile), reason_by=hostile), ssh=reading("warn", hostile)), CHECKS)
    for text in (row["reason"], row["reason_by"], row["cells"][0][1]):
        assert text.isprintable()
        assert "\u202e" not in text
