"""/api/v2/dry-runs, /dry-runs and the page of a node: what would have been done, beside what people did."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from botd.model import REASON, SLURM, Change
from tests.actor import Actor, action, make_actor, moved, tell
from tests.conftest import Site, drained
from tests.pages.person import HTML, Person
from tests.resources.test_login import ANNA, log_in, send

NODES = [f"n{number:04d}.savio2" for number in range(4)]


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    """Of three resumes that would have been people did one; one node they drained again; a real one, and one of now."""
    site = make_site({"actions": {"mode": "dry-run", "one_user": True}})
    site.nodes(*map(drained, NODES))
    for node in NODES:
        site.reading(node)
    site.beat()
    at = site.now - timedelta(days=3)
    runs = [
        moved(action(n, NODES[n - 1], at, action="resume", dry=True), "would-have", words="resume it")
        for n in (1, 2, 3)
    ]
    now = moved(action(5, NODES[0], site.now, action="resume", dry=True), "would-have")
    tell(site.store, *runs, moved(action(4, NODES[0], at), "succeeded"), now)
    later = at + timedelta(hours=2)
    site.store.changes.record(
        [
            Change(NODES[0], SLURM, "drained", "in service", later, is_bad=False),
            Change(NODES[1], SLURM, "down*", "drained*", later, "fan fails", is_bad=True),
            Change(NODES[1], REASON, "Not responding", "fan fails", later, "set by kmf at ...", is_bad=True),
        ]
    )
    made = make_actor(site, monkeypatch)
    with made.office.open():
        yield made


def test_each_stands_beside_what_people_did_and_is_counted(actor: Actor) -> None:
    found = send(actor.site, "GET", "/api/v2/dry-runs", log_in(actor.site, ANNA)).json
    told = {each["id"]: (each["agrees"], each["did"], each["did_by"], each["login"]) for each in found["runs"]}
    assert told == {
        5: ("open", "", "", "anna"),
        3: ("nothing", "", "", "anna"),
        2: ("other", "drained by kmf 2 h later", "kmf", "anna"),
        1: ("same", "resumed 2 h later", "", "anna"),
    }
    assert (found["count"], found["same"], found["other"], found["nothing"]) == (4, 1, 1, 1)
    assert found["words"].startswith("1 of 3 as people did; 1 they did something else; 1 nothing happened")
    assert {each["would_have"] for each in found["runs"] if each["id"] < 4} == {"resume it"}


def test_they_are_chosen_by_node_and_time(actor: Actor) -> None:
    for asked, ids in (("nodes=" + NODES[1], [2]), ("since=1d", [5]), ("groups=savio2&since=30d", [5, 3, 2, 1])):
        assert [each["id"] for each in actor.site.get(f"/api/v2/dry-runs?{asked}")["runs"]] == ids


def test_who_pressed_is_told_to_who_is_logged_in_only(actor: Actor) -> None:
    for path in ("/api/v2/dry-runs", "/dry-runs"):
        response = send(actor.site, "GET", path)
        assert "anna" not in response.text
        assert response.headers["Cache-Control"] == "no-store"


def test_it_is_a_table_and_csv_too(actor: Actor) -> None:
    rows = list(csv.DictReader(io.StringIO(actor.site.client.get("/api/v2/dry-runs?format=csv").text)))
    assert [row["agrees"] for row in rows] == ["open", "nothing", "other", "same"]
    assert actor.site.client.get("/dry-runs", headers={"Accept": "*/*"}).text.startswith("ID")


def test_the_page_says_it_in_words_first(actor: Actor) -> None:
    page = Person(actor.site).look("/dry-runs")
    assert "1 of 3 as people did; 1 they did something else; 1 nothing happened" in page
    assert "drained by kmf" in page
    assert 'href="/dry-runs"' in actor.site.client.get("/actions", headers=HTML).text


def test_the_page_of_a_node_has_its_own(actor: Actor) -> None:
    page = Person(actor.site).look(f"/node/{NODES[1]}")
    assert "Dry runs, and what people did" in page
    assert "drained by kmf" in page
    assert "Dry runs, and what people did" not in Person(actor.site, None).look(f"/node/{NODES[3]}")
