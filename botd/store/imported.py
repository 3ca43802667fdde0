"""When incidents of nodes began that were over before the record began: what the agent tells of an import."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botd.sql.database import to_time

IMPORTED_INCIDENTS, NOW, YEAR = "imported-incidents", "now", "year"
"""Kind and keys of the copies, objects of node to seconds since the epoch: what diagnoses count, and all of a year."""


def read_imported(told: Any) -> dict[str, list[datetime]]:
    """The times by node. Others may write there: what cannot be read is none."""
    if not isinstance(told, dict):
        return {}
    return {node: _times(each) for node, each in told.items() if isinstance(each, list)}


def _times(told: list[Any]) -> list[datetime]:
    found = (to_time(each) for each in told if isinstance(each, int | float))
    return [at for at in found if at is not None]
