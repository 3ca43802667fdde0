"""GET /nodes: every node and reading, for a browser, a text browser and curl."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from botd.model import Reading, State
from tests.conftest import Site, drained
from tests.pages.elements import BROWSER, CURL, ELINKS, LYNX, page


@pytest.mark.parametrize("headers", [BROWSER, LYNX, ELINKS])
def test_a_browser_gets_a_page_with_every_node_and_reading(site: Site, headers: dict[str, str]) -> None:
    response = site.client.get("/nodes", headers=headers)
    assert response.content_type == "text/html; charset=utf-8"
    assert "n0000.savio2" in response.text
    assert "bad GPU 3, RMA open" in response.text
    assert all(check.title in response.text for check in site.checks.values())


@pytest.mark.parametrize("headers", [CURL, {"Accept": "text/plain"}, {}])
def test_curl_gets_the_same_table_as_text(site: Site, headers: dict[str, str]) -> None:
    response = site.client.get("/nodes", headers=headers)
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.text.splitlines()[1].startswith("n0000.savio2  drained")


def test_it_shows_the_groups_that_are_asked_for(site: Site) -> None:
    text = site.client.get("/nodes?groups=rack1&checks=ping", headers=CURL).text
    assert [line.split()[0] for line in text.splitlines()] == ["NODE", "n0001.savio2", "n0002.savio3", "#", "#"]


def test_it_shows_what_is_known_and_makes_nobody_wait(site: Site) -> None:
    site.later(86400)
    site.beat()
    assert "n0000.savio2" in site.client.get("/nodes", headers=CURL).text
    assert site.store.sweeps.figures().by_state == {}


def test_it_says_that_the_agent_is_not_running(site: Site) -> None:
    site.later(60)
    assert "the agent is not running" in site.client.get("/nodes", headers=BROWSER).text
    assert "# the agent is not running" in site.client.get("/nodes", headers=CURL).text


def test_the_text_is_the_same_but_for_its_age_until_something_changes(site: Site) -> None:
    first = site.client.get("/nodes", headers=CURL).text.splitlines()
    site.later(5)
    later = site.client.get("/nodes", headers=CURL).text.splitlines()
    assert later[:-1] == first[:-1]
    assert (first[-1], later[-1]) == ("# readings are 0 s old", "# readings are 5 s old")


def test_it_says_what_could_not_be_reached_and_how_old_it_is(site: Site) -> None:
    site.reading("n0000.savio2", age_s=240, ping=Reading(State.FAIL, None, "ms"), ssh=Reading(State.FAIL, "timeout"))
    text = page(site, "/nodes").text
    assert "1 node does not answer ping, 1 node takes no ssh login." in text
    assert "Readings are 0 s to 4 min old" in text


def test_it_tells_in_words_what_is_wrong_with_a_node(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"), load=Reading(State.WARN, 1.6, "per core"))
    text = page(site, "/nodes").text
    assert "Ping: no answer; Load: 1.60 (warn)" in text
    assert f"{len(site.checks)} checks ok" in text


def test_its_groups_are_links_and_its_form_asks_the_same_page(site: Site) -> None:
    found = page(site, "/nodes")
    assert {f"/nodes?groups={name}" for name in ("sinfo", "all", "rack1", "savio2", "savio3")} <= set(found.links)
    form = next(form for form in found.all("form") if form.get("id") == "ask")
    assert (form["method"], form["action"]) == ("get", "/nodes")
    assert {field.get("name") for field in found.all("input")} >= {"groups", "checks", "max_age"}


def test_it_shows_200_nodes_at_a_time_and_leads_to_the_others(site: Site) -> None:
    site.nodes(*(drained(f"n{number:04d}.savio2") for number in range(500)))
    for number, first, count in ((1, 0, 200), (3, 400, 100), (9, 400, 100)):
        found = page(site, f"/nodes?page={number}")
        nodes = [link for link in found.links if link.startswith("/node/")]
        assert nodes[0] == f"/node/n{first:04d}.savio2"
        assert len(nodes) == 2 * count
    assert "/nodes?page=2" in found.links
    assert "500 nodes" in found.text


def test_following_a_link_to_another_part_asks_no_node_again(site: Site) -> None:
    site.nodes(*(drained(f"n{number:04d}.savio2") for number in range(201)))
    found = page(site, "/nodes?groups=sinfo&groups=savio2&max_age=100000&wait=0")
    assert "/nodes?groups=sinfo,savio2&page=2" in found.links
    assert "/nodes?groups=sinfo,savio2&fold=1" in found.links


def test_a_fold_that_is_too_long_for_a_link_is_none(site: Site) -> None:
    site.nodes(*(drained(f"n{number * 2:05d}") for number in range(400)))
    found = page(site, "/nodes?fold=1")
    assert "(400)" in found.text
    assert not [link for link in found.links if "nodes=" in link]


def test_a_long_value_is_cut_in_the_table_and_whole_on_the_page_of_its_node(site: Site) -> None:
    site.reading("n0000.savio2", ssh=Reading(State.FAIL, "x" * 60))
    found = page(site, "/nodes").text
    assert "!! " + "x" * 36 + "…" in found
    assert "x" * 60 in page(site, "/node/n0000.savio2").text


def test_a_page_that_is_no_number_is_refused(site: Site) -> None:
    assert site.client.get("/nodes?page=0", headers=BROWSER).status_code == 400


def test_nodes_with_the_same_diagnosis_can_be_one_row(site: Site) -> None:
    site.nodes(*(drained(f"n{number}") for number in range(3)), drained("n9", "other"))
    found = page(site, "/nodes?fold=1")
    assert "/nodes?nodes=n%5B0-2,9%5D" in found.links
    assert "n[0-2,9]" in found.text
    assert "bad GPU 3, RMA open | other" in found.text
    assert "/nodes" in found.links
    assert not found.all("script")


def test_equal_nodes_fold_into_one_line(site: Site) -> None:
    text = site.client.get("/nodes?groups=all&checks=ping&fold=1", headers=CURL).text
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:3] == ["COUNT", "NODESET", "STATE"]
    assert ["2", "n0001.savio2,n0010.savio3", "idle", "none"] in lines
    assert lines[-2][1:3] == ["4", "nodes,"]


def test_a_page_while_slurm_fails_shows_the_last_list_and_says_so(site: Site) -> None:
    site.later(60)
    site.beat()
    site.slurm_fails(502, "sinfo: Unable to contact slurm controller")
    found = page(site, "/nodes")
    assert "Unable to contact slurm controller" in found.text
    assert "(60 s ago)" in found.text
    assert "/node/n0000.savio2" in found.links


def test_a_page_before_the_first_reading_says_that_nodes_are_being_asked(site: Site) -> None:
    site.nodes(drained("n7"))
    text = page(site, "/nodes").text
    assert "1 node was not read yet." in text
    assert "not read yet" in text
    assert "load this page again" in text


def test_the_page_names_all_modules_beforehand(site: Site) -> None:
    page = site.client.get("/nodes", headers={"Accept": "text/html"}).text
    folder = Path(site.app.static_folder or "")
    known = {"botd"}
    while more := {m for name in known for m in imports(folder / f"{name}.js")} - known:
        known |= more
    assert all(f'"modulepreload" href="/static/{name}.js"' in page for name in known - {"botd"})
    assert page.count("modulepreload") == len(known)


def imports(path: Path) -> set[str]:
    """The modules of our own that a module imports."""
    return set(re.findall(r'from "\./(\w+)\.js"', path.read_text(encoding="utf-8")))


def test_the_page_without_a_script_chooses_and_sorts_as_curl_does_and_says_of_how_many(site: Site) -> None:
    site.reading("n0010.savio3", ssh=Reading(State.FAIL, "refused"))
    found = page(site, "/nodes?groups=all&any=fail,ok&state=idle&sort=-name")
    nodes = [link for link in found.links if link.startswith("/node/")]
    assert nodes[:2] == ["/node/n0010.savio3", "/node/n0001.savio2"]
    assert "2 of 4 nodes shown: any=fail,ok state=idle." in found.text
    assert "/nodes?groups=all&sort=-name" in found.links
    form = next(form for form in found.all("form") if form.get("id") == "choose")
    assert (form["method"], form["action"]) == ("get", "/nodes")
    assert {field.get("name") for field in found.all("select")} >= {"family", "state", "any", "sort"}
    assert ("groups", "all") in {(field.get("name"), field.get("value")) for field in found.all("input")}


def test_checks_with_something_wrong_stand_first_and_the_table_says_since_when(site: Site) -> None:
    at = site.now - timedelta(hours=26)
    site.nodes(drained("n0000.savio2", "no IB", reason_at=at))
    site.reading("n0000.savio2", load=Reading(State.FAIL, 9.0, "per core"))
    text = page(site, "/nodes").text
    assert text.rindex("Load") < text.rindex("Ping")
    assert re.search(r"26\s*h\s+root\s+no IB", text)
