"""The checks, sweeps and their events, health, metrics, the OpenAPI document, and what is not there."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest
from openapi_spec_validator import validate

from botd.model import Reading, State, SweepState
from botd.resources import ROUTES
from tests.conftest import Site


def test_it_lists_the_checks_in_the_order_of_the_columns(site: Site) -> None:
    checks = site.get("/api/v1/checks")["checks"]
    assert [check["name"] for check in checks] == list(site.checks)
    assert checks[0]["kind"] == "batch"
    assert set(checks[0]) == {"name", "title", "unit", "kind", "needs", "parent", "help"}


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


def test_it_is_well_when_agent_and_node_list_are(site: Site) -> None:
    response = site.client.get("/healthz")
    assert response.status_code == 200
    body = response.get_json()
    assert body["status"] == "ok"
    assert body["agent"]["alive"] is True
    assert body["node_list"]["age_s"] is not None


def test_it_is_not_well_without_an_agent(site: Site) -> None:
    site.later(60)
    response = site.client.get("/healthz")
    assert response.status_code == 503
    assert response.get_json()["problems"] == ["the agent is not running"]


def test_it_is_not_well_before_the_first_node_list(make_site) -> None:
    empty = make_site()
    empty.beat()
    response = empty.client.get("/healthz")
    assert response.status_code == 503
    assert response.get_json()["problems"] == ["no node list has been read yet"]


def test_it_tells_what_became_of_a_damaged_database_and_is_well(site: Site) -> None:
    with sqlite3.connect(site.folder / "botd.db") as database:
        database.execute("UPDATE pulse SET note = 'kept as x'")
    response = site.client.get("/healthz")
    assert (response.status_code, response.get_json()["notes"]) == (200, ["kept as x"])


def test_it_is_not_well_while_slurm_fails(site: Site) -> None:
    site.slurm_fails(504, "sinfo hangs")
    response = site.client.get("/healthz")
    assert response.status_code == 503
    assert response.get_json()["node_list"]["error"] == "sinfo hangs"


def test_it_counts_nodes_by_check_and_state_for_prometheus(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"))
    text = site.client.get("/metrics").text
    assert 'botd_nodes{check="ping",state="fail"} 1.0' in text
    assert 'botd_nodes{check="ping",state="ok"} 3.0' in text
    assert 'botd_slurm_nodes{state="drained"} 2.0' in text
    assert "botd_agent_alive 1.0" in text
    assert "botd_sweep_duration_seconds" in text


def test_the_openapi_document_is_valid(site: Site) -> None:
    validate(site.get("/api/v1/openapi.json"))


def test_the_openapi_document_names_every_route_and_no_other(site: Site) -> None:
    paths = set(site.get("/api/v1/openapi.json")["paths"])
    assert paths == {re.sub(r"<\w+:(\w+)>", r"{\1}", route.path) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_refuses_a_parameter_that_it_does_not_describe(site: Site, route) -> None:
    path = re.sub(r"<\w+:(\w+)>", lambda match: {"sweep": "1", "mount": "tmp"}.get(match[1], "ping"), route.path)
    response = site.client.get(path + "?nonsense=1")
    assert response.status_code == 400
    assert '"nonsense"' in response.get_json()["error"]["message"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_described_parameter_is_understood(site: Site, route) -> None:
    sweep = site.store.sweeps.start(["n0001.savio2"], ["ping"], site.now)
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    fills = {"sweep": str(sweep.id), "mount": "tmp", "node": "n0001.savio2"}
    path = re.sub(r"<\w+:(\w+)>", lambda m: fills.get(m[1], "ping"), route.path)
    document = site.get("/api/v1/openapi.json")["paths"][re.sub(r"<\w+:(\w+)>", r"{\1}", route.path)]
    values = {
        "max_age": "60",
        "wait": "0",
        "checks": "ping",
        "format": "ndjson",
        "width": "80",
        "color": "1",
        "fold": "true",
        "since": "7d",
        "until": "1s",
        "before": "9",
        "limit": "9",
    }
    for parameter in document["get"].get("parameters", []):
        name = parameter["name"]
        value = values.get(name, "n0001.savio2")
        needed = {} if name in ("h", "nodes") or route.name != "hostinfo" else {"h": "n0001.savio2"}
        response = site.client.get(path, query_string={name: value, **needed})
        assert response.status_code == 200, (name, response.text)


@pytest.mark.parametrize("url", ["/api/v1/nothing", "/api/v2/x", "/api/"])
def test_an_unknown_path_of_the_interface_is_a_json_404_even_for_a_browser(site: Site, url: str) -> None:
    response = site.client.get(url, headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "not-found"


def test_errors_have_their_shape_with_testing_off_and_on(site: Site) -> None:
    for testing in (False, True):
        site.app.testing = testing
        response = site.client.get("/api/v1/status?groups=nosuch")
        assert (response.status_code, set(response.get_json())) == (404, {"error"})


def test_a_fault_of_ours_says_nothing_to_the_client(site: Site, monkeypatch, caplog) -> None:
    board = site.app.extensions["botd"].board
    monkeypatch.setattr(board, "known", lambda: 1 / 0)
    response = site.client.get("/api/v1/group-list")
    assert response.status_code == 500
    assert response.get_json()["error"]["code"] == "internal"
    assert "division" not in response.text
    assert "ZeroDivisionError" in caplog.text
