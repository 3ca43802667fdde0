"""GET /api/v1/round: the nodes that need somebody, by what is to be done, and what is new."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from botd.model import DIAGNOSIS, SLURM, Reading, SlurmNode, State
from tests.conftest import Site, drained, happened, idle

ROOT = "Kill task failed"


def families(body: Any) -> dict[str, list[str]]:
    return {family["family"]: [node["node"] for node in family["nodes"]] for family in body["families"]}


@pytest.fixture
def mixed(site: Site) -> Site:
    """A node that is ready to go back, one that a person keeps, and one in service with left-over processes."""
    site.nodes(
        drained("n0000.savio2", ROOT, reason_at=site.now - timedelta(hours=3)),
        idle("n0001.savio2"),
        drained("n0002.savio3", "no IB"),
        idle("n0010.savio3"),
        groups={"rack1": ("n0001.savio2", "n0002.savio3")},
    )
    site.reading("n0001.savio2", users=Reading(State.WARN, ["alice"]))
    return site


def test_it_has_each_node_that_is_out_once_under_its_family(mixed: Site) -> None:
    body = mixed.get("/api/v1/round")
    assert families(body) == {"ready": ["n0000.savio2"], "colleague": ["n0002.savio3"]}
    assert (body["out"], body["total"], body["unread"], body["running"]) == (2, 4, 0, None)
    (node,) = body["families"][0]["nodes"]
    assert (node["reason"], node["next"], node["action"], node["in_service"]) == (ROOT, "resume", "resume", False)


def test_nodes_in_service_that_are_not_well_are_there_where_they_are_asked_for(mixed: Site) -> None:
    body = mixed.get("/api/v1/round?groups=all")
    assert families(body)["leftovers"] == ["n0001.savio2"]
    assert body["families"][1]["nodes"][0]["in_service"]
    assert (body["out"], body["total"]) == (2, 4)


@pytest.mark.parametrize(
    ("query", "found", "total"),
    [
        ("groups=sinfo/savio3", ["colleague"], 2),
        ("groups=rack1", ["leftovers", "colleague"], 2),
        ("nodes=n0000.savio2", ["ready"], 1),
        ("groups=sinfo/savio3&nodes=n0000.savio2", ["ready", "colleague"], 3),
    ],
)
def test_it_counts_out_of_all_nodes_of_what_is_asked_for(mixed: Site, query: str, found: list[str], total: int) -> None:
    body = mixed.get(f"/api/v1/round?{query}")
    assert list(families(body)) == found
    assert body["total"] == total


def left(site: Site, node: str, ago_h: float) -> None:
    happened(site, node, ago_s=3600 * ago_h, subject=SLURM, old="in service", new="drained")


def test_what_is_new_is_counted_since_yesterday_or_a_moment_that_is_asked_for(mixed: Site) -> None:
    begun_at = mixed.store.pulse().history_since
    assert begun_at is not None
    mixed.later(72 * 3600)
    left(mixed, "n0000.savio2", 3)
    left(mixed, "n0002.savio3", 30)
    happened(mixed, "n0001.savio2", ago_s=7200, subject=SLURM, old="down*", new="in service")
    mixed.beat()
    news = mixed.get("/api/v1/round")["news"]
    assert (news["whole"], news["new_nodes"], news["back_nodes"], news["changed"]) == (
        True,
        "n0000.savio2",
        "n0001.savio2",
        0,
    )
    assert mixed.get("/api/v1/round?since=1h")["news"]["new"] == 0
    assert mixed.get("/api/v1/round?since=2d")["news"]["new"] == 2
    marks = {n["node"]: n["mark"] for f in mixed.get("/api/v1/round")["families"] for n in f["nodes"]}
    assert marks == {"n0000.savio2": "new", "n0002.savio3": None}
    assert mixed.get("/api/v1/round?groups=sinfo/savio3&since=2d")["news"]["new_nodes"] == "n0002.savio3"
    happened(mixed, "n0002.savio3", ago_s=60, subject=DIAGNOSIS, old="silent", new="a colleague's")
    assert mixed.get("/api/v1/round")["news"]["changed_nodes"] == "n0002.savio3"


def test_a_record_that_is_younger_than_the_moment_says_so(mixed: Site) -> None:
    mixed.store.changes.record([])
    news = mixed.get("/api/v1/round")["news"]
    assert news["whole"] is False
    assert (news["new"], news["back"], news["changed"]) == (0, 0, 0)


def test_it_has_the_nodes_that_are_chosen_in_the_order_that_is_asked_for(mixed: Site) -> None:
    body = mixed.get("/api/v1/round?groups=all&family=ready,leftovers")
    assert list(families(body)) == ["ready", "leftovers"]
    assert (body["out"], body["total"], body["of"], body["chosen"]) == (2, 4, 4, "family=ready,leftovers")
    mixed.later(72 * 3600)
    left(mixed, "n0002.savio3", 3)
    mixed.beat()
    assert families(mixed.get("/api/v1/round?only=new")) == {"colleague": ["n0002.savio3"]}
    text = mixed.client.get("/api/v1/round?format=table&only=new&state=down").text
    assert "# 0 nodes shown: only=new state=down\n\nNo node is chosen by this.\n" in text
    mixed.nodes(drained("n1", "no IB", reason_at=mixed.now), drained("n2", "no IB"), drained("n3", "no GPU"))
    mixed.app.extensions["botd"].board.look_again()
    assert families(mixed.get("/api/v1/round?sort=-name"))["colleague"] == ["n3", "n2", "n1"]


def test_a_moment_that_is_none_is_a_400(site: Site) -> None:
    assert site.client.get("/api/v1/round?since=yesterday").status_code == 400


def test_who_has_it_already_gets_304_as_long_as_nothing_but_the_clock_goes_on(mixed: Site) -> None:
    tag = mixed.client.get("/api/v1/round").headers["ETag"]
    mixed.later(2)
    assert mixed.client.get("/api/v1/round", headers={"If-None-Match": tag}).status_code == 304
    mixed.reading("n0000.savio2", ssh=Reading(State.FAIL, "refused"))
    mixed.app.extensions["botd"].board.look_again()
    mixed.later(1)
    assert mixed.client.get("/api/v1/round", headers={"If-None-Match": tag}).status_code == 200


def test_a_line_is_a_family_and_a_row_is_a_node(mixed: Site) -> None:
    lines = mixed.client.get("/api/v1/round?format=ndjson").text.splitlines()
    assert [json.loads(line)["family"] for line in lines] == ["ready", "colleague"]
    rows = list(csv.DictReader(io.StringIO(mixed.client.get("/api/v1/round?format=csv").text)))
    assert [(row["family"], row["node"], row["next"]) for row in rows] == [
        ("ready", "n0000.savio2", "resume"),
        ("colleague", "n0002.savio3", "leave it to who wrote the reason, or ask them"),
    ]
    assert mixed.client.get("/api/v1/round?format=table").text.startswith("2 out of service of 4 nodes")


def test_hostile_text_stays_text_in_every_form(site: Site) -> None:
    hostile = '=cmd()\x1b[31m\u202e<script>"'
    node = SlurmNode("n0000.savio2", "drained", "IDLE", ("DRAIN",), (), hostile, hostile)
    site.nodes(node)
    for form in ("json", "ndjson", "csv", "table"):
        text = site.client.get(f"/api/v1/round?format={form}").text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "'=cmd()" in site.client.get("/api/v1/round?format=csv").text
