"""How the history forgets, and when it does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

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


def kept(site: Site) -> int:
    return len(site.store.changes.page(limit=99))


def numbers(site: Site) -> list[float]:
    found = site.store.samples.of_node("n1", site.now - timedelta(days=365), site.now)
    return [value for _, value in found.get("load", [])]


def test_changes_for_the_worse_are_kept_longer_than_others(site: Site) -> None:
    for is_bad in (True, False):
        change = Change("n1", "ssh", "ok", "fail", site.now - timedelta(days=100), is_bad=is_bad)
        site.store.readings.write({"n1": {}}, site.now, changes=[change])
    housekeeping(site).step()
    assert [change.is_bad for change in site.store.changes.page(limit=99)] == [True]


def test_numbers_of_the_last_day_are_all_kept_then_one_an_hour_and_then_none(site: Site) -> None:
    hour = site.now.replace(minute=0, second=0, microsecond=0)
    for days in (40, 3, 0):
        for minutes, value in ((-20, 1.0), (-10, 3.0)):
            at = hour - timedelta(days=days) + timedelta(minutes=minutes)
            site.store.samples.write({"n1": {"load": value}}, at)
    keeper = housekeeping(site)
    for _ in range(9):
        keeper.step()
    assert keeper.is_done
    assert numbers(site) == [2.0, 1.0, 3.0]


def test_it_goes_on_as_long_as_there_is_something_to_forget(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.store.changes.PRUNE_ROWS", 2)
    for _ in range(5):
        record(site, days=100)
    keeper, left = housekeeping(site), []
    for _ in range(4):
        keeper.step()
        left.append((kept(site), keeper.is_done))
    assert left == [(3, False), (1, False), (0, False), (0, True)]


def test_it_looks_again_when_an_hour_has_passed_and_not_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = housekeeping(site)
    keeper.step()
    record(site, days=100)
    keeper.step()
    assert (keeper.is_done, kept(site)) == (True, 1)
    monkeypatch.setattr("botd.agent.housekeeping.PRUNE_S", 0.0)  # no time until the next look
    again = housekeeping(site)
    again.step()
    assert (again.is_done, kept(site)) == (False, 0)


def test_after_botd_was_away_for_long_nothing_is_forgotten_at_first(site: Site) -> None:
    record(site, days=90)
    site.later(3 * 86400)
    keeper = housekeeping(site)
    keeper.step()
    assert (keeper.is_done, kept(site)) == (True, 1)


def test_a_night_without_botd_is_not_long(site: Site) -> None:
    record(site, days=90)
    site.later(86400)
    housekeeping(site).step()
    assert kept(site) == 0


def test_a_clock_that_is_set_back_is_no_leap(site: Site) -> None:
    record(site, days=100)
    site.later(-3600)
    housekeeping(site).step()
    assert kept(site) == 0
