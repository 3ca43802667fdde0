"""What a request may say: the form of its answer, the width and the colours of a table."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest

from botd.model import Reading, State
from botd.resources import ROUTES
from botd.text import width
from tests.conftest import Site, drained, idle
from tests.office import bearer
from tests.pages.elements import CURL


@pytest.mark.parametrize("columns", [20, 40, 80, 100, 160])
@pytest.mark.parametrize(
    "url", ["/nodes?groups=all", "/node/n0000.savio2?", "/cluster?", "/api/v1/sinfo?", "/api/v1/checks?"]
)
def test_no_line_is_wider_than_asked_for(site: Site, url: str, columns: int) -> None:
    site.nodes(drained("n0000.savio2", "節点が壊れた " * 20), idle("n0001.savio2"))
    text = site.client.get(f"{url}&format=table&width={columns}").text
    assert max(map(width, text.splitlines())) <= columns


@pytest.mark.parametrize("columns", ["0", "19", "x", "1e9", "-5"])
def test_a_width_that_is_none_is_refused(site: Site, columns: str) -> None:
    assert site.client.get(f"/?width={columns}", headers=CURL).status_code == 400


def test_there_are_no_colours_unless_they_are_asked_for(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"))
    for url in ("/nodes?", "/node/n0000.savio2?"):
        assert "\x1b" not in site.client.get(url, headers=CURL).text
        assert "\x1b[1;31m!! no answer\x1b[0m" in site.client.get(url + "color=1", headers=CURL).text


NO_FORMS = {
    "/api/v1/openapi.json": "a description of the interface is JSON",
    "/metrics": "Prometheus reads its own form",
    "/healthz": "read by programs, by its status",
    "/api/v1/sweeps/<int:sweep>/events": "a stream has forms of its own",
    "/api/v1/tail": "a stream has forms of its own",
    "/api/v2/login": "somebody's alone, and JSON",
    "/api/v2/me": "somebody's alone, and JSON",
    "/api/v2/tokens": "somebody's alone, and JSON",
    "/api/v2/tokens/<int:token>": "somebody's alone, and JSON",
    "/api/v2/policy": "somebody's alone, and JSON",
    "/api/v2/audit/head": "signed, and JSON as it was signed",
    "/api/v2/actions/<int:action>": "one, with all its moves, and JSON",
    "/api/v2/actions/<int:action>/events": "a stream has forms of its own",
    "/api/v2/actions/<int:action>/approve": "said and not read",
    "/api/v2/actions/<int:action>/veto": "said and not read",
    "/api/v2/actions/<int:action>/stop": "said and not read",
    "/api/v2/actions/<int:action>/seen": "said and not read",
    "/api/v2/actions/<int:action>/harm": "said and not read",
    "/api/v2/reboot": "asked for and not read",
    "/api/v2/stop": "said and not read",
    "/api/v2/breaker": "said and not read",
    "/api/v2/notes": "written and not read",
    "/api/v2/notes/<int:note>": "ended and not read",
    "/api/v1/table": "what the page draws, for its script alone",
}
"""The routes that answer in one form only, each with its reason."""
PAGES = ("/", "/nodes", "/node/<string:name>", "/cluster")
FILLS = {"name": "n0000.savio2", "node": "n0000.savio2", "check": "ping", "mount": "tmp", "sweep": "1"}
READS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "ndjson": lambda text: [text, *(json.loads(line) for line in text.splitlines())],
    "csv": lambda text: csv.DictReader(io.StringIO(text), strict=True).fieldnames,
    "table": lambda text: text.splitlines()[0].split(),
}


@pytest.mark.parametrize("form", READS)
@pytest.mark.parametrize("path", [*PAGES, *(route.path for route in ROUTES if route.path not in NO_FORMS)])
def test_every_route_that_answers_data_takes_every_form(site: Site, path: str, form: str) -> None:
    site.store.sweeps.start(["n0000.savio2"], ["ping"], site.now)
    url = re.sub(r"<\w+:(\w+)>", lambda match: FILLS[match[1]], path)
    asked = {"format": form, **({"h": "n0000"} if "hostinfo" in url else {})}
    response = site.client.get(url, query_string=asked, headers=bearer(site))
    assert response.status_code == 200, response.text
    kind = {"ndjson": "application/x-ndjson", "json": "application/json", "csv": "text/csv", "table": "text/plain"}[
        form
    ]
    assert response.content_type.partition(";")[0] == kind
    assert READS[form](response.text)


def test_the_routes_without_forms_are_still_there() -> None:
    assert set(NO_FORMS) <= {route.path for route in ROUTES}
