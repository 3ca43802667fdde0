"""GET and POST /api/v1/table: the rows that the page draws."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from botd.display.cells import cell
from botd.documents import iso
from botd.model import Reading, State, SweepState
from botd.nodeset import fold
from tests.conftest import Site, drained

NAMES = ("n0000.savio2", "n0001.savio2", "n0002.savio3", "n0010.savio3")


def rows(body: Any) -> dict[str, Any]:
    return {row["node"]: row for row in body["rows"]}


def test_it_has_a_row_for_every_node_in_natural_order(site: Site) -> None:
    body = site.get("/api/v1/table?groups=all")
    assert [row["node"] for row in body["rows"]] == list(NAMES)
    assert (body["count"], body["complete"], body["groups"]) == (4, True, ["all"])


def test_it_says_what_slurm_says(site: Site) -> None:
    at = site.now - timedelta(hours=3)
    site.nodes(drained("n0000.savio2", "bad GPU 3\x1b[1m\u202e", reason_at=at))
    row = rows(site.get("/api/v1/table"))["n0000.savio2"]
    assert row["state"] == "drained"
    assert row["reason"] == "bad GPU 3 [1m"
    assert (row["reason_by"], row["reason_at"], row["groups"]) == ("root", int(at.timestamp()), ["savio2"])


def test_a_node_that_slurm_does_not_know_has_no_state(site: Site) -> None:
    site.nodes(drained("n0000.savio2"), groups={"rack9": ("n0099.savio2",)})
    row = rows(site.get("/api/v1/table?groups=all"))["n0099.savio2"]
    assert (row["state"], row["reason"], row["reason_at"]) == (None, "", None)


def test_a_cell_is_state_text_sort_number_and_time_in_the_order_of_the_checks(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.OK, 0.3, "ms"), ssh=Reading(State.FAIL, "timeout"))
    body = site.get("/api/v1/table?checks=ssh,ping")
    assert [check["name"] for check in body["checks"]] == ["ping", "ssh"]
    now = int(site.now.timestamp())
    assert rows(body)["n0000.savio2"]["cells"] == [["ok", "0.30 ms", 0.3, now], ["fail", "!! timeout", None, now]]


def test_its_texts_are_those_of_the_other_forms(site: Site) -> None:
    site.reading("n0000.savio2", users=Reading(State.WARN, ["amy", "bob"]), df_tmp=Reading(State.SKIPPED))
    readings = site.get("/api/v1/status")["nodes"][0]["readings"]
    texts = [cell(reading, site.checks[name]) for name, reading in readings.items()]
    assert [text for _, text, _, _ in site.get("/api/v1/table")["rows"][0]["cells"]] == texts


def test_a_row_is_made_anew_when_its_readings_are(site: Site) -> None:
    def texts() -> list[str]:
        site.app.extensions["botd"].board.view(fresh=True)
        return [row["cells"][0][1] for row in site.get("/api/v1/table?groups=savio2&checks=ping")["rows"]]

    assert texts() == ["none", "none"]
    site.reading("n0001.savio2", ping=Reading(State.FAIL, None, "ms"))
    assert texts() == ["none", "!! no answer"]


def test_a_node_that_was_never_read_has_cells_without_a_time(site: Site) -> None:
    site.nodes(drained("n0007.savio2"))
    body = site.get("/api/v1/table?checks=ping")
    assert rows(body)["n0007.savio2"]["cells"] == [["unknown", "? unknown", None, None]]
    assert (body["complete"], body["reached"]) == (False, "1 node was not read yet.")


def test_it_declares_its_checks_as_the_checks_do(site: Site) -> None:
    assert site.get("/api/v1/table")["checks"] == site.get("/api/v1/checks")["checks"]


def test_it_shows_what_is_known_and_has_nobody_asked(site: Site) -> None:
    site.nodes(*map(drained, NAMES), drained("n0011.savio3"))
    site.later(86400)
    site.beat()
    body = site.get("/api/v1/table?groups=all")
    assert (len(body["rows"]), body["sweep"]) == (5, None)
    assert site.store.sweeps.figures().by_state == {}


def test_with_a_max_age_it_asks_for_a_sweep_and_names_it(site: Site) -> None:
    site.later(1)
    site.beat()
    site.later(10)
    site.beat()
    body = site.get("/api/v1/table?groups=rack1&max_age=0&wait=0")
    assert site.store.sweeps.get(body["sweep"]).nodeset == fold(NAMES[1:3])


def test_it_names_the_sweep_under_way_that_asks_most_of_its_nodes(site: Site) -> None:
    site.store.sweeps.start(NAMES[3:], ["ping"], site.now)
    sweep = site.store.sweeps.start(NAMES[:3], ["ping"], site.now)
    site.store.sweeps.progress(sweep.id, 2)
    assert site.get("/api/v1/table?groups=all")["running"] == {"sweep": sweep.id, "done": 2, "total": 3}
    assert site.get("/api/v1/table?nodes=n0010.savio3")["running"]["total"] == 1
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    assert site.get("/api/v1/table?groups=savio2")["running"] is None


def test_a_post_takes_lists_too_long_for_a_url(site: Site) -> None:
    body = {"nodes": list(NAMES[1:]), "checks": ["ping", "ssh"]}
    answer = site.client.post("/api/v1/table", json=body).get_json()
    assert list(rows(answer)) == list(NAMES[1:])
    assert len(answer["checks"]) == 2


@pytest.mark.parametrize("body", [{"nodes": "n1"}, {"format": "csv"}, {"fold": True}, {"color": 1}, []])
def test_it_refuses_what_it_does_not_understand(site: Site, body: object) -> None:
    assert site.client.post("/api/v1/table", json=body).status_code == 400


@pytest.mark.parametrize("query", ["format=csv", "width=80", "fold=1", "color=1", "page=2"])
def test_it_takes_no_parameters_of_other_forms(site: Site, query: str) -> None:
    assert site.client.get(f"/api/v1/table?{query}").status_code == 400


def test_it_answers_304_until_a_reading_a_sweep_or_the_list_changes(site: Site) -> None:
    def fresh(tag: str) -> tuple[int, str]:
        site.app.extensions["botd"].board.view(fresh=True)
        response = site.client.get("/api/v1/table", headers={"If-None-Match": tag})
        return response.status_code, response.headers["ETag"]

    status, tag = fresh("")
    assert status == 200
    assert fresh(tag) == (304, tag)
    sweep = site.store.sweeps.start(NAMES, ["ping"], site.now)
    changes = (
        lambda: site.store.sweeps.progress(sweep.id, 1),
        lambda: site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now),
        lambda: site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms")),
        lambda: site.nodes(drained("n0000.savio2", "another reason")),
    )
    for change in changes:
        status, tag = fresh(tag)
        assert status == 200
        assert fresh(tag)[0] == 304
        site.later(1)
        change()
        site.beat()
    assert fresh(tag)[0] == 200


def test_times_are_those_of_the_readings(site: Site) -> None:
    site.reading("n0000.savio2", age_s=75)
    at = site.get("/api/v1/status")["nodes"][0]["readings"]["ping"]["at"]
    assert at == iso(site.now - timedelta(seconds=75))
    assert site.get("/api/v1/table")["rows"][0]["cells"][0][3] == int((site.now - timedelta(seconds=75)).timestamp())
