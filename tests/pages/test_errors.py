"""Errors that help: a page for people, text for people with curl, JSON for programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Site, idle
from tests.pages.elements import BROWSER, CURL, Elements, page


@pytest.mark.parametrize("url", ["/nothing", "/?grops=x", "/node/-x"])
def test_an_error_is_a_page_for_a_browser_text_for_curl_and_json_for_a_program(site: Site, url: str) -> None:
    headers = BROWSER, CURL, {"Accept": "application/json"}
    html, text, answer = (site.client.get(url, headers=each) for each in headers)
    assert html.status_code == text.status_code == answer.status_code >= 400
    assert (html.mimetype, text.mimetype, answer.mimetype) == ("text/html", "text/plain", "application/json")
    assert text.text.splitlines()[0] == answer.get_json()["error"]["message"]


def test_an_unknown_node_is_a_page_with_the_nearest_names_as_links(site: Site) -> None:
    response = site.client.get("/node/n0003.savio2", headers=BROWSER)
    found = Elements(response.text)
    assert response.status_code == 404
    assert {"/node/n0000.savio2", "/node/n0001.savio2"} <= set(found.links)
    assert any(field.get("name") == "groups" for field in found.all("input"))


def near(site: Site, url: str) -> list[str]:
    """Where the list of nearest names leads to."""
    text = site.client.get(url, headers=BROWSER).text
    return Elements(text.partition('<ul id="near">')[2].partition("</ul>")[0]).links


def test_an_unknown_group_is_a_page_with_the_nearest_names_as_links(site: Site) -> None:
    site.nodes(*(idle(f"n{i}") for i in range(2)), groups={"cheese": ("n1",), "cheeses": ("n0",)})
    found = page(site, "/?groups=chees")
    assert near(site, "/?groups=chees") == ["/?groups=cheese", "/?groups=cheeses"]
    assert "there is no group" in found.text


def test_a_page_before_the_first_look_at_slurm_says_what_to_do(make_site: Callable[..., Site]) -> None:
    fresh = make_site()
    for url in ("/", "/cluster", "/node/n1"):
        response = fresh.client.get(url, headers=BROWSER)
        assert response.status_code == 503
        assert "Start the agent" in Elements(response.text).text
    said = fresh.client.get("/", headers=CURL).text.splitlines()
    assert (len(said), said[1].split(":")[0]) == (2, "Start the agent, with `botd serve` or `botd agent`")


def test_a_page_over_a_damaged_database_says_what_mends_it(site: Site) -> None:
    site.store.close()
    (site.folder / "botd.db").write_bytes(b"this is no database" * 100)
    for leftover in site.folder.glob("botd.db-*"):
        leftover.unlink()
    site.app.extensions["botd"].store.close()
    site.later(60)
    response = site.client.get("/?groups=all", headers=BROWSER)
    assert response.status_code == 503
    assert "an agent that starts keeps it aside" in Elements(response.text).text
