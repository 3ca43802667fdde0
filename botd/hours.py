"""Times of day and time zones, as people write them. Pure."""

from __future__ import annotations

import re
from datetime import time
from functools import lru_cache
from zoneinfo import ZoneInfo

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def time_of_day(text: str) -> time:
    """What `07:30` says. Raises ValueError for what is none."""
    if not _TIME.fullmatch(text):
        raise ValueError(f'write a time of day such as "20:00", not "{text[:60]}"')
    return time(int(text[:2]), int(text[3:]))


@lru_cache
def zone(name: str) -> ZoneInfo:
    """The zone of this name. Raises ValueError for one that there is not."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a directory is an OSError
        raise ValueError(f'there is no time zone "{name[:60]}"; write one such as "Europe/Berlin"') from None
