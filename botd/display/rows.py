"""What the page draws: a node as a short row of cells, with what each cell sorts by.

A row says no more than stands on the screen, so that 10,000 of them are a few megabytes. The words are those of
`botd.display.cells`, so page, text browser and curl show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botd.display.cells import cell, plain
from botd.documents import Document


def row_document(node: Document) -> Document:
    """A node of a status answer as a row: `cells` has `[state, text, sort key, taken at]` for each of its checks.

    Times are whole seconds since the epoch, UTC, null where there is none.
    """
    slurm = node["slurm"] or {}
    return {
        "node": node["node"],
        "groups": node["groups"],
        "state": slurm.get("state"),
        "reason": plain(slurm.get("reason", "")),
        "reason_by": plain(slurm.get("reason_by", "")),
        "reason_at": _epoch(slurm.get("reason_at")),
        "cells": [_cell(reading) for reading in node["readings"].values()],
    }


def sort_key(value: Any) -> float | None:
    """The number that a value sorts by: itself, the count of a list, how full a file system is, the size of a memory.

    None where there is none: such cells sort by their state and their words.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, list):
        return len(value)
    if isinstance(value, Mapping) and not value.get("hung") and value.get("mounted") is not False:
        return next((value[key] for key in ("used_percent", "size") if value.get(key) is not None), None)
    return None


def _cell(reading: Document) -> list[Any]:
    return [reading["state"], cell(reading), sort_key(reading["value"]), _epoch(reading["at"])]


def _epoch(at: str | None) -> int | None:
    return None if at is None else int(datetime.fromisoformat(at).timestamp())
