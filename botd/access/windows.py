"""When a role with `in-window` may act: hours of days of the week, in a zone of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


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
        opens, closes = _clock(self.opens), _clock(self.closes)
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
        if not _TIME.fullmatch(text):
            raise ValueError(f'{name}: write a time of day such as "20:00", not "{text[:60]}"')
    zone(window.zone)


def why_shut(windows: Sequence[Window], now: datetime) -> str:
    """Why no window is open; empty where one is, and none with `deny`."""
    if denied := next((window for window in windows if window.deny and window.is_open(now)), None):
        return f"denied {denied.words()}"
    allowing = [window for window in windows if not window.deny]
    if any(window.is_open(now) for window in allowing):
        return ""
    return f"only {'; '.join(window.words() for window in allowing)}" if allowing else "no window is ever open"


@lru_cache
def zone(name: str) -> ZoneInfo:
    """The zone of this name. Raises ValueError for one that there is not."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a directory is an OSError
        raise ValueError(f'zone: there is no time zone "{name[:60]}"; write one such as "Europe/Berlin"') from None


def _clock(text: str) -> time:
    return time(int(text[:2]), int(text[3:]))
