"""GET /api/v1/openapi.json: every route and every parameter is described, and nothing else is understood."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from botd.model import Reading, State, SweepState
from botd.resources import ROUTES, Route
from botd.resources.base import BotdResource
from botd.resources.description import describe
from botd.web.params import JsonQuery
from tests.actor import action, moved, tell
from tests.conftest import Site, drained, happened
from tests.office import bearer

DESCRIPTION = describe(ROUTES)
READS = [route for route in ROUTES if hasattr(route.resource, "get") and route.name != "tail"]
"""What a web process answers by itself; a log takes an agent behind it: `tests/web/test_tails.py`."""

ENDED_OR_READ = [route for route in ROUTES if route.resource.methods != {"POST"}]


def test_the_openapi_document_is_valid(site: Site) -> None:
    validate(site.get("/api/v1/openapi.json"))


def test_the_openapi_document_names_every_route_and_no_other(site: Site) -> None:
    paths = set(site.get("/api/v1/openapi.json")["paths"])
    assert paths == {re.sub(r"<\w+:(\w+)>", r"{\1}", route.path) for route in ROUTES}


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if each.resource.methods != {"POST"}], ids=lambda each: each.name
)
def test_every_route_refuses_a_parameter_that_it_does_not_describe(site: Site, route) -> None:
    fills = {"sweep": "1", "mount": "tmp", "token": "1", "note": "1", "action": "1"}
    path = re.sub(r"<\w+:(\w+)>", lambda match: fills.get(match[1], "ping"), route.path)
    method = "GET" if hasattr(route.resource, "get") else "DELETE"
    response = site.client.open(path + "?nonsense=1", method=method)
    assert response.status_code == 400
    assert '"nonsense"' in response.get_json()["error"]["message"]


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_every_described_parameter_is_understood(site: Site, route) -> None:
    sweep = site.store.sweeps.start(["n0001.savio2"], ["ping"], site.now)
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    tell(site.store, moved(action(1, "n0001.savio2", site.now), "succeeded"))
    fills = {"sweep": str(sweep.id), "mount": "tmp", "node": "n0001.savio2", "action": "1"}
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
        "family": "ssh",
        "diagnosis": "colleague",
        "any": "fail",
        "only": "new",
        "state": "idle",
        "sort": "-since",
        "since": "7d",
        "until": "1s",
        "before": "9",
        "limit": "9",
        "action": "drain",
    } | ({"state": "succeeded"} if route.name == "actions" else {})
    for parameter in document["get"].get("parameters", []):
        name = parameter["name"]
        value = values.get(name, "n0001.savio2")
        needed = {} if name in ("h", "nodes") or route.name != "hostinfo" else {"h": "n0001.savio2"}
        response = site.client.get(path, query_string={name: value, **needed}, headers=bearer(site))
        assert response.status_code == 200, (name, response.text)


class Undescribed(BotdResource):
    QUERY = JsonQuery

    def get(self) -> None:
        """What nobody can know the shape of."""


class Shapeless(Undescribed):
    ANSWER = dict


@pytest.mark.parametrize("resource", [Undescribed, Shapeless])
def test_a_route_whose_answer_has_no_schema_cannot_be_described(resource: type[BotdResource]) -> None:
    with pytest.raises(TypeError, match=f"/api/v1/new has no schema: ANSWER of {resource.__name__}"):
        describe([*ROUTES, Route("/api/v1/new", resource, "new")])


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_every_answer_but_a_text_has_a_schema_with_a_name(route: Route) -> None:
    for media, content in contents(route).items():
        if media in ("application/json", "application/x-ndjson", "text/event-stream"):
            shape = content.get("x-itemSchema", content["schema"])
            names = {each["$ref"].removeprefix("#/components/schemas/") for each in shape.get("anyOf", [shape])}
            assert names <= DESCRIPTION["components"]["schemas"].keys()
        else:
            assert content == {"schema": {"type": "string"}}


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_every_answer_is_what_its_schema_says_and_nothing_more(site: Site, route: Route) -> None:
    site.nodes(drained("n0000.savio2", reason_at=site.now), drained("n0001.savio2", cpus=56, memory_mb=64000))
    site.reading("n0000.savio2", age_s=5, ssh=Reading(State.FAIL, "timeout", took_s=0.1))
    happened(site, "n0000.savio2")
    site.audit()
    tell(site.store, moved(action(1, "n0000.savio2", site.now), "succeeded"))
    ended, _ = (site.store.sweeps.start(["n0000.savio2", "n0001.savio2"], ["ping"], site.now) for _ in range(2))
    site.store.sweeps.end(ended.id, SweepState.DONE, ["squeue failed"], site.now)
    fills = {"sweep": str(ended.id), "mount": "tmp", "node": "n0000.savio2", "name": "n0000.savio2", "action": "1"}
    path = re.sub(r"<\w+:(\w+)>", lambda m: fills.get(m[1], "ping"), route.path)
    for asked in QUESTIONS.get(route.name, [""]):
        for media in contents(route):
            response = site.client.get(path + asked, headers={"Accept": media, **bearer(site)})
            content = contents(route)[response.mimetype]
            for document in documents(response):
                check(document, content.get("x-itemSchema", content["schema"]))


def test_an_error_is_what_its_schema_says_and_nothing_more(site: Site) -> None:
    check(site.get("/api/v1/status?groups=nosuch"), {"$ref": "#/components/schemas/Error"})


QUESTIONS = {
    "status": ["", "?fold=1&groups=all", "?max_age=0&wait=0", "?groups=all&checks=ping"],
    "hostinfo": ["?h=n0000.savio2"],
    "sweep-events": ["", "?format=ndjson"],
    "action-events": ["", "?format=ndjson"],
}
"""What is asked of routes that have more than one answer, or none to no question."""


def contents(route: Route) -> dict[str, Any]:
    """What the description says of the answer of a route, by media type."""
    path = re.sub(r"<\w+:(\w+)>", r"{\1}", route.path)
    return DESCRIPTION["paths"][path]["get"]["responses"]["200"]["content"]


def documents(response: TestResponse) -> Iterator[Any]:
    """The documents in an answer; none in one that is no JSON."""
    assert response.status_code == 200, response.text
    if response.mimetype == "application/json":
        yield response.get_json()
    elif response.mimetype == "application/x-ndjson":
        yield from map(json.loads, response.text.splitlines())
    elif response.mimetype == "text/event-stream":
        yield from map(json.loads, re.findall(r"^data: (.*)$", response.text, re.MULTILINE))


def check(document: Any, schema: dict[str, Any]) -> None:
    """Fails where a document is not what its schema says, or has a member that is not described."""
    OAS30Validator({**closed(DESCRIPTION), **closed(schema)}).validate(document)


def closed(schema: Any) -> Any:
    """Schemas in which a member that is not described is an error."""
    if isinstance(schema, list):
        return list(map(closed, schema))
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **found} if "properties" in found else found
