"""What a request asks, understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from botd.errors import BadRequest
from botd.web.questions import moment

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12h", NOW - 12 * HOUR),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-23T07:00Z", NOW - HOUR),
        ("2026-11-23T08:00:00+01:00", NOW - HOUR),
        ("2026-11-23", NOW - 8 * HOUR),
    ],
)
def test_a_time_is_given_as_iso_or_as_an_age(text: str, expected: datetime) -> None:
    assert moment("since", text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-1h", "999999w", "12", "2026-13-01", "1h; DROP"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadRequest, match=r"since.*12h"):
        moment("since", text, NOW)
