"""GET /: the morning round, and the matrix for who asks in its words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Site, drained
from tests.pages.elements import BROWSER, CURL, ELINKS


@pytest.mark.parametrize("form", ["", "table", "json", "csv", "ndjson"])
@pytest.mark.parametrize("query", ["checks=ping,ssh", "groups=all&fold=1", "page=1", "checks="])
def test_who_asks_in_the_words_of_the_matrix_gets_the_same_bytes_from_both_pages(
    site: Site, query: str, form: str
) -> None:
    url = f"?{query}&format={form}" if form else f"?{query}"
    for headers in (BROWSER, CURL, ELINKS):
        here, there = (site.client.get(path + url, headers=headers) for path in ("/", "/nodes"))
        assert (here.status_code, here.headers["Content-Type"]) == (200, there.headers["Content-Type"])
        assert here.data == there.data


def test_curl_gets_the_round_in_80_columns_or_as_many_as_it_asks_for(site: Site) -> None:
    response = site.client.get("/", headers=CURL)
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.text.startswith("2 out of service of 4 nodes, ")
    assert "A COLLEAGUE'S (2): " in response.text
    assert max(map(len, response.text.splitlines())) <= 80
    assert max(map(len, site.client.get("/?width=30", headers=CURL).text.splitlines())) <= 30
    assert "\x1b[1m" in site.client.get("/?color=1", headers=CURL).text


@pytest.mark.parametrize("form", ["json", "csv", "ndjson"])
def test_for_programs_it_is_the_status(site: Site, form: str) -> None:
    assert site.client.get(f"/?format={form}").data == site.client.get(f"/nodes?format={form}").data


@pytest.mark.parametrize("path", ["/", "/nodes", "/cluster", "/api/v1/round"])
def test_who_comes_before_the_first_list_waits_for_it(
    make_site: Callable[[], Site], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """An agent that starts reads its first list within seconds."""
    site, waited = make_site(), list[float]()

    def the_list_comes(done: Callable[[], bool], wait_s: float) -> None:
        waited.append(wait_s)
        assert not done()
        site.beat()
        assert not done()
        site.nodes(drained("n0000.savio2"))
        assert done()

    monkeypatch.setattr("botd.board.board.wait_until", the_list_comes)
    assert site.client.get(f"{path}?wait=0", headers=CURL).status_code == 503
    response = site.client.get(path, headers=CURL)
    assert (response.status_code, waited) == (200, [5.0])


def test_who_waits_in_vain_for_the_first_list_is_told(make_site: Callable[[], Site]) -> None:
    response = make_site().client.get("/?wait=0.1", headers=CURL)
    assert response.status_code == 503
    assert "no node list has been read yet, after 0.1 s; see that `botd agent` runs" in response.text


def test_nobody_waits_for_the_list_of_an_agent_that_is_gone(make_site: Callable[[], Site]) -> None:
    site = make_site()
    site.beat()
    site.later(60)
    assert "start `botd agent`" in site.client.get("/?wait=60", headers=CURL).text
