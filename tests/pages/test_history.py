"""GET /changes, /offenders and the history of a node: what happened, in words and as a picture."""

from __future__ import annotations

import re
import sqlite3
from html import unescape
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
    record_begins(site, 9 * 86400)
    for ago_s in (90000, 60):
        happened(site, ago_s=ago_s, why="no answer")
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


def record_begins(site: Site, ago_s: float) -> None:
    """The record of changes began so long ago."""
    with sqlite3.connect(site.folder / "botd.db") as database:
        database.execute("UPDATE pulse SET history_since = ?", (site.now.timestamp() - ago_s,))
    site.app.extensions["botd"].board.look_again()


def entries(site: Site, url: str = "/changes") -> list[str]:
    """The entries of the page, each as text on one line."""
    html = site.client.get(url, headers={"Accept": "text/html"}).text
    return [" ".join(re.sub("<[^>]*>", " ", part).split()) for part in html.split('<section class="entry">')[1:]]


def test_one_dead_node_is_one_entry_with_its_changes_inside(site: Site) -> None:
    record_begins(site, 86400)
    for number in range(9):
        happened(site, subject=f"check{number}")
    happened(site, subject="slurm", old="in service", new="down*")
    happened(site, "n0001.savio2", new="fail: refused")
    newest, first = entries(site)
    assert newest.startswith("n0001.savio2 SSH: fail: refused , 60 s ago 1 change of n0001.savio2")
    assert first.startswith(f"{NODE} Slurm: down* , 60 s ago 10 changes of {NODE}")
    assert all(f"check{number}" in first for number in range(9))


def test_what_was_so_when_the_record_began_is_one_line_and_can_be_looked_at(site: Site) -> None:
    record_begins(site, 3600)
    for number in range(50):
        happened(site, f"n{number:04d}.savio9", ago_s=3590, old="", new="fail: timeout")
    happened(site)
    assert [entry.split()[0] for entry in entries(site)] == [NODE]
    text = site.client.get("/changes", headers={"Accept": "text/html"}).text
    at_first = re.search(r'<a href="([^"]*)">what was so already</a>', text)
    assert at_first
    assert len(entries(site, unescape(at_first[1]))) == 50
    assert "what was so already" not in site.client.get("/changes?since=10m", headers={"Accept": "text/html"}).text
    assert site.client.get("/changes?format=json").get_json()["count"] == 51


def test_offenders_have_two_incidents_and_the_page_says_how_long_the_record_is(site: Site) -> None:
    record_begins(site, 3 * 86400)
    happened(site, "n0001.savio2", ago_s=60)
    for ago_s in (7200, 86400):
        happened(site, ago_s=ago_s)
    text = site.client.get("/offenders", headers={"Accept": "text/html"}).text
    assert f'href="/node/{NODE}"' in text
    assert "n0001.savio2" not in text
    assert "3 d ago." in text
    assert site.client.get("/api/v1/offenders").get_json()["count"] == 2
