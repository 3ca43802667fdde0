"""Hours of days of the week, over midnight and over the nights on which a clock is set."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from botd.access.windows import Window, check_window, why_shut

NIGHT = Window(("fri",), "20:00", "07:00", "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "moment", "is_open"),
    [
        (Window(), "2026-11-26T12:00", True),
        (Window(("thu",), "08:00", "17:00"), "2026-11-26T08:00", True),
        (Window(("thu",), "08:00", "17:00"), "2026-11-26T17:00", False),
        (Window(("thu",), "08:00", "17:00"), "2026-11-27T12:00", False),
        (NIGHT, "2026-11-27T18:59", False),  # a Friday, 19:59 in Berlin
        (NIGHT, "2026-11-27T19:00", True),
        (NIGHT, "2026-11-28T05:59", True),  # Saturday morning belongs to Friday's night
        (NIGHT, "2026-11-28T06:00", False),
        (NIGHT, "2026-11-28T19:00", False),
        (NIGHT, "2026-11-27T05:00", False),  # Thursday's night is none
        (NIGHT, "2026-07-03T18:00", True),  # in summer Berlin is two hours ahead
    ],
)
def test_a_window_is_open_then(window: Window, moment: str, is_open: bool) -> None:
    assert window.is_open(at(moment)) is is_open


def test_a_window_that_denies_shuts_the_others() -> None:
    monthly = Window(("sat",), "01:00", "03:00", "UTC", deny=True)
    assert why_shut((NIGHT, monthly), at("2026-11-27T23:00")) == ""
    assert why_shut((NIGHT, monthly), at("2026-11-28T01:00")) == "denied sat from 01:00 to 03:00 UTC"
    assert why_shut((NIGHT, monthly), at("2026-11-29T12:00")) == "only fri from 20:00 to 07:00 Europe/Berlin"
    assert why_shut((), at("2026-11-29T12:00")) == "no window is ever open"


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window(("funday",)), '"funday" is none of mon'),
        (Window(()), "name one"),
        (Window(opens="24:00"), "from: write a time"),
        (Window(closes="7:00"), "to: write a time"),
        (Window(zone="Mars/Olympus"), 'no time zone "Mars/Olympus"'),
        (Window(zone="../../etc/passwd"), "no time zone"),
        (Window(zone="Europe"), "no time zone"),
        (Window(zone=""), "no time zone"),
    ],
)
def test_a_window_that_cannot_be_is_refused(window: Window, words: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        check_window(window)
    assert words in str(caught.value)
