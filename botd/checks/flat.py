"""A value as the cells of a spreadsheet: one or more columns for each check, a number with its unit in their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botd.checks.ranges import is_range, show_each
from botd.model import Check
from botd.text import is_number

Cell = str | int | float | None

_UNITS = {"B": "bytes", "s": "seconds", "%": "percent"}
"""Units whose words say more; of others (`ms`, `per core`, those of a site) the letters and digits stand."""


def columns(check: Check) -> list[str]:
    """The names of a check's columns: `df_tmp_used_percent`, `ping_ms`; its own alone where its value has no unit."""
    if check.columns:
        return [f"{check.name}_{name}" for name in check.columns]
    unit = _UNITS.get(check.unit or "") or "_".join(re.findall("[a-z0-9]+", (check.unit or "").lower()))
    return [f"{check.name}_{unit}" if unit else check.name]


def header(check: Check) -> list[str]:
    """The names of all columns that a check has in a table: of the state of a reading, then of its value."""
    return [f"{check.name}_state", *columns(check)]


def cells(check: Check, value: Any) -> list[Cell]:
    """A value in the columns of its check, empty where there is none."""
    if not check.columns:
        return [_cell(value, check)]
    if not isinstance(value, Mapping):
        return [None] * len(check.columns)
    return [_cell(_part(value, read), check) for read in check.columns.values()]


def _part(value: Mapping[str, Any], read: Any) -> Any:
    """What a column reads of a value; None where nodes that fold differ, or an earlier version left another shape."""
    try:
        return read(value)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _cell(value: Any, check: Check) -> Cell:
    """Numbers as they are, ranges of them as `0.11-0.30`, words of a list with blanks between them."""
    if value is None or isinstance(value, str) or is_number(value):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_range(value):
        return show_each(value, str)
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, item in value.items())
    return (" | " if check.lines else " ").join(map(str, value))
