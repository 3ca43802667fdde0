"""The pages, for a browser, a text browser and curl. Hostile text stays text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from botd.display.cells import width
from botd.model import Reading, State
from botd.resources import ROUTES
from tests.conftest import Site, drained, idle

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LYNX = {"Accept": "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"}
ELINKS = {"Accept": "*/*", "User-Agent": "ELinks/0.13.2 (textmode; Linux)"}
CURL = {"Accept": "*/*", "User-Agent": "curl/7.88.1"}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe"


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def links(self) -> list[str]:
        return [link["href"] or "" for link in self.all("a") if "href" in link]


def page(site: Site, url: str, headers: dict[str, str] = BROWSER) -> Elements:
    return Elements(site.client.get(url, headers=headers).text)


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
    assert [line.split()[0] for line in text.splitlines()] == ["NODE", "n0001.savio2", "n0002.savio3", "#", "#"]


def test_it_shows_what_is_known_and_makes_nobody_wait(site: Site) -> None:
    site.later(86400)
    site.beat()
    assert "n0000.savio2" in site.client.get("/", headers=CURL).text
    assert site.store.sweeps.figures().by_state == {}


def test_it_says_that_the_agent_is_not_running(site: Site) -> None:
    site.later(60)
    assert "the agent is not running" in site.client.get("/", headers=BROWSER).text
    assert "# the agent is not running" in site.client.get("/", headers=CURL).text


@pytest.mark.parametrize("path", ["/", "/node/n0009.savio2", "/?fold=1"])
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


@pytest.mark.parametrize("url", ["/nothing", "/?grops=x", "/node/-x"])
def test_an_error_is_a_page_for_a_browser_and_json_for_curl(site: Site, url: str) -> None:
    html, answer = site.client.get(url, headers=BROWSER), site.client.get(url, headers=CURL)
    assert html.status_code == answer.status_code >= 400
    assert html.content_type == "text/html; charset=utf-8"
    assert set(answer.get_json()) == {"error"}


def test_the_text_is_the_same_but_for_its_age_until_something_changes(site: Site) -> None:
    first = site.client.get("/", headers=CURL).text.splitlines()
    site.later(5)
    later = site.client.get("/", headers=CURL).text.splitlines()
    assert later[:-1] == first[:-1]
    assert (first[-1], later[-1]) == ("# readings are 0 s old", "# readings are 5 s old")


def test_the_files_of_the_page_are_served_by_botd_itself(site: Site) -> None:
    for name in ("botd.css", "botd.svg", "cluster.js"):
        assert site.client.get(f"/static/{name}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/node/n0000.savio2"])
def test_a_form_that_is_asked_for_is_given(site: Site, path: str) -> None:
    response = site.client.get(path + "?format=csv", headers=BROWSER)
    assert response.content_type == "text/csv; charset=utf-8"
    assert "n0000.savio2" in response.text


@pytest.mark.parametrize(
    ("accept", "kind"), [("application/json", "json"), ("text/csv", "csv"), ("text/plain", "plain")]
)
def test_a_page_heeds_what_accept_prefers(site: Site, accept: str, kind: str) -> None:
    for path in ("/", "/node/n0000.savio2", "/cluster"):
        assert kind in site.client.get(path, headers={"Accept": accept}).content_type


# ---- what every page has ----


@pytest.mark.parametrize("url", ["/", "/?fold=1", "/node/n0000.savio2", "/cluster", "/node/n0000.savio", "/nothing"])
def test_a_page_has_one_heading_landmarks_and_a_way_past_them(site: Site, url: str) -> None:
    found = page(site, url)
    assert len(found.all("h1")) == len(found.all("main")) == len(found.all("header")) == 1
    assert found.links[0] == "#" + (found.all("main")[0]["id"] or "")
    assert {"/", "/cluster"} <= set(found.links)
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(cell["scope"] in ("col", "row") for cell in found.all("th"))
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("url", ["/", "/node/n0000.savio2", "/cluster", "/nothing"])
def test_a_page_holds_no_script_and_no_style_of_its_own(site: Site, url: str) -> None:
    found = page(site, url)
    assert found.all("style") == []
    assert not [
        name for _, attributes in found.found for name in attributes if name == "style" or name.startswith("on")
    ]
    assert all(re.match(r"/(static|lib|api)/", link["href"] or "") for link in found.all("link"))


# ---- the dashboard ----


def test_it_says_what_could_not_be_reached_and_how_old_it_is(site: Site) -> None:
    site.reading("n0000.savio2", age_s=240, ping=Reading(State.FAIL, None, "ms"), ssh=Reading(State.FAIL, "timeout"))
    text = page(site, "/").text
    assert "1 node does not answer ping, 1 node takes no ssh login." in text
    assert "Readings are 0 s to 4 min old" in text


def test_it_tells_in_words_what_is_wrong_with_a_node(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"), load=Reading(State.WARN, 1.6, "per core"))
    text = page(site, "/").text
    assert "Ping: no answer; Load: 1.60 (warn)" in text
    assert f"{len(site.checks)} checks ok" in text


def test_its_groups_are_links_and_its_form_asks_the_same_page(site: Site) -> None:
    found = page(site, "/")
    assert {f"/?groups={name}" for name in ("sinfo", "all", "rack1", "savio2", "savio3")} <= set(found.links)
    form = next(form for form in found.all("form") if form.get("id") == "ask")
    assert (form["method"], form["action"]) == ("get", "/")
    assert {field.get("name") for field in found.all("input")} >= {"groups", "checks", "max_age"}


def test_it_shows_200_nodes_at_a_time_and_leads_to_the_others(site: Site) -> None:
    site.nodes(*(drained(f"n{number:04d}.savio2") for number in range(500)))
    for number, first, count in ((1, 0, 200), (3, 400, 100), (9, 400, 100)):
        found = page(site, f"/?page={number}")
        nodes = [link for link in found.links if link.startswith("/node/")]
        assert nodes[0] == f"/node/n{first:04d}.savio2"
        assert len(nodes) == 2 * count
    assert "/?page=2" in found.links
    assert "500 nodes" in found.text


def test_following_a_link_to_another_part_asks_no_node_again(site: Site) -> None:
    site.nodes(*(drained(f"n{number:04d}.savio2") for number in range(201)))
    found = page(site, "/?groups=sinfo&groups=savio2&max_age=100000&wait=0")
    assert "/?groups=sinfo,savio2&page=2" in found.links
    assert "/?groups=sinfo,savio2&fold=1" in found.links


def test_a_fold_that_is_too_long_for_a_link_is_none(site: Site) -> None:
    site.nodes(*(drained(f"n{number * 2:05d}") for number in range(400)))
    found = page(site, "/?fold=1")
    assert "(400)" in found.text
    assert not [link for link in found.links if "nodes=" in link]


def test_a_long_value_is_cut_in_the_table_and_whole_on_the_page_of_its_node(site: Site) -> None:
    site.reading("n0000.savio2", ssh=Reading(State.FAIL, "x" * 60))
    found = page(site, "/").text
    assert "!! " + "x" * 36 + "…" in found
    assert "x" * 60 in page(site, "/node/n0000.savio2").text


def test_a_page_that_is_no_number_is_refused(site: Site) -> None:
    assert site.client.get("/?page=0", headers=BROWSER).status_code == 400


def test_nodes_with_the_same_answers_can_be_one_row(site: Site) -> None:
    site.nodes(*(drained(f"n{number}") for number in range(3)), drained("n9", "other"))
    found = page(site, "/?fold=1")
    assert "/?nodes=n%5B0-2%5D" in found.links
    assert "n[0-2]" in found.text
    assert "/" in found.links
    assert not found.all("script")


def test_a_text_browser_gets_nothing_that_only_a_script_can_use(site: Site) -> None:
    assert page(site, "/").all("script")
    for agent in ("ELinks/0.13.2", "Lynx/2.9.0", "w3m/0.5.3", "Links (2.28)"):
        headers = {**BROWSER, "User-Agent": agent}
        response = site.client.get("/", headers=headers)
        assert Elements(response.text).all("script") == []
        assert "User-Agent" in response.headers["Vary"]


# ---- the text table ----


@pytest.mark.parametrize("columns", [20, 40, 80, 100, 160])
@pytest.mark.parametrize(
    "url", ["/?groups=all", "/node/n0000.savio2?", "/cluster?", "/api/v1/sinfo?", "/api/v1/checks?"]
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
    for url in ("/?", "/node/n0000.savio2?"):
        assert "\x1b" not in site.client.get(url, headers=CURL).text
        assert "\x1b[1;31m!! no answer\x1b[0m" in site.client.get(url + "color=1", headers=CURL).text


def test_equal_nodes_fold_into_one_line(site: Site) -> None:
    text = site.client.get("/?groups=all&checks=ping&fold=1", headers=CURL).text
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:3] == ["COUNT", "NODESET", "STATE"]
    assert ["2", "n0001.savio2,n0010.savio3", "idle", "none"] in lines
    assert lines[-2][1:3] == ["4", "nodes,"]


# ---- every form, everywhere ----

NO_FORMS = {
    "/api/v1/openapi.json": "a description of the interface is JSON",
    "/metrics": "Prometheus reads its own form",
    "/healthz": "read by programs, by its status",
    "/api/v1/sweeps/<int:sweep>/events": "a stream has forms of its own",
    "/api/v1/table": "what the page draws, for its script alone",
}
"""The routes that answer in one form only, each with its reason."""

PAGES = ("/", "/node/<string:name>", "/cluster")
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
    response = site.client.get(url, query_string={"format": form, **({"h": "n0000"} if "hostinfo" in url else {})})
    assert response.status_code == 200, response.text
    kind = {"ndjson": "application/x-ndjson", "json": "application/json", "csv": "text/csv", "table": "text/plain"}[
        form
    ]
    assert response.content_type.partition(";")[0] == kind
    assert READS[form](response.text)


def test_the_routes_without_forms_are_still_there() -> None:
    assert set(NO_FORMS) <= {route.path for route in ROUTES}


# ---- the picture ----


def test_the_picture_has_a_square_for_every_node_in_one_block(site: Site) -> None:
    site.reading("n0002.savio3", ssh=Reading(State.FAIL, "timeout"), load=Reading(State.WARN, 2.0))
    site.reading("n0010.savio3", load=Reading(State.WARN, 2.0))
    found = page(site, "/cluster?by=partitions")
    squares = [link for link in found.all("a") if (link["href"] or "").startswith("/node/")]
    assert {square["href"]: (square["class"], square["title"]) for square in squares} == {
        "/node/n0000.savio2": ("ok", "n0000.savio2: ok"),
        "/node/n0001.savio2": ("ok", "n0001.savio2: ok"),
        "/node/n0002.savio3": ("fail", "n0002.savio3: fail SSH"),
        "/node/n0010.savio3": ("warn", "n0010.savio3: warn Load"),
    }
    assert len(squares) == 4
    text = " ".join(found.text.split())
    assert "Together: 1 fail in 1 of 2 groups, 1 warn in 1 of 2 groups, 2 ok in 1 of 2 groups." in text
    assert "savio2 2 nodes: 2 ok . ." in text
    assert "savio3 2 nodes: 1 fail (n0002.savio3), 1 warn (n0010.savio3) X !" in text


def test_the_picture_causes_no_sweep_unless_an_age_is_given(site: Site) -> None:
    site.nodes(idle("n0099.savio2"))
    text = page(site, "/cluster").text
    assert "1 node was not read yet." in text
    assert site.store.sweeps.figures().by_state == {}
    page(site, "/cluster?max_age=60&wait=0")
    assert site.store.sweeps.figures().by_state == {"queued": 1}


def test_the_picture_of_ten_thousand_nodes_is_small(site: Site) -> None:
    site.nodes(*(idle(f"n{number:04d}.savio2") for number in range(10_000)))
    html = site.client.get("/cluster", headers=BROWSER).text
    assert html.count('href="/node/') == 10_000
    assert len(html) < 120 * 10_000


def test_the_words_below_a_block_cut_a_long_nodeset(site: Site) -> None:
    names = [f"n{number * 2:04d}.savio2" for number in range(100)]
    site.nodes(*map(idle, names))
    for name in names:
        site.reading(name, ssh=Reading(State.FAIL, "timeout"))
    assert re.search(r"100 fail \(n\[0000,[\d,]+…\)", page(site, "/cluster").text)


def test_a_picture_by_an_unknown_group_is_an_error_with_the_nearest(site: Site) -> None:
    response = site.client.get("/cluster?by=rack2", headers=BROWSER)
    assert response.status_code == 404
    assert "/?groups=rack1" in Elements(response.text).links


# ---- errors that help ----


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


def test_a_page_without_an_agent_shows_the_last_readings_and_says_since_when(site: Site) -> None:
    site.later(180)
    for url in ("/", "/node/n0000.savio2", "/cluster"):
        found = page(site, url)
        assert any(note.get("role") == "alert" for note in found.all("p"))
        assert "the agent is not running" in found.text
        assert "(3 min ago)" in found.text
        assert "/node/n0000.savio2" in found.links or url.startswith("/node")


def test_a_page_while_slurm_fails_shows_the_last_list_and_says_so(site: Site) -> None:
    site.later(60)
    site.beat()
    site.slurm_fails(502, "sinfo: Unable to contact slurm controller")
    found = page(site, "/")
    assert "Unable to contact slurm controller" in found.text
    assert "(1 min ago)" in found.text
    assert "/node/n0000.savio2" in found.links


def test_a_page_before_the_first_look_at_slurm_says_what_to_do(make_site: Callable[..., Site]) -> None:
    fresh = make_site()
    for url in ("/", "/cluster", "/node/n1"):
        response = fresh.client.get(url, headers=BROWSER)
        assert response.status_code == 503
        assert "Start the agent" in Elements(response.text).text
    assert fresh.client.get("/", headers=CURL).get_json()["error"]["code"] == "no-node-list"


def test_a_page_before_the_first_reading_says_that_nodes_are_being_asked(site: Site) -> None:
    site.nodes(drained("n7"))
    text = page(site, "/").text
    assert "1 node was not read yet." in text
    assert "not read yet" in text
    assert "load this page again" in text


def test_a_page_without_a_database_says_what_to_do(site: Site) -> None:
    site.store.close()
    (site.folder / "botd.db").write_bytes(b"this is no database" * 100)
    for leftover in site.folder.glob("botd.db-*"):
        leftover.unlink()
    site.app.extensions["botd"].store.close()
    site.later(60)
    response = site.client.get("/?groups=all", headers=BROWSER)
    assert response.status_code == 503
    assert "one database" in Elements(response.text).text
