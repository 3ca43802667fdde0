"""The words of a subject over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from botd.history.bands import Band, bands
from botd.model import Change

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_bands_cover_the_whole_time_without_a_gap() -> None:
    since, now = NOW - 10 * HOUR, NOW
    found = [  # newest first
        Change("n1", "ssh", "fail", "ok", NOW - 2 * HOUR),
        Change("n1", "ssh", "ok", "fail", NOW - 5 * HOUR),
        Change("n1", "ssh", "warn", "ok", NOW - 20 * HOUR),
    ]
    assert bands(found, "ok", since, now) == [
        Band(since, NOW - 5 * HOUR, "ok"),
        Band(NOW - 5 * HOUR, NOW - 2 * HOUR, "fail"),
        Band(NOW - 2 * HOUR, NOW, "ok"),
    ]
    assert bands([], "ok", since, now) == [Band(since, now, "ok")]
