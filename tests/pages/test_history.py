"""GET /changes, /offenders and the history of a node: what happened, in words and as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from botd.model import Reading, State
from tests.conftest import Site, happened

NODE = "n0000.savio2"


def test_the_page_of_a_node_has_its_history_in_words_and_as_a_picture(site: Site) -> None:
    site.reading(NODE, ssh=Reading(State.FAIL, "timeout"))
    happened(site, why="no answer <b>within</b> 5 s")
    page = site.client.get(f"/node/{NODE}", headers={"Accept": "text/html"}).text
    assert "no answer &lt;b&gt;within&lt;/b&gt; 5 s" in page
    assert f'src="/node/{NODE}/history.svg" alt="Since ' in page
    assert "UTC. Slurm: drained for" in page
    picture = site.client.get(f"/node/{NODE}/history.svg")
    assert picture.content_type == "image/svg+xml"
    root = ElementTree.fromstring(picture.data)
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("SSH: fail: timeout, ") for title in titles)
    assert site.client.get("/node/n9.savio9/history.svg").status_code == 404


def test_the_pages_of_changes_and_offenders_have_what_the_routes_have(site: Site) -> None:
    happened(site, why="no answer")
    for path in ("/changes", "/offenders"):
        page = site.client.get(path, headers={"Accept": "text/html"}).text
        assert f'href="/node/{NODE}"' in page
        assert "no answer" in page
        assert NODE in site.client.get(path).text
        assert site.client.get(f"{path}?format=json").get_json()["count"] == 1
    assert "Nothing changed." in site.client.get("/changes?since=1s", headers={"Accept": "text/html"}).text


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59Z", "2100-01-01", "0d", "0001-01-01"])
def test_a_picture_begins_neither_in_a_time_to_come_nor_before_the_history(site: Site, since: str) -> None:
    response = site.client.get(f"/node/n0000.savio2/history.svg?since={since}")
    assert (response.status_code, response.content_type) == (200, "image/svg+xml")
