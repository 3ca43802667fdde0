"""GET /api/v2/audit, /api/v2/audit/head and /audit: a copy of the agent's record."""

from __future__ import annotations

import json

import pytest

from botd.agent.life import Due
from botd.agent.record import Record
from botd.audit import Event, canonical, read_checkpoint
from botd.ledger import Ledger
from tests.conftest import Site
from tests.office import bearer

HTML = {"Accept": "text/html"}


@pytest.fixture
def record(site: Site) -> Record:
    """A ledger in which three people logged in, which the agent has told."""
    made = Record(Ledger(site.config), site.store, lambda: site.now)
    made.look()
    with made.ledger.write() as db:
        for login in ("anna", "kmf", "<b>bea</b>"):
            made.ledger.chain.add(db, Event("login", login, "10.0.0.7", "said \x1b[31mhello"), site.now)
    made._copy_due = Due(1)
    made.step()
    return made


def test_it_gives_what_was_done_newest_first_in_pages_that_stay(site: Site, record: Record) -> None:
    first = site.get("/api/v2/audit?limit=2", headers=bearer(site))
    assert [row["by"] for row in first["rows"]] == ["<b>bea</b>", "kmf"]
    assert (first["count"], first["next"]) == (2, 3)
    second = site.get("/api/v2/audit?before=3", headers=bearer(site))
    assert [row["kind"] for row in second["rows"]] == ["login", "ledger-made"]
    assert second["next"] is None
    with record.ledger.read() as db:
        assert first["rows"][0]["hash"] == record.ledger.chain.last(db).hash


def test_the_page_and_the_other_forms_have_the_same(site: Site, record: Record) -> None:
    page = site.client.get("/audit", headers=HTML | bearer(site)).text
    assert "&lt;b&gt;bea&lt;/b&gt;" in page
    assert "<b>bea" not in page
    assert "\x1b" not in page
    assert "the ledger was made" in page
    assert 'href="/audit?limit=1&amp;before=4"' in site.client.get("/audit?limit=1", headers=HTML | bearer(site)).text
    for path in ("/audit", "/api/v2/audit?format=csv", "/api/v2/audit?format=table"):
        assert "anna" in site.client.get(path, headers=bearer(site)).text
    lines = site.client.get("/api/v2/audit?format=ndjson", headers=bearer(site)).text.splitlines()
    assert [json.loads(line)["number"] for line in lines] == [4, 3, 2, 1]


@pytest.mark.parametrize("path", ["/api/v2/audit", "/audit?format=json", "/audit"])
def test_who_is_not_known_or_has_no_right_to_it_reads_no_row(site: Site, record: Record, path: str) -> None:
    for headers, refusal in (({}, (401, "login-required")), (bearer(site, "anna"), (403, "not-allowed"))):
        answer = site.client.get(path, headers={"Accept": "application/json", **headers})
        assert (answer.status_code, answer.get_json()["error"]["code"]) == refusal
        assert "10.0.0.7" not in answer.text
    assert "10.0.0.7" in site.client.get(path, headers=bearer(site, "kmf")).text


def test_a_browser_is_led_to_the_login_and_back_and_shown_where_it_is(site: Site, record: Record) -> None:
    answer = site.client.get("/audit?limit=1", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?to=/audit?limit%3D1")
    assert site.client.get("/audit", headers=HTML | bearer(site, "anna")).status_code == 403
    kmf, anna = (site.client.get("/me", headers=HTML | bearer(site, login)).text for login in ("kmf", "anna"))
    assert ('href="/audit"' in kmf, 'href="/audit"' in anna) == (True, False)


def test_nobody_keeps_what_names_people(site: Site, record: Record) -> None:
    for path, accept in (("/api/v2/audit", "*/*"), ("/audit", "text/html"), ("/audit", "text/plain")):
        answer = site.client.get(path, headers={"Accept": accept, **bearer(site)})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")


def test_the_head_carries_the_agents_signature(site: Site, record: Record) -> None:
    head = site.get("/api/v2/audit/head")
    assert read_checkpoint(canonical(head)).size == head["size"] == 4


def test_before_an_agent_has_told_anything_there_is_nothing(site: Site) -> None:
    assert site.get("/api/v2/audit", headers=bearer(site)) == {"count": 0, "next": None, "rows": []}
    assert "Nothing is recorded." in site.client.get("/audit", headers=HTML | bearer(site)).text
    assert site.client.get("/api/v2/audit/head").status_code == 404


@pytest.mark.parametrize(
    "row",
    [None, 7, "text", [], {}, {"number": 9, "at": "x"}, {"number": "1"}, {"at": "yesterday"}, {"detail": {"x": []}}],
)
def test_what_somebody_else_has_written_in_its_place_is_damage_and_no_row(
    site: Site, record: Record, row: object
) -> None:
    told = site.store.copies.get("audit", "000000000002")
    site.store.copies.put("audit", {"000000000002": {**told, **row} if isinstance(row, dict) and row else row})
    for path in ("/api/v2/audit", "/audit?format=json"):
        answer = site.client.get(path, headers=bearer(site))
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "store-damaged")


@pytest.mark.parametrize("change", [{"size": 5}, {"head": "0" * 64}, {"signature": "00"}, {"size": None}])
def test_a_head_that_the_agent_has_not_signed_is_not_shown(
    site: Site, record: Record, change: dict[str, object]
) -> None:
    site.store.copies.put("ledger", {"head": {**site.store.copies.get("ledger", "head"), **change}})
    assert site.client.get("/api/v2/audit/head").status_code == 503


def test_the_web_part_opens_nothing_of_the_ledger(site: Site, record: Record) -> None:
    record.ledger.close()
    for path in record.ledger.path.parent.iterdir():
        path.unlink()
    assert site.client.get("/api/v2/audit", headers=bearer(site)).status_code == 200
    assert list(record.ledger.path.parent.iterdir()) == []
