"""GET /api/v1/openapi.json: every route and every parameter is described, and nothing else is understood."""

from __future__ import annotations

import re

import pytest
from openapi_spec_validator import validate

from botd.model import SweepState
from botd.resources import ROUTES
from tests.conftest import Site


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
