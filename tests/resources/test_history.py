"""GET /api/v1/history/<node>, /changes and /offenders: what happened, newest first, in pages that stay."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest

from botd.store.imported import IMPORTED_INCIDENTS, YEAR
from tests.conftest import Site, happened
from tests.pages.elements import BROWSER

NODE = "n0000.savio2"


def subjects(body: Any) -> list[str]:
    return [change["subject"] for change in body["changes"]]


def test_it_gives_the_changes_of_one_node_newest_first(site: Site) -> None:
    happened(site, ago_s=120, why="no answer within 5 s")
    happened(site, subject="slurm", old="in service", new="down*", why="Not responding")
    happened(site, "n0001.savio2", subject="load")
    body = site.get(f"/api/v1/history/{NODE}")
    assert subjects(body) == ["slurm", "ssh"]
    assert (body["count"], body["next"]) == (2, None)
    assert body["changes"][1] == {
        "id": body["changes"][1]["id"],
        "at": body["changes"][1]["at"],
        "node": NODE,
        "subject": "ssh",
        "old": "ok",
        "new": "fail: timeout",
        "why": "no answer within 5 s",
        "bad": True,
    }


def test_its_pages_hang_together_whatever_happens_meanwhile(site: Site) -> None:
    for i in range(5):
        happened(site, subject=f"check{i}")
    first = site.get(f"/api/v1/history/{NODE}?limit=2")
    happened(site, subject="late")
    second = site.get(f"/api/v1/history/{NODE}?limit=2&before={first['next']}")
    last = site.get(f"/api/v1/history/{NODE}?limit=2&before={second['next']}")
    assert subjects(first) + subjects(second) + subjects(last) == [f"check{i}" for i in (4, 3, 2, 1, 0)]
    assert last["next"] is None


def test_it_keeps_to_a_time_given_as_an_age_or_as_iso(site: Site) -> None:
    for hours in (30, 20, 1):
        happened(site, ago_s=hours * 3600, subject=f"h{hours}")
    until = (site.now - timedelta(hours=10)).isoformat().replace("+00:00", "Z")
    assert subjects(site.get(f"/api/v1/history/{NODE}?since=24h")) == ["h1", "h20"]
    assert subjects(site.get(f"/api/v1/history/{NODE}?since=1d&until={until}")) == ["h20"]


@pytest.mark.parametrize("query", ["since=yesterday", "until=12", "before=0", "limit=0", "limit=1001", "befor=3"])
def test_it_refuses_what_it_does_not_understand(site: Site, query: str) -> None:
    response = site.client.get(f"/api/v1/history/{NODE}?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.get_json()["error"]["message"]


def test_a_node_without_history_has_an_empty_one_and_an_unknown_node_is_a_404(site: Site) -> None:
    assert site.get(f"/api/v1/history/{NODE}")["changes"] == []
    response = site.client.get("/api/v1/history/n0009.savio2")
    assert (response.status_code, response.get_json()["error"]["code"]) == (404, "unknown-node")


def test_a_node_that_slurm_has_no_more_keeps_its_history(site: Site) -> None:
    happened(site, "gone.savio1")
    assert site.get("/api/v1/history/gone.savio1")["count"] == 1
    assert [change["node"] for change in site.get("/api/v1/changes")["changes"]] == ["gone.savio1"]


def test_the_morning_question_is_what_changed_in_a_day(site: Site) -> None:
    happened(site, ago_s=90_000, subject="yesterday")
    happened(site, subject="today")
    assert subjects(site.get("/api/v1/changes")) == ["today"]
    assert subjects(site.get("/api/v1/changes?since=7d")) == ["today", "yesterday"]


def test_changes_may_be_of_some_groups_or_nodes(site: Site) -> None:
    for node in ("n0000.savio2", "n0001.savio2", "n0002.savio3"):
        happened(site, node)
    found = site.get("/api/v1/changes?groups=rack1")["changes"]
    assert [change["node"] for change in found] == ["n0002.savio3", "n0001.savio2"]
    found = site.get("/api/v1/changes?groups=savio2/rack1")["changes"]
    assert [change["node"] for change in found] == ["n0001.savio2"]
    assert site.client.get("/api/v1/changes?groups=rack9").status_code == 404


def test_it_comes_in_every_form_and_no_cell_is_a_formula(site: Site) -> None:
    happened(site, why="=cmd()\x1b[31m <b>", old="", subject="reason", new="=HYPERLINK(1)")
    table = site.client.get("/api/v1/changes?format=table").text
    assert table.splitlines()[0].split() == ["AT", "NODE", "SUBJECT", "OLD", "NEW", "WHY"]
    assert "\x1b" not in table
    row = next(csv.DictReader(site.client.get("/api/v1/changes?format=csv").text.splitlines()))
    assert (row["new"][0], row["why"][0], row["node"]) == ("'", "'", NODE)
    assert site.client.get("/api/v1/changes?format=ndjson").text.count("\n") == 1


def test_offenders_are_nodes_by_the_number_of_their_incidents(site: Site) -> None:
    for hours in (1, 30, 60):
        happened(site, "n0001.savio2", ago_s=hours * 3600)
    happened(site, "n0001.savio2", ago_s=3500, subject="slurm", old="in service", new="down*")  # the same incident
    happened(site, "n0002.savio3", ago_s=7200, why="no answer")
    happened(site, "n0010.savio3", ago_s=7200, subject="load", new="warn")  # not one
    happened(site, "n0010.savio3", ago_s=40 * 86400)  # too long ago
    body = site.get("/api/v1/offenders")
    counted = {entry["node"]: entry["incidents"] for entry in body["nodes"]}
    assert list(counted.items()) == [("n0001.savio2", 3), ("n0002.savio3", 1)]
    assert body["nodes"][1]["last"] == "ssh fail: timeout: no answer"
    lately = site.get("/api/v1/offenders?since=12h&groups=savio3")["nodes"]
    assert [entry["node"] for entry in lately] == ["n0002.savio3"]


def test_offenders_and_repeaters_of_the_time_before_the_record_are_those_that_were_imported(site: Site) -> None:
    imported(site, NODE, 40, 9, 8)
    imported(site, "n0002.savio3", 40)
    happened(site, ago_s=0, subject="slurm", old="in service", new="down*")
    site.later(60)
    site.beat()
    (entry,) = site.get("/api/v1/offenders")["nodes"]
    assert (entry["node"], entry["incidents"], entry["imported"], entry["last"]) == (NODE, 3, 2, "slurm down*")
    assert [entry["incidents"] for entry in site.get("/api/v1/offenders?since=90d")["nodes"]] == [4, 1]
    for since, counted in (("30d", (3, 2)), ("90d", (4, 3))):
        rows = site.get(f"/api/v1/report?since={since}")["rows"]
        assert [(row["incidents"], row["imported"]) for row in rows if row["about"] == "repeater"] == [counted]
    assert "3 (2 imported)" in site.client.get("/offenders", headers=BROWSER).text


def test_the_page_of_a_node_tells_of_the_newest_imported_incidents(site: Site) -> None:
    assert "Imported:" not in site.client.get(f"/node/{NODE}", headers=BROWSER).text
    imported(site, NODE, *range(9, 2, -1))
    page = site.client.get(f"/node/{NODE}", headers=BROWSER).text
    told = page[page.index("Imported:") :]
    assert told[: told.index("</p>")].count("<time") == 5
    assert f"{site.now - timedelta(days=3):%F %H:%M UTC}" in told
    assert ", and 2 times more within a year." in told


def imported(site: Site, node: str, *days_ago: float) -> None:
    there = site.store.copies.get(IMPORTED_INCIDENTS, YEAR) or {}
    times = [(site.now - timedelta(days=days)).timestamp() for days in days_ago]
    site.store.copies.put(IMPORTED_INCIDENTS, {YEAR: there | {node: times}})


def test_a_database_that_cannot_be_read_is_a_503(site: Site) -> None:
    site.store.close()
    (site.folder / "botd.db").rename(site.folder / "away")
    response = site.client.get("/api/v1/changes")
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "store-unavailable")


def test_the_status_of_one_node_comes_with_its_newest_changes(site: Site) -> None:
    for i in range(25):
        happened(site, subject=f"check{i}")
    [node] = site.get(f"/api/v1/status/{NODE}?checks=ping")["nodes"]
    assert [change["subject"] for change in node["history"]] == [f"check{i}" for i in range(24, 4, -1)]
    rest = site.get(f"/api/v1/history/{NODE}?before={node['history_next']}")
    assert subjects(rest) == [f"check{i}" for i in range(4, -1, -1)]


def test_the_status_of_one_node_is_not_kept_when_its_history_grew(site: Site) -> None:
    first = site.client.get(f"/api/v1/status/{NODE}")
    again = site.client.get(f"/api/v1/status/{NODE}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    happened(site)
    site.later(1)
    site.app.extensions["botd"].board.look_again()
    grown = site.client.get(f"/api/v1/status/{NODE}", headers={"If-None-Match": first.headers["ETag"]})
    assert (grown.status_code, len(grown.get_json()["nodes"][0]["history"])) == (200, 1)


def test_a_report_has_partitions_causes_and_repeaters(site: Site) -> None:
    for old, new in (("in service", "down*"), ("down*", "in service"), ("in service", "down*")):
        happened(site, ago_s=0, subject="slurm", old=old, new=new)
        site.later(7200)
    site.beat()
    body = site.get("/api/v1/report?since=12h")
    assert body["count"] == len(body["rows"])
    told = {(row["about"], row["name"]): row for row in body["rows"]}
    assert told["partition", "savio2"]["nodes"] >= 1
    assert told["repeater", NODE]["incidents"] == 2


def test_a_report_says_where_the_record_begins_only_within_it(site: Site) -> None:
    body = site.get("/api/v1/report?since=9999d")
    assert body["whole"] is False
    assert body["since"] > "2020"


def test_a_report_of_no_time_is_refused(site: Site) -> None:
    response = site.client.get("/api/v1/report?since=1h&until=2h")
    assert response.status_code == 400
    assert 'parameter "until": give a time after "since"' in response.get_json()["error"]["message"]


def test_a_report_as_csv_has_a_row_for_each(site: Site) -> None:
    rows = list(csv.DictReader(site.client.get("/api/v1/report?format=csv").text.splitlines()))
    assert {row["about"] for row in rows} >= {"partition"}
    assert rows[0]["name"]
