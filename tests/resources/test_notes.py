"""GET /api/v1/notes, POST /api/v2/notes, DELETE /api/v2/notes/<id>: what people note on nodes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.conftest import Site, drained, idle
from tests.office import bearer

NODE = "n0000.savio2"
NASTY = "<b>x</b> \x1b[31m\nsecond\u202e line \ud800 ' OR 1=1 --"


@pytest.fixture
def site(make_site: Any) -> Site:
    made: Site = make_site({"notes": {"writers": "anyone"}})
    made.nodes(drained(NODE), idle("n0001.savio2"), idle("n0010.savio3"))
    for name in (NODE, "n0001.savio2", "n0010.savio3"):
        made.reading(name)
    made.beat()
    return made


def write(site: Site, **said: Any) -> TestResponse:
    return site.client.post("/api/v2/notes", json={"node": NODE, "kind": "say", "text": "x", "by": "anna", **said})


def test_a_note_is_written_read_and_ended_and_the_history_has_both(site: Site) -> None:
    made = write(site, kind="ticket", text="RT 4711", node="n0000")
    assert made.status_code == 201
    document = made.get_json()
    assert document == {
        "id": document["id"],
        "node": NODE,
        "kind": "ticket",
        "text": "RT 4711",
        "by": "anna",
        "at": document["at"],
        "until": None,
    }
    assert site.get(f"/api/v1/notes?node={NODE}") == {"count": 1, "notes": [document]}
    assert site.get("/api/v1/notes?node=n0001.savio2")["count"] == 0
    assert made.headers["Location"] == f"/api/v2/notes/{document['id']}"
    ended = site.client.delete(made.headers["Location"] + "?by=bob")
    assert (ended.status_code, ended.data) == (204, b"")
    assert site.get("/api/v1/notes")["count"] == 0
    changes = [each for each in site.get(f"/api/v1/history/{NODE}")["changes"] if each["subject"] == "note"]
    assert [(each["old"], each["new"], each["why"], each["bad"]) for each in changes] == [
        ("anna, ticket: RT 4711", None, "ended by bob", False),
        (None, "anna, ticket: RT 4711", "", False),
    ]


def test_nobody_writes_or_ends_a_note_where_nothing_allows_it(make_site: Any) -> None:
    off: Site = make_site()
    off.nodes(drained(NODE))
    off.beat()
    for response in (write(off), off.client.delete("/api/v2/notes/1?by=anna")):
        assert (response.status_code, response.get_json()["error"]["code"]) == (403, "not-allowed")
        assert "[notes] writers" in response.get_json()["error"]["message"]
    assert off.get("/api/v1/notes")["count"] == 0


def test_a_snooze_ends_at_its_time_whether_the_agent_has_seen_it_or_not(site: Site) -> None:
    until = write(site, kind="snooze", text="", until="8h").get_json()["until"]
    assert until == (site.now + timedelta(hours=8)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    site.later(8 * 3600 - 1)
    assert site.get("/api/v1/notes")["count"] == 1
    site.later(1)
    assert site.get("/api/v1/notes")["count"] == 0


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"kind": "snooze"}, "until"),
        ({"kind": "snooze", "until": "yesterday"}, "until"),
        ({"kind": "snooze", "until": "2020-01-01"}, "to come"),
        ({"kind": "snooze", "until": "53w"}, "a year"),
        ({"kind": "snooze", "until": "999999w"}, "until"),
        ({"kind": "snooze", "until": "9999-12-31T23:59:59-23:59"}, "until"),
        ({"kind": "say", "until": "8h"}, "snooze"),
        ({"kind": "say", "text": ""}, "text"),
        ({"kind": "ticket", "text": " \n "}, "text"),
        ({"text": "x" * 501}, "500"),
        ({"by": ""}, "who you are"),
        ({"by": "\x1b"}, "who you are"),
        ({"by": "x" * 41}, "40"),
        ({"kind": "shout"}, "kind"),
        ({"kind": None}, "kind"),
        ({"text": 7}, "text"),
        ({"nod": "x"}, "nod"),
        ({"node": "n[0000-0001].savio2"}, "a note is of one"),
        ({"node": ""}, "a note is of one"),
        ({"node": "nosuch1"}, "nosuch1"),
        ({"node": "../../etc"}, "is not a name"),
    ],
)
def test_what_is_no_note_is_refused_in_words(site: Site, said: dict[str, Any], word: str) -> None:
    response = write(site, **said)
    assert response.status_code in (400, 404)
    assert word in response.get_json()["error"]["message"]
    assert site.get("/api/v1/notes")["count"] == 0


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "table"])
def test_a_hostile_text_is_one_harmless_line(site: Site, form: str) -> None:
    assert write(site, text=NASTY, by="eve\u202e\x07").status_code == 201
    text = site.client.get(f"/api/v1/notes?format={form}").text
    assert not {"\x1b", "\u202e", "\x07"} & set(text)
    assert site.get("/api/v1/notes")["notes"][0]["text"] == "<b>x</b> second line ? ' OR 1=1 --"


def test_a_page_of_another_site_writes_nothing(site: Site) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        body = {"node": NODE, "kind": "say", "text": "x", "by": "eve"}
        refused = site.client.post("/api/v2/notes", json=body, headers=headers)
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "cross-site")
    assert site.get("/api/v1/notes")["count"] == 0


def test_too_many_notes_of_a_node_are_refused(site: Site) -> None:
    found = [write(site) for _ in range(21)]
    assert [each.status_code for each in found] == [201] * 20 + [409]
    assert found[-1].get_json()["error"]["code"] == "too-many-notes"


@pytest.mark.parametrize("note", ["0", "99", "4294967296", "9" * 40, "x"])
def test_a_note_that_is_not_there_is_a_404(site: Site, note: str) -> None:
    assert site.client.delete(f"/api/v2/notes/{note}?by=anna").status_code == 404


def test_a_note_has_an_entity_tag(site: Site) -> None:
    tag = site.client.get("/api/v1/notes").headers["ETag"]
    assert site.client.get("/api/v1/notes", headers={"If-None-Match": tag}).status_code == 304
    write(site)
    assert site.client.get("/api/v1/notes", headers={"If-None-Match": tag}).status_code == 200


def test_a_written_note_is_what_its_schema_says(site: Site) -> None:
    paths = site.get("/api/v1/openapi.json")["paths"]
    post, delete = paths["/api/v2/notes"]["post"], paths["/api/v2/notes/{note}"]["delete"]
    assert post["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Note"}
    assert "content" not in delete["responses"]["204"]
    assert set(site.get("/api/v1/openapi.json")["components"]["schemas"]["Note"]["properties"]) == set(
        write(site).get_json()
    )


def test_what_is_snoozed_stands_at_the_end_of_the_round_until_its_time(site: Site) -> None:
    def families() -> list[str]:
        return [family["family"] for family in site.get("/api/v1/round")["families"]]

    before = families()
    write(site, kind="snooze", text="", until="8h")
    assert before != families() == ["noted"]
    assert "# anna, snooze until" in site.client.get("/api/v1/round?format=table").text
    assert "noted" in site.client.get("/api/v1/round?format=csv").text
    site.later(8 * 3600)
    site.beat()
    assert families() == before


def test_who_is_logged_in_with_the_right_writes_as_themselves_and_nobody_else_does(make_site: Any) -> None:
    off: Site = make_site()
    off.nodes(drained(NODE))
    off.beat()
    note = {"node": NODE, "kind": "say", "text": "x", "by": "somebody else"}
    made = off.client.post("/api/v2/notes", json=note, headers=bearer(off, "kmf"))
    assert (made.status_code, made.get_json()["by"]) == (201, "kmf")
    assert off.client.post("/api/v2/notes", json=note, headers=bearer(off, "anna")).status_code == 403
    assert off.client.post("/api/v2/notes", json=note).status_code == 403
