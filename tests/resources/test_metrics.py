"""GET /metrics: figures for Prometheus."""

from __future__ import annotations

import re
import sqlite3
from datetime import timedelta
from platform import python_version
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from botd import __version__
from botd.model import Reading, State, SweepState
from tests.actor import action, moved, tell, tell_switches
from tests.conftest import Site, idle


def figures(site: Site, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a figure by the values of their labels, in the order of these."""
    families = text_string_to_metric_families(site.client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(sample.labels[key] for key in sorted(sample.labels)): sample.value for sample in samples}


def test_it_counts_nodes_by_check_and_state_for_prometheus(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"))
    text = site.client.get("/metrics").text
    assert 'botd_nodes{check="ping",state="fail"} 1.0' in text
    assert 'botd_nodes{check="ping",state="ok"} 3.0' in text
    assert 'botd_slurm_nodes{state="drained"} 2.0' in text
    assert "botd_agent_alive 1.0" in text


def test_what_is_not_known_yet_is_left_out_and_no_zero(make_site: Any) -> None:
    new: Site = make_site()
    new.nodes(idle("n0000.savio2"))
    assert figures(new, "botd_sweep_duration_seconds") == {}
    sweep = new.store.sweeps.start(["n0000.savio2"], ["ping"], new.now)
    new.store.sweeps.end(sweep.id, SweepState.DONE, [], new.now + timedelta(seconds=7))
    assert figures(new, "botd_sweep_duration_seconds") == {(): 7}
    assert list(figures(new, "botd_node_list_age_seconds")) == [()]


def test_the_figures_count_nodes_by_the_family_of_their_diagnosis(site: Site) -> None:
    lines = site.client.get("/metrics").text.splitlines()
    assert 'botd_family_nodes{family="colleague"} 2.0' in lines
    assert 'botd_family_nodes{family="ready"} 0.0' in lines


def test_the_figures_count_nodes_by_the_cause_itself(site: Site) -> None:
    causes = figures(site, "botd_cause_nodes")
    assert sum(count for (_, family), count in causes.items() if family == "colleague") == 2
    assert sum(causes.values()) == sum(figures(site, "botd_family_nodes").values())


def test_the_figures_say_how_many_rows_the_audit_has_once_its_head_is_signed(site: Site) -> None:
    assert figures(site, "botd_audit_rows") == {}
    site.audit()
    assert figures(site, "botd_audit_rows") == {(): 2}
    assert list(figures(site, "botd_audit_head_age_seconds")) == [()]
    site.store.copies.put("ledger", {"head": {"size": "many"}})
    assert figures(site, "botd_audit_rows") == {}


def test_the_figures_count_actions_and_say_what_stops_them(site: Site) -> None:
    assert (figures(site, "botd_actions"), figures(site, "botd_stopped")) == ({}, {})
    first, second, third = (action(number, "n0001.savio2", site.now) for number in (1, 2, 3))
    tell(site.store, moved(first, "failed"), moved(second, "failed"), third)
    tell_switches(site.store, breaker="too many ended badly")
    assert figures(site, "botd_actions") == {("drain", "failed"): 2, ("drain", "requested"): 1}
    assert (figures(site, "botd_breaker_open"), figures(site, "botd_stopped")) == ({(): 1}, {(): 0})


def test_the_figures_say_which_botd_and_which_python_it_is(site: Site) -> None:
    assert figures(site, "botd_build_info") == {(python_version(), __version__): 1}


def test_answers_are_counted_by_route_and_class(site: Site) -> None:
    for path in ("status/n0000.savio2", "status/n0001.savio2", "status/nosuch9", "nothing/at/all"):
        site.client.get(f"/api/v1/{path}")
    counts = figures(site, "botd_request_seconds_count")
    assert counts == {
        ("/api/v1/status/{name}", "2xx"): 2,
        ("/api/v1/status/{name}", "4xx"): 1,
        ("other", "4xx"): 1,
    }


def test_an_answer_that_goes_out_again_counts_for_its_route(site: Site) -> None:
    for _ in range(3):
        assert site.client.get("/api/v1/status?groups=all&checks=ping").status_code == 200
    assert figures(site, "botd_request_seconds_count") == {("/api/v1/status", "2xx"): 3}


def test_who_is_turned_away_and_what_nobody_knows_make_no_figure_of_their_own(site: Site) -> None:
    for number in range(20):
        site.client.get(f"/no/{number}", headers={"Sec-Fetch-Site": "cross-site"})
        site.client.get(f"/api/v1/no{number}")
    assert figures(site, "botd_request_seconds_count") == {("other", "4xx"): 40}


def test_every_bucket_holds_those_before_it(site: Site) -> None:
    for seconds in (0.5, 4, 4000):
        sweep = site.store.sweeps.start(["n0000.savio2"], ["ping"], site.now)
        site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now + timedelta(seconds=seconds))
    buckets = figures(site, "botd_sweep_seconds_bucket")
    assert [buckets[(bound,)] for bound in ("1.0", "2.0", "5.0", "600.0", "+Inf")] == [1, 1, 2, 2, 3]
    assert figures(site, "botd_sweep_seconds_count") == {(): 3}
    assert figures(site, "botd_sweep_seconds_sum") == {(): 4004.5}


def test_a_sweep_that_ended_before_it_began_counts_as_none_at_all(site: Site) -> None:
    sweep = site.store.sweeps.start(["n0000.savio2"], ["ping"], site.now)
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now - timedelta(hours=1))
    assert figures(site, "botd_sweep_seconds_sum") == {(): 0}


@pytest.mark.parametrize("value", ["'x'", "x'00ff'", "-1", "9e999"])
def test_a_damaged_count_is_left_out(site: Site, value: str) -> None:
    with sqlite3.connect(site.folder / "botd.db") as database:
        database.execute(f"INSERT INTO durations VALUES (2, {value}, 3.0)")
    assert figures(site, "botd_sweep_seconds_count") == {(): 0}


def test_every_figure_is_as_prometheus_wants_it(site: Site) -> None:
    """What `promtool check metrics` (2.42) looks at, for the figures that we have: gauges, counters and histograms."""
    sweep = site.store.sweeps.start(["n0000.savio2"], ["ping"], site.now)
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    site.store.copies.put("notices", {"mail": {"sent": 3, "failed": 1}})
    site.client.get("/api/v1/status")
    text = site.client.get("/metrics").text
    families = list(text_string_to_metric_families(text))
    assert {family.type for family in families} == {"counter", "gauge", "histogram"}
    assert all(family.documentation and re.fullmatch("botd(_[a-z]+)+", family.name) for family in families)
    samples = [sample for family in families for sample in family.samples]
    assert len({(sample.name, *sorted(sample.labels.items())) for sample in samples}) == len(samples) > 0
    assert len(samples) == len([line for line in text.splitlines() if not line.startswith("#")])
    assert text.endswith("\n")
    for family in families:
        check_family(family)


def check_family(family: Metric) -> None:
    """Fails unless the samples are those of its type, and each histogram is whole."""
    if family.type == "gauge":
        assert {sample.name for sample in family.samples} <= {family.name}
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
        return
    if family.type == "counter":
        assert {sample.name for sample in family.samples} == {f"{family.name}_total"}
        return
    series: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        part = labels.pop("le", sample.name.removeprefix(family.name))
        series.setdefault(tuple(sorted(labels.items())), {})[part] = sample.value
    for parts in series.values():
        count, total = parts.pop("_count"), parts.pop("_sum")
        assert list(parts) == sorted(parts, key=float)
        assert list(parts.values()) == sorted(parts.values())
        assert (parts["+Inf"], total >= 0) == (count, True)


def test_the_figures_count_notices_and_leave_out_what_is_no_count(site: Site) -> None:
    assert figures(site, "botd_notices_total") == {}
    odd = {"webhook": {"sent": "many", "failed": -1}, "command": 7, "pigeon": {"sent": 2}}
    site.store.copies.put("notices", {"mail": {"sent": 3, "failed": 1}, **odd})
    assert figures(site, "botd_notices_total") == {("sent", "mail"): 3, ("failed", "mail"): 1}
