"""What the page draws: a node as a short row of cells, with what each cell sorts by.

A row says no more than stands on the screen, so that 10,000 of them are a few megabytes. The words are those of
`botd.display.cells`, so page, text browser and curl show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from botd.checks import Checks
from botd.display.cells import cell
from botd.documents import NodeDocument, ReadingDocument
from botd.model import Check
from botd.text import is_number, plain

CellDocument = tuple[str, str, float | None, int | None]
"""`[state, text, sort key, taken at]` of a reading."""


class RowDocument(TypedDict):
    """A node as a row, with a cell for each check. Times are whole seconds since the epoch, UTC."""

    node: str
    groups: list[str]
    state: str | None
    reason: str
    reason_by: str
    reason_at: int | None
    since: int | None
    rule: str
    diagnosis: str
    family: str
    cells: list[CellDocument]


def row_document(node: NodeDocument, checks: Checks) -> RowDocument:
    """A node of a status answer as a row."""
    slurm, advice = node["slurm"], node["recommendation"]
    return {
        "node": node["node"],
        "groups": node["groups"],
        "state": slurm["state"] if slurm else None,
        "reason": plain(slurm["reason"]) if slurm else "",
        "reason_by": plain(slurm["reason_by"]) if slurm else "",
        "reason_at": _epoch(slurm["reason_at"]) if slurm else None,
        "since": _epoch(node["since"]),
        "rule": advice["diagnosis"] if advice else "",
        "diagnosis": plain(advice["title"]) if advice else "",
        "family": advice["family"] if advice else "",
        "cells": [_cell(reading, checks[name]) for name, reading in node["readings"].items()],
    }


def sort_key(value: Any, check: Check) -> float | None:
    """The number that a value sorts by: itself, the count of a list, what its check says of an object.

    None where there is none: such cells sort by their state and their words.
    """
    if is_number(value):
        return value
    if isinstance(value, list):
        return len(value)
    if not check.sort_key or not isinstance(value, Mapping):
        return None
    try:
        return check.sort_key(value)
    except (LookupError, TypeError, ValueError, AttributeError):  # an earlier version left it in another shape
        return None


def _cell(reading: ReadingDocument, check: Check) -> CellDocument:
    return reading["state"], cell(reading, check), sort_key(reading["value"], check), _epoch(reading["at"])


def _epoch(at: str | None) -> int | None:
    return None if at is None else int(datetime.fromisoformat(at).timestamp())
