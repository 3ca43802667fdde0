"""GET /api/v1 and /api: what there is to ask, in a line each, and as a page with all of it."""

from __future__ import annotations

import pytest

from botd.pages.api import kind
from botd.resources import ROUTES
from tests.conftest import Site
from tests.pages.elements import BROWSER, CURL, ELINKS, page

METHODS = ("get", "post", "delete")


def test_the_index_has_a_line_for_each_route_and_method(site: Site) -> None:
    body = site.get("/api/v1")
    asked = {(route["method"], route["path"]) for route in body["routes"]}
    assert body["count"] == len(body["routes"]) == len(asked)
    assert {"/api/v1", "/api/v1/sinfo", "/healthz"} <= {path for _, path in asked}
    assert all(route["summary"].endswith(".") for route in body["routes"])
    assert len(body["routes"]) == sum(hasattr(route.resource, name) for route in ROUTES for name in METHODS)


def test_the_short_forms_say_which_check_they_are(site: Site) -> None:
    told = {route["path"]: route["summary"] for route in site.get("/api/v1")["routes"]}
    assert told["/api/v1/status-ping"] == "Readings of one check: ping."


def test_the_index_is_json_for_curl_text_for_who_asks_for_it_and_the_page_for_a_browser(site: Site) -> None:
    assert site.client.get("/api/v1", headers=CURL).mimetype == "application/json"
    text = site.client.get("/api/v1", headers={"Accept": "text/plain"}).text
    assert text.splitlines()[0].split() == ["METHOD", "PATH", "SUMMARY"]
    assert site.client.get("/api", headers=CURL).text == text
    for browser in (BROWSER, ELINKS):
        sent = site.client.get("/api/v1", headers=browser)
        assert (sent.status_code, sent.location) == (303, "/api")
        assert {"Accept", "User-Agent"} <= set(sent.vary)


def test_every_link_of_the_page_leads_to_a_place_on_it_or_on_this_server(site: Site) -> None:
    found = page(site, "/api")
    places = {attributes["id"] for _, attributes in found.found if "id" in attributes}
    inside = {link.removeprefix("#") for link in found.links if link.startswith("#")}
    assert {"get-status", "Node", "Error"} <= inside <= places
    assert all(link.startswith(("#", "/")) for link in found.links)
    assert not found.all("script")


def test_the_page_names_every_parameter_of_a_route(site: Site) -> None:
    text = page(site, "/api").text
    for parameter in site.get("/api/v1/openapi.json")["paths"]["/api/v1/status"]["get"]["parameters"]:
        assert parameter["name"] in text
        assert parameter["description"] in text


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "nullable": True}, "text or null"),
        ({"type": "string", "format": "date-time"}, "time"),
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "whole number, 1 to 1,000"),
        ({"nullable": True}, "anything"),
        ({"type": "string", "enum": ["a<b", "c"]}, "a&lt;b, c"),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, "a or null"),
        ({"$ref": "#/components/schemas/Node"}, '<a href="#Node">Node</a>'),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Node"}}, 'list of <a href="#Node">Node</a>'),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object by name, each number"),
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, "text or true or false"),
    ],
)
def test_a_type_stands_in_words(shape: dict, words: str) -> None:
    assert kind(shape) == words
