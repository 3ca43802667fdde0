"""GET /healthz: whether botd works, for programs that watch it."""

from __future__ import annotations

import sqlite3

from tests.conftest import Site, idle


def test_it_is_well_when_agent_and_node_list_are(site: Site) -> None:
    response = site.client.get("/healthz")
    assert response.status_code == 200
    body = response.get_json()
    assert body["status"] == "ok"
    assert body["agent"]["alive"] is True
    assert body["node_list"]["age_s"] is not None


def test_it_says_whether_anything_acts_and_by_one_user(make_site) -> None:
    site = make_site({"actions": {"mode": "on", "one_user": True}})
    assert site.client.get("/healthz").get_json()["actions"] == {"mode": "on", "one_user": True}


def test_it_is_not_well_without_an_agent(site: Site) -> None:
    site.later(60)
    response = site.client.get("/healthz")
    assert response.status_code == 503
    assert response.get_json()["problems"] == ["the agent is not running"]


def test_it_is_not_well_before_the_first_node_list(make_site) -> None:
    empty = make_site()
    empty.beat()
    response = empty.client.get("/healthz")
    assert response.status_code == 503
    assert response.get_json()["problems"] == ["no node list has been read yet"]


def test_it_tells_what_became_of_a_damaged_database_and_is_well(site: Site) -> None:
    with sqlite3.connect(site.folder / "botd.db") as database:
        database.execute("UPDATE pulse SET note = 'kept as x'")
    response = site.client.get("/healthz")
    assert (response.status_code, response.get_json()["notes"]) == (200, ["kept as x"])


def test_it_tells_which_built_in_check_a_site_has_replaced_and_is_well(make_site) -> None:
    site = make_site({"check": [{"name": "load", "command": "mpstat"}]})
    site.nodes(idle("n1"))
    site.beat()
    response = site.client.get("/healthz")
    notes = ['[[check]] "load" takes the place of the built-in check of that name']
    assert (response.status_code, response.get_json()["notes"]) == (200, notes)


def test_it_is_not_well_while_slurm_fails(site: Site) -> None:
    site.slurm_fails(504, "sinfo hangs")
    response = site.client.get("/healthz")
    assert response.status_code == 503
    assert response.get_json()["node_list"]["error"] == "sinfo hangs"


def test_a_database_that_is_gone_is_a_503(site: Site) -> None:
    site.store.close()
    site.app.extensions["botd"].store.close()
    for path in site.folder.glob("botd.db*"):
        path.unlink()
    response = site.client.get("/healthz")
    assert response.status_code == 503
    assert "botd agent" in response.get_json()["error"]["message"]


def test_an_agent_that_beat_in_a_time_to_come_counts_as_dead_until_it_beats_again(site: Site) -> None:
    site.later(-3600)
    assert site.client.get("/healthz").status_code == 503
    site.beat()
    assert site.client.get("/healthz").status_code == 200
