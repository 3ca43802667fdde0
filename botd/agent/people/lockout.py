"""How long who fails is locked out: longer each time, so that guessing takes years. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from botd.ledger.lockouts import Failures

FREE = 5
"""Failures in a row of a login from which on each one locks."""

FIRST, LONGEST = timedelta(minutes=15), timedelta(hours=24)

HELD = 20
"""Failures in a row after which only a person unlocks."""

ADDRESS_FREE, ADDRESS_WINDOW = 20, timedelta(minutes=15)
"""Failures of one address in a time, whatever logins it tries."""


def login_failed(before: Failures, now: datetime) -> Failures:
    """The failures of a login after one more: 5 lock it for 15 minutes, each further one for twice as long."""
    count = before.count + 1
    until_at = None
    if count >= FREE:
        until_at = now + min(FIRST * 2 ** min(count - FREE, 10), LONGEST)
    return Failures(before.subject, count, before.since_at or now, until_at, before.is_held or count >= HELD)


def address_failed(before: Failures, now: datetime) -> Failures:
    """The failures of an address after one more."""
    if before.since_at is None or not before.since_at <= now < before.since_at + ADDRESS_WINDOW:
        before = Failures(before.subject)
    count, since_at = before.count + 1, before.since_at or now
    return Failures(before.subject, count, since_at, now + ADDRESS_WINDOW if count >= ADDRESS_FREE else None)


def seconds_locked(failures: Failures, now: datetime) -> float | None:
    """How much longer a subject is locked; None where it is not. Infinite until somebody unlocks it.

    A clock that was put back locks nobody for longer than the lock was to last.
    """
    if failures.is_held:
        return float("inf")
    if failures.until_at is None or now >= failures.until_at:
        return None
    return min((failures.until_at - now).total_seconds(), LONGEST.total_seconds())
