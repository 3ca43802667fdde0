"""How the history forgets, and when it does not."""

from __future__ import annotations

from datetime import timedelta

from botd.agent.housekeeping import Housekeeping
from botd.model import Change
from botd.settings import HistorySettings
from tests.conftest import Site


def housekeeping(site: Site) -> Housekeeping:
    return Housekeeping(HistorySettings(), site.store, lambda: site.now)


def record(site: Site, *, days: int) -> None:
    change = Change("n1", "ssh", "fail", "ok", site.now - timedelta(days=days))
    site.store.readings.write({"n1": {}}, site.now, changes=[change])


def test_what_is_too_old_is_forgotten(site: Site) -> None:
    record(site, days=100)
    record(site, days=10)
    housekeeping(site).step()
    assert len(site.store.changes.page(limit=9)) == 1


def test_a_clock_that_was_set_years_ahead_forgets_nothing(site: Site) -> None:
    record(site, days=10)
    keeper = housekeeping(site)
    keeper.step()
    site.later(3 * 365 * 86400)
    keeper._next = 0.0  # an hour later by the clock that cannot be set
    keeper.step()
    housekeeping(site).step()  # nor does an agent that starts now
    assert len(site.store.changes.page(limit=9)) == 1
