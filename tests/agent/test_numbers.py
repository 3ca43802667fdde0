"""The numbers that the agent keeps for plots."""

from __future__ import annotations

from datetime import timedelta

import pytest

from botd.agent.numbers import NumberCollector
from botd.checks import site_checks
from botd.errors import StoreUnavailable
from botd.model import Reading, State
from tests.conftest import Site

DAY = timedelta(days=1)


def numbers(site: Site) -> dict[str, list[tuple[int, float]]]:
    return site.store.samples.of_node("n0000.savio2", site.now - DAY, site.now)


def test_numbers_are_kept_of_what_can_be_plotted(site: Site) -> None:
    collector = NumberCollector(site_checks(site.config), site.store, lambda: site.now)
    readings = {
        "load": Reading(State.OK, 0.25),
        "df_tmp": Reading(State.OK, {"size": 8, "free": 4, "mounted": True}),
        "df_scratch": Reading(State.FAIL, None),
        "ssh": Reading(State.OK, "up"),
        "ipmi_reachable": Reading(State.OK, True),
    }
    collector.put("n0000.savio2", readings)
    collector.flush()
    assert {check: value for check, [(_, value)] in numbers(site).items()} == {"load": 0.25, "df_tmp": 4.0}


def test_many_sweeps_within_a_minute_are_one_moment_on_record(site: Site) -> None:
    collector = NumberCollector(site_checks(site.config), site.store, lambda: site.now)
    for load in (1.0, 2.0, 3.0):
        collector.put("n0000.savio2", {"load": Reading(State.OK, load)})
        collector.flush()
        site.later(1)
    assert [value for _, value in numbers(site)["load"]] == [1.0]


def collector(site: Site) -> NumberCollector:
    return NumberCollector(site_checks(site.config), site.store, lambda: site.now)


def loads(site: Site) -> list[float]:
    return [value for _, value in numbers(site).get("load", [])]


def test_what_comes_between_two_moments_is_in_the_next_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = collector(site)
    for load in (1.0, 2.0, 3.0):
        kept.put("n0000.savio2", {"load": Reading(State.OK, load)})
        kept.flush()
    site.later(61)
    monkeypatch.setattr("botd.agent.numbers.SAMPLE_S", 0.0)  # a minute later by the clock that cannot be set
    kept.flush()
    assert loads(site) == [1.0, 3.0]


def test_no_new_number_is_no_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.agent.numbers.SAMPLE_S", 0.0)
    kept = collector(site)
    kept.put("n0000.savio2", {"load": Reading(State.OK, 1.0)})
    for _ in range(2):
        kept.flush()
        site.later(61)
    kept.put("n0000.savio2", {"load": Reading(State.FAIL, None)})
    kept.flush()
    assert loads(site) == [1.0]


def test_numbers_that_could_not_be_written_are_written_later_unless_newer_came(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = collector(site)

    def full(*_: object) -> None:
        kept.put("n0000.savio2", {"load": Reading(State.OK, 2.0)})
        raise StoreUnavailable("the disk is full")

    kept.put("n0000.savio2", {"load": Reading(State.OK, 1.0)})
    kept.put("n0001.savio2", {"load": Reading(State.OK, 5.0)})
    with monkeypatch.context() as patch:
        patch.setattr(site.store.samples, "write", full)
        with pytest.raises(StoreUnavailable):
            kept.flush()
    kept.flush()
    assert loads(site) == [2.0]
    assert site.store.samples.of_node("n0001.savio2", site.now - DAY, site.now)["load"][0][1] == 5.0


def test_a_number_is_of_the_moment_at_which_it_is_written(site: Site) -> None:
    kept = collector(site)
    kept.put("n0000.savio2", {"load": Reading(State.OK, 1.0)})
    site.later(30)
    kept.flush()
    assert numbers(site)["load"][0][0] == int(site.now.timestamp())
