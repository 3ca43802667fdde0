"""When a role with `in-window` may act: hours of days of the week, in a zone of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from botd.hours import time_of_day, zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Window:
    """[[window]]: from `opens` up to `closes`, on the days on which it opens. With `deny` it shuts instead.

    One that closes at or before the hour at which it opens lasts into the next day.
    """

    days: tuple[str, ...] = DAYS
    opens: str = "00:00"
    closes: str = "00:00"
    zone: str = "UTC"
    deny: bool = False

    def is_open(self, now: datetime) -> bool:
        """Whether this moment lies in it, by the clocks of its zone."""
        here = now.astimezone(zone(self.zone))
        opens, closes = time_of_day(self.opens), time_of_day(self.closes)
        today, yesterday = (DAYS[(here - timedelta(days=back)).weekday()] in self.days for back in (0, 1))
        at = here.time().replace(tzinfo=None)
        if opens < closes:
            return today and opens <= at < closes
        return (today and at >= opens) or (yesterday and at < closes)

    def words(self) -> str:
        """`mon, tue from 20:00 to 06:00 Europe/Berlin`."""
        days = "daily" if set(self.days) == set(DAYS) else ", ".join(self.days)
        return f"{days} from {self.opens} to {self.closes} {self.zone}"


def check_window(window: Window) -> None:
    """Raises ValueError for a day, a time or a zone that there is not."""
    for day in window.days:
        if day not in DAYS:
            raise ValueError(f'days: "{day[:60]}" is none of {", ".join(DAYS)}')
    if not window.days:
        raise ValueError("days: name one, or leave days out for all of them")
    for name, text in (("from", window.opens), ("to", window.closes)):
        _check(name, time_of_day, text)
    _check("zone", zone, window.zone)


def _check(name: str, read: Callable[[str], object], text: str) -> None:
    try:
        read(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def why_shut(windows: Sequence[Window], now: datetime) -> str:
    """Why no window is open; empty where one is, and none with `deny`."""
    if denied := next((window for window in windows if window.deny and window.is_open(now)), None):
        return f"denied {denied.words()}"
    allowing = [window for window in windows if not window.deny]
    if any(window.is_open(now) for window in allowing):
        return ""
    return f"only {'; '.join(window.words() for window in allowing)}" if allowing else "no window is ever open"
