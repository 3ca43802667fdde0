"""What every page has, for a browser, a text browser and curl. Hostile text stays text."""

from __future__ import annotations

import re

import pytest

from botd import __version__
from botd.model import Reading, State
from tests.conftest import Site, drained
from tests.pages.elements import BROWSER, CURL, Elements, page

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe"


@pytest.mark.parametrize("path", ["/", "/nodes", "/node/n0009.savio2", "/nodes?fold=1"])
def test_hostile_text_is_shown_as_text(site: Site, path: str) -> None:
    site.nodes(drained("n0009.savio2", HOSTILE))
    site.reading("n0009.savio2", slurmd_log=Reading(State.WARN, [HOSTILE], detail=HOSTILE))
    html = site.client.get(path, headers=BROWSER).text
    assert all(element["src"] for element in Elements(html).all("script"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    for text in (html, site.client.get(path, headers=CURL).text):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_no_page_may_load_anything_from_elsewhere(site: Site) -> None:
    response = site.client.get("/nodes", headers=BROWSER)
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "http://" not in response.text.replace("http://localhost", "")
    assert "https://" not in response.text


def test_the_files_of_the_page_are_served_by_botd_itself(site: Site) -> None:
    for name in ("botd.css", "botd.svg", "cluster.js"):
        assert site.client.get(f"/static/{name}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/nodes", "/node/n0000.savio2"])
def test_a_form_that_is_asked_for_is_given(site: Site, path: str) -> None:
    response = site.client.get(path + "?format=csv", headers=BROWSER)
    assert response.content_type == "text/csv; charset=utf-8"
    assert "n0000.savio2" in response.text


@pytest.mark.parametrize(
    ("accept", "kind"), [("application/json", "json"), ("text/csv", "csv"), ("text/plain", "plain")]
)
def test_a_page_heeds_what_accept_prefers(site: Site, accept: str, kind: str) -> None:
    for path in ("/", "/nodes", "/node/n0000.savio2", "/cluster"):
        assert kind in site.client.get(path, headers={"Accept": accept}).content_type


@pytest.mark.parametrize(
    "url", ["/", "/nodes", "/nodes?fold=1", "/node/n0000.savio2", "/cluster", "/node/n0000.savio", "/nothing"]
)
def test_a_page_has_one_heading_landmarks_and_a_way_past_them(site: Site, url: str) -> None:
    found = page(site, url)
    assert len(found.all("h1")) == len(found.all("main")) == len(found.all("header")) == 1
    assert found.links[0] == "#" + (found.all("main")[0]["id"] or "")
    assert {"/", "/nodes", "/cluster"} <= set(found.links)
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(cell["scope"] in ("col", "row") for cell in found.all("th"))
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("url", ["/", "/nodes", "/node/n0000.savio2", "/cluster", "/nothing"])
def test_a_page_holds_no_script_and_no_style_of_its_own(site: Site, url: str) -> None:
    found = page(site, url)
    assert found.all("style") == []
    assert not [
        name for _, attributes in found.found for name in attributes if name == "style" or name.startswith("on")
    ]
    assert all(re.match(r"/(static|lib|api)/", link["href"] or "") for link in found.all("link"))


def test_a_text_browser_gets_nothing_that_only_a_script_can_use(site: Site) -> None:
    assert page(site, "/nodes").all("script")
    for agent in ("ELinks/0.13.2", "Lynx/2.9.0", "w3m/0.5.3", "Links (2.28)"):
        headers = {**BROWSER, "User-Agent": agent}
        response = site.client.get("/nodes", headers=headers)
        assert Elements(response.text).all("script") == []
        assert "User-Agent" in response.headers["Vary"]


def test_a_page_without_an_agent_shows_the_last_readings_and_says_since_when(site: Site) -> None:
    site.later(180)
    for url in ("/", "/nodes", "/node/n0000.savio2", "/cluster"):
        found = page(site, url)
        assert any(note.get("role") == "alert" for note in found.all("p"))
        assert "the agent is not running" in found.text
        assert "(3 min ago)" in found.text
        assert "/node/n0000.savio2" in found.links or url.startswith("/node")


def test_every_page_ends_with_the_version_and_where_else_there_is_something_to_read(site: Site) -> None:
    for url in ("/nodes", "/cluster", "/changes", "/offenders", "/node/n0000.savio2", "/api", "/nothing"):
        footer = site.client.get(url, headers=BROWSER).text.partition("<footer>")[2]
        assert f"botd {__version__}" in footer
        assert {"/api", "/healthz", "/metrics"} <= set(Elements(footer).links)
