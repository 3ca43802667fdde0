"""GET /: the morning round, and the matrix for who asks in its words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from botd.model import SLURM, Reading, State
from tests.conftest import Site, drained, happened, idle
from tests.pages.elements import BROWSER, CURL, ELINKS, page


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


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe"


def test_each_node_stands_once_in_a_row_that_opens_under_the_heading_of_its_family(site: Site) -> None:
    site.nodes(drained("n0000.savio2", "Kill task failed"), drained("n0002.savio3", "no IB"), idle("n0001.savio2"))
    found = page(site, "/")
    rows = [each["id"] for each in found.all("details") if (each.get("class") or "").startswith("row")]
    assert rows == ["n-n0000.savio2", "n-n0002.savio3"]
    text = " ".join(found.text.split())
    assert "2 out of service of 3 nodes" in text
    assert re.search(r"Ready to go back 1 .*n0000.savio2 drained root Kill task failed .*-> resume", text)
    assert re.search(r"A colleague's 1 A person took them out: leave them, or ask\. n0002.savio3 drained .*no IB", text)


def test_what_is_somebodys_is_folded_at_the_end(site: Site) -> None:
    site.nodes(drained("n0000.savio2", "Kill task failed"), drained("n0002.savio3", "no IB"))
    (aside,) = [each for each in page(site, "/").all("details") if "aside" in (each.get("class") or "")]
    assert "open" not in aside
    (aside,) = [each for each in page(site, "/?family=colleague").all("details") if "aside" in (each["class"] or "")]
    assert "open" in aside


def test_a_text_browser_gets_a_paragraph_a_node_with_a_link(site: Site) -> None:
    found = page(site, "/", ELINKS)
    assert found.all("button") == [{"id": "check-now"}]
    assert [link for link in found.links if link.startswith("/node/")] == [
        "/node/n0000.savio2",
        "/node/n0002.savio3",
    ]
    assert not [each for each in found.all("details") if "row" in (each.get("class") or "")]


@pytest.mark.parametrize("headers", [BROWSER, ELINKS, CURL])
def test_what_anybody_writes_stays_text_in_the_round(site: Site, headers: dict[str, str]) -> None:
    site.nodes(drained("n0000.savio2", HOSTILE), drained("n0002.savio3", "Prolog error"))
    site.reading("n0002.savio3", slurmd_log=Reading(State.WARN, [HOSTILE], detail=HOSTILE), ssh=Reading(State.OK, "up"))
    happened(site, "n0002.savio3", new=HOSTILE, old=HOSTILE, why=HOSTILE)
    text = site.client.get("/", headers=headers).text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert ("<script>alert" in text) == (headers is CURL)


def test_the_head_says_what_is_new_and_leads_there(site: Site) -> None:
    site.later(72 * 3600)
    happened(site, "n0000.savio2", ago_s=3600, subject=SLURM, old="in service", new="drained")
    happened(site, "n0001.savio2", ago_s=3600, subject=SLURM, old="drained", new="in service")
    found = page(site, "/")
    assert re.search(r"Since yesterday \d\d:\d\d UTC: 1 new, 1 back", " ".join(found.text.split()))
    assert "/?only=new" in found.links
    assert "Back in service since" in found.text
    assert "/node/n0001.savio2" in found.links
    assert [each["class"] for each in found.all("span") if (each.get("class") or "").startswith("mark")] == ["mark new"]


def test_filters_and_groups_stay_in_its_links_and_its_form(site: Site) -> None:
    found = page(site, "/?groups=all&since=2d&max_age=0&wait=0")
    hidden = {each["name"]: each["value"] for each in found.all("input") if each.get("type") == "hidden"}
    assert hidden == {"groups": "all", "since": "2d", "max_age": "0", "wait": "30"}
    (root,) = [each for each in found.all("div") if each.get("id") == "round"]
    assert root["data-round"] == "/api/v1/round?groups=all&since=2d"
    text = " ".join(page(site, "/?family=ssh&groups=all").text.split())
    assert "0 nodes shown: family=ssh. Show all No node is chosen by this." in text


def test_a_morning_on_which_nobody_is_needed_is_calm(site: Site) -> None:
    site.nodes(idle("n0000.savio2"))
    assert "Nobody is needed" in page(site, "/").text


def test_a_round_of_very_many_nodes_opens_the_first_of_them_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.pages.round.OPENED", 1)
    site.nodes(drained("n0000.savio2", "no IB"), drained("n0002.savio3", "no IB"))
    text = page(site, "/").text
    assert text.count("All of n") == 2
    assert text.count("checks ok") == 1
