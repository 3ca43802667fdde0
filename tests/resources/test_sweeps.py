"""GET /api/v1/sweeps/<id> and its events: how far a sweep is."""

from __future__ import annotations

import json
import re

from botd.model import Reading, State, SweepState
from tests.conftest import Site


def test_it_shows_the_progress_of_a_sweep(site: Site) -> None:
    sweep = site.store.sweeps.start(["n0001.savio2", "n0000.savio2"], ["ping"], site.now)
    site.store.sweeps.progress(sweep.id, 1)
    body = site.get(f"/api/v1/sweeps/{sweep.id}")
    assert (body["state"], body["done"], body["total"], body["nodes"]) == ("running", 1, 2, "n[0000-0001].savio2")


def test_it_reports_an_unknown_sweep(site: Site) -> None:
    response = site.client.get("/api/v1/sweeps/77")
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "unknown-sweep"


def test_it_streams_events_until_the_sweep_ends(site: Site) -> None:
    sweep = site.store.sweeps.start(["n0001.savio2"], ["ping"], site.now)
    response = site.client.get(f"/api/v1/sweeps/{sweep.id}/events?format=ndjson", buffered=False)
    lines = iter(response.response)
    assert json.loads(next(lines))["event"] == "progress"
    site.reading("n0001.savio2", ping=Reading(State.OK, 0.1, "ms"))
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    rest = [json.loads(line) for line in lines]
    assert rest[-1]["event"] == "end"
    assert rest[-1]["done"] == 1
    assert "n0001.savio2" in [node for event in rest for node in event["finished"]]
    response.close()


def test_the_first_event_tells_what_was_finished_before_it(site: Site) -> None:
    site.later(60)
    sweep = site.store.sweeps.start(["n0000.savio2", "n0001.savio2"], ["ping"], site.now)
    site.later(1)
    for node in ("n0001.savio2", "n0002.savio3"):  # the second one was read for another sweep
        site.reading(node, ping=Reading(State.OK, 0.1, "ms"))
    site.store.sweeps.progress(sweep.id, 1)
    response = site.client.get(f"/api/v1/sweeps/{sweep.id}/events?format=ndjson", buffered=False)
    lines = iter(response.response)
    first = json.loads(next(lines))
    assert (first["event"], first["done"], first["finished"]) == ("progress", 1, ["n0001.savio2"])
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    assert [json.loads(line)["finished"] for line in lines] == [[]]
    response.close()


def test_it_streams_server_sent_events_by_default(site: Site) -> None:
    sweep = site.store.sweeps.start(["n0001.savio2"], ["ping"], site.now)
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    response = site.client.get(f"/api/v1/sweeps/{sweep.id}/events")
    assert response.content_type.startswith("text/event-stream")
    assert re.fullmatch(r"event: end\ndata: \{.*\}\n\n", response.text)


def test_it_limits_the_streams_of_a_process(make_site) -> None:
    small = make_site({"server": {"max_streams": 1}})
    sweep = small.store.sweeps.start(["n1"], ["ping"], small.now)
    first = small.client.get(f"/api/v1/sweeps/{sweep.id}/events", buffered=False)
    second = small.client.get(f"/api/v1/sweeps/{sweep.id}/events")
    assert second.status_code == 429
    first.close()
    small.store.sweeps.end(sweep.id, SweepState.DONE, [], small.now)
    assert small.client.get(f"/api/v1/sweeps/{sweep.id}/events").status_code == 200
