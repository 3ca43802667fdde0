"""The pages, for a browser, a text browser and curl. Hostile text stays text."""

from __future__ import annotations

import pytest

from botd.model import Reading, State
from tests.conftest import Site, drained

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LYNX = {"Accept": "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"}
ELINKS = {"Accept": "*/*", "User-Agent": "ELinks/0.13.2 (textmode; Linux)"}
CURL = {"Accept": "*/*", "User-Agent": "curl/7.88.1"}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe"


@pytest.mark.parametrize("headers", [BROWSER, LYNX, ELINKS])
def test_a_browser_gets_a_page_with_every_node_and_reading(site: Site, headers: dict[str, str]) -> None:
    response = site.client.get("/", headers=headers)
    assert response.content_type == "text/html; charset=utf-8"
    assert "n0000.savio2" in response.text
    assert "bad GPU 3, RMA open" in response.text
    assert all(check.title in response.text for check in site.checks.values())


@pytest.mark.parametrize("headers", [CURL, {"Accept": "text/plain"}, {}])
def test_curl_gets_the_same_table_as_text(site: Site, headers: dict[str, str]) -> None:
    response = site.client.get("/", headers=headers)
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.text.splitlines()[1].startswith("n0000.savio2  drained")


def test_it_shows_the_groups_that_are_asked_for(site: Site) -> None:
    text = site.client.get("/?groups=rack1&checks=ping", headers=CURL).text
    assert [line.split()[0] for line in text.splitlines()] == ["NODE", "n0001.savio2", "n0002.savio3", "#"]


def test_it_shows_what_is_known_and_makes_nobody_wait(site: Site) -> None:
    site.later(86400)
    site.beat()
    assert "n0000.savio2" in site.client.get("/", headers=CURL).text
    assert site.store.sweep_figures().by_state == {}


def test_it_says_that_the_agent_is_not_running(site: Site) -> None:
    site.later(60)
    assert "the agent is not running" in site.client.get("/", headers=BROWSER).text
    assert "# the agent is not running" in site.client.get("/", headers=CURL).text


@pytest.mark.parametrize("path", ["/", "/node/n0009.savio2"])
def test_hostile_text_is_shown_as_text(site: Site, path: str) -> None:
    site.nodes(drained("n0009.savio2", HOSTILE))
    site.reading("n0009.savio2", slurmd_log=Reading(State.WARN, [HOSTILE], detail=HOSTILE))
    page = site.client.get(path, headers=BROWSER).text
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for text in (page, site.client.get(path, headers=CURL).text):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_no_page_may_load_anything_from_elsewhere(site: Site) -> None:
    response = site.client.get("/", headers=BROWSER)
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "http://" not in response.text.replace("http://localhost", "")
    assert "https://" not in response.text


def test_a_node_page_tells_every_reading_in_words(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms", detail="no answer to 3 packets"))
    for headers in (BROWSER, CURL):
        text = site.client.get("/node/n0000.savio2", headers=headers).text
        assert "no answer to 3 packets" in text
        assert "bad GPU 3, RMA open" in text


def test_an_unknown_node_is_a_page_with_the_nearest_name(site: Site) -> None:
    response = site.client.get("/node/n0000.savio", headers=BROWSER)
    assert response.status_code == 404
    assert response.content_type == "text/html; charset=utf-8"
    assert "n0000.savio2" in response.text


@pytest.mark.parametrize("url", ["/nothing", "/?grops=x", "/node/-x"])
def test_an_error_is_a_page_for_a_browser_and_json_for_curl(site: Site, url: str) -> None:
    page, answer = site.client.get(url, headers=BROWSER), site.client.get(url, headers=CURL)
    assert page.status_code == answer.status_code >= 400
    assert page.content_type == "text/html; charset=utf-8"
    assert set(answer.get_json()) == {"error"}


def test_the_page_is_the_same_until_something_changes(site: Site) -> None:
    first = site.client.get("/", headers=CURL).text
    site.later(5)
    assert site.client.get("/", headers=CURL).text == first


def test_the_files_of_the_page_are_served_by_botd_itself(site: Site) -> None:
    for name in ("botd.css", "botd.svg"):
        assert site.client.get(f"/static/{name}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/node/n0000.savio2"])
def test_a_form_that_is_asked_for_is_given(site: Site, path: str) -> None:
    response = site.client.get(path + "?format=csv", headers=BROWSER)
    assert response.content_type == "text/csv; charset=utf-8"
    assert "n0000.savio2" in response.text
