"""The numbers that the agent keeps for plots."""

from __future__ import annotations

from datetime import timedelta

from botd.agent.numbers import NumberCollector
from botd.checks import site_checks
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
