"""GET /api/v1/sinfo, /api/v1/hostinfo and /api/v1/group-list."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from botd.model import Reading, SlurmNode, State
from tests.conftest import Site, drained, idle

NASTY = "quote \" ' tab\t back\\slash | % <b>x</b> \x1b[31m =cmd() \u202e"


def test_it_lists_down_and_drained_nodes_with_their_reasons(site: Site) -> None:
    body = site.get("/api/v1/sinfo")
    assert [(node["node"], node["state"], node["reason"]) for node in body["nodes"]] == [
        ("n0000.savio2", "drained", "bad GPU 3, RMA open"),
        ("n0002.savio3", "drained", "no IB"),
    ]
    assert (body["count"], body["complete"], body["problems"]) == (2, True, [])


def test_it_gives_a_reason_back_exactly(site: Site) -> None:
    site.nodes(drained("n1", NASTY + "x" * 2000))
    assert site.get("/api/v1/sinfo?max_age=60")["nodes"][0]["reason"] == NASTY + "x" * 2000


def test_it_shows_a_reason_in_text_without_control_characters(site: Site) -> None:
    site.nodes(drained("n1", NASTY))
    text = site.client.get("/api/v1/sinfo?format=table").text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize(("status", "code"), [(502, "slurm-failed"), (504, "slurm-timeout")])
def test_it_answers_502_or_504_with_the_age_of_the_last_list_when_slurm_fails(
    site: Site, status: int, code: str
) -> None:
    site.later(120)
    site.beat()
    site.slurm_fails(status, "sinfo did not work")
    response = site.client.get("/api/v1/sinfo")
    assert response.status_code == status
    assert response.get_json()["error"]["code"] == code
    assert "sinfo did not work" in response.get_json()["error"]["message"]
    assert "120 s old" in response.get_json()["error"]["message"]


def test_it_still_gives_the_last_good_list_to_who_accepts_its_age(site: Site) -> None:
    site.later(120)
    site.beat()
    site.slurm_fails(502, "sinfo did not work")
    body = site.get("/api/v1/sinfo?max_age=180")
    assert body["count"] == 2
    assert body["complete"] is False
    assert "sinfo did not work" in body["problems"][0]


def test_it_keeps_answering_for_the_group_sinfo_from_the_last_good_list(site: Site) -> None:
    site.later(20)
    site.beat()
    site.slurm_fails(502, "sinfo did not work")
    body = site.get("/api/v1/status?groups=sinfo&wait=0")
    assert body["count"] == 2
    assert body["complete"] is False
    assert "sinfo did not work" in body["problems"][0]


def test_it_answers_502_for_the_group_sinfo_where_there_never_was_a_list(make_site) -> None:
    fresh = make_site()
    fresh.store.write_node_list(
        b'{"as_of":null,"problems":[],"nodes":[],"groups":[]}',
        as_of=None,
        error=(502, "sinfo: not found"),
        now=fresh.now,
    )
    fresh.beat()
    response = fresh.client.get("/api/v1/status?groups=sinfo")
    assert response.status_code == 502
    assert "sinfo: not found" in response.get_json()["error"]["message"]


def test_it_asks_the_agent_for_a_younger_list(site: Site) -> None:
    site.later(6)
    site.beat()
    site.config.slurm.__dict__["timeout"] = 0.01  # nobody answers here
    site.client.get("/api/v1/sinfo?max_age=1")
    wanted = site.store.pulse().list_wanted_at
    assert wanted is not None
    assert abs((wanted - site.now).total_seconds()) < 0.01


def test_it_says_what_slurm_knows_of_a_node(site: Site) -> None:
    at = datetime(2026, 11, 23, 20, 16, 37, tzinfo=UTC)
    site.nodes(
        SlurmNode(
            "n1.savio2", "mixed", "MIXED", reason_at=at, partitions=("savio2",), features=("ib",), memory_mb=64000
        )
    )
    site.reading("n1.savio2", jobs=Reading(State.OK, ["12", "13_4"], detail="12 alice running"))
    node = site.get("/api/v1/hostinfo?h=n1")["nodes"][0]
    assert (node["node"], node["state"], node["features"]) == ("n1.savio2", "mixed", ["ib"])
    assert node["jobs"] == ["12", "13_4"]
    assert node["reason_at"] == "2026-11-23T20:16:37.000Z"


def test_it_asks_for_the_name_of_a_node(site: Site) -> None:
    response = site.client.get("/api/v1/hostinfo")
    assert response.status_code == 400
    assert "hostinfo?h=" in response.get_json()["error"]["message"]


def test_it_says_that_slurm_does_not_know_a_node_of_a_group_file(site: Site) -> None:
    site.nodes(idle("n1"), groups={"bmcs": ("x1",)})
    response = site.client.get("/api/v1/hostinfo?h=x1")
    assert response.status_code == 404
    assert "group file" in response.get_json()["error"]["message"]


def test_it_lists_groups_with_their_source_and_size(site: Site) -> None:
    body = site.get("/api/v1/group-list")
    assert [(group["group"], group["source"], group["count"]) for group in body["groups"]] == [
        ("sinfo", "slurm", 2),
        ("all", "slurm and group files", 4),
        ("rack1", "/etc/pdsh/group/rack1", 2),
        ("savio2", "slurm", 2),
        ("savio3", "slurm", 2),
    ]
