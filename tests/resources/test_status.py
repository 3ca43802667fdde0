"""GET and POST /api/v1/status, and the routes that are short for it."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from botd.model import Reading, State, SweepState
from tests.conftest import Site, drained, happened, idle
from tests.program import wait_until

READING_KEYS = {"state", "value", "unit", "at", "took_s", "detail"}


def names(body: dict) -> list[str]:
    return [node["node"] for node in body["nodes"]]


def test_it_answers_for_the_down_and_drained_nodes_by_default(site: Site) -> None:
    body = site.get("/api/v1/status")
    assert names(body) == ["n0000.savio2", "n0002.savio3"]
    assert body["groups"] == ["sinfo"]


def test_it_has_the_shape_of_the_design(site: Site) -> None:
    body = site.get("/api/v1/status?groups=rack1")
    assert set(body) == {
        *("as_of", "groups", "checks", "count", "of", "chosen", "complete", "problems", "sweep", "nodes")
    }
    assert (body["count"], body["complete"], body["sweep"], body["problems"]) == (2, True, None, [])
    node = body["nodes"][1]
    assert set(node) == {"node", "groups", "slurm", "readings", "recommendation", "since"}
    assert node["groups"] == ["rack1", "savio3"]
    assert node["slurm"]["state"] == "drained"
    assert node["slurm"]["reason"] == "no IB"
    assert list(node["readings"]) == list(site.checks)
    assert all(set(reading) == READING_KEYS for reading in node["readings"].values())


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("all", ["n0000.savio2", "n0001.savio2", "n0002.savio3", "n0010.savio3"]),
        ("sinfo/savio2", ["n0000.savio2"]),
        ("savio2/n0001", ["n0001.savio2"]),
        ("n00[00-01].savio2", ["n0000.savio2", "n0001.savio2"]),
        ("rack1,n0010.savio3", ["n0001.savio2", "n0002.savio3", "n0010.savio3"]),
        ("sinfo/rack1/savio3", ["n0002.savio3"]),
    ],
)
def test_it_understands_groups_nodesets_and_intersections(site: Site, groups: str, expected: list[str]) -> None:
    assert names(site.get("/api/v1/status", query_string={"groups": groups})) == expected
    assert names(site.get("/api/v1/status", query_string={"g": groups})) == expected


def test_it_sorts_nodes_by_their_numbers(site: Site) -> None:
    body = site.get("/api/v1/status?nodes=n0010.savio3,n0002.savio3")
    assert names(body) == ["n0002.savio3", "n0010.savio3"]


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ("ssh,ping", ["ping", "ssh"]),
        ("df", ["df_scratch", "df_tmp", "df_var"]),
        ("df_tmp", ["df_tmp"]),
        ("df/tmp", ["df_tmp"]),
        ("ipmi", ["ipmi_reachable", "ipmi_state"]),
    ],
)
def test_it_takes_a_list_of_checks_and_parents(site: Site, checks: str, expected: list[str]) -> None:
    body = site.get("/api/v1/status", query_string={"checks": checks})
    assert body["checks"] == expected
    assert list(body["nodes"][0]["readings"]) == expected


@pytest.mark.parametrize(
    ("url", "checks"),
    [
        ("/api/v1/status/ssh?g=rack1", ["ssh"]),
        ("/api/v1/status/df?g=rack1", ["df_scratch", "df_tmp", "df_var"]),
        ("/api/v1/status/cmd/uptime?g=rack1", ["uptime"]),
        ("/api/v1/status/cmd/df/scratch?g=rack1", ["df_scratch"]),
        ("/api/v1/status-ping?g=rack1", ["ping"]),
        ("/api/v1/status-ssh?g=rack1", ["ssh"]),
        ("/api/v1/status-uptime?g=rack1", ["uptime"]),
        ("/api/v1/status-ipmi-reachable?g=rack1", ["ipmi_reachable"]),
        ("/api/v1/status-ipmi-state?g=rack1", ["ipmi_state"]),
        ("/api/v1/df?g=rack1", ["df_scratch", "df_tmp", "df_var"]),
        ("/api/v1/df/scratch?g=rack1", ["df_scratch"]),
    ],
)
def test_it_has_short_forms_for_one_check_of_a_group(site: Site, url: str, checks: list[str]) -> None:
    body = site.get(url)
    assert body["checks"] == checks
    assert names(body) == ["n0001.savio2", "n0002.savio3"]


def test_it_answers_for_one_node_by_its_full_or_short_name(site: Site) -> None:
    assert names(site.get("/api/v1/status/n0010.savio3")) == ["n0010.savio3"]
    assert names(site.get("/api/v1/status/n0010")) == ["n0010.savio3"]


def test_it_takes_lists_in_the_body_of_a_post(site: Site) -> None:
    asked = {"nodes": ["n0001.savio2"], "groups": ["sinfo/savio2"], "checks": ["ping"], "max_age": 60}
    body = site.client.post("/api/v1/status", json=asked).get_json()
    assert names(body) == ["n0000.savio2", "n0001.savio2"]
    assert body["checks"] == ["ping"]


@pytest.mark.parametrize(
    ("url", "status", "code", "words"),
    [
        ("/api/v1/status?groups=rack2", 404, "unknown-", 'did you mean "rack1"'),
        ("/api/v1/status?groups=nosuch", 404, "unknown-group", '"nosuch"'),
        ("/api/v1/status?nodes=n0003.savio2", 404, "unknown-node", "n0003.savio2"),
        ("/api/v1/status/n9", 404, "unknown-node", '"n9"'),
        ("/api/v1/status?checks=upltime", 404, "unknown-check", 'did you mean "uptime"'),
        ("/api/v1/status/cmd/df/home?g=rack1", 404, "unknown-check", "df/home"),
        ("/api/v1/status?grops=rack1", 400, "bad-request", 'did you mean "groups"'),
        ("/api/v1/status?groups=rack1&g=rack1", 400, "bad-request", "short for"),
        ("/api/v1/status?max_age=soon", 400, "bad-request", "max_age"),
        ("/api/v1/status?max_age=-1", 400, "bad-request", "max_age"),
        ("/api/v1/status?max_age=nan", 400, "bad-request", "max_age"),
        ("/api/v1/status?format=xml", 400, "bad-request", "format"),
        ("/api/v1/status?nodes=-x", 400, "bad-nodeset", "is not a name"),
        ("/api/v1/status?nodes=a;b", 400, "bad-nodeset", "is not a name"),
        ("/api/v1/status?nodes=a@b", 400, "bad-nodeset", "is not a name"),
        ("/api/v1/status?nodes=a%20b", 400, "bad-nodeset", "is not a name"),
        ("/api/v1/status?nodes=a%0Ab", 400, "bad-nodeset", "is not a name"),
        ("/api/v1/status?nodes=%22a%22", 400, "bad-nodeset", "is not a name"),
        ("/api/v1/status?nodes='a'", 400, "bad-nodeset", "is not a name"),
        ("/api/v1/status?nodes=n[1-", 400, "bad-nodeset", "cannot read"),
        ("/api/v1/status?nodes=n[1-999999999]", 400, "bad-nodeset", "more than"),
        ("/api/v1/status?nodes=n[0-9][0-9][0-9][0-9][0-9][0-9][0-9]", 400, "bad-nodeset", "more than"),
    ],
)
def test_it_refuses_what_it_cannot_understand(site: Site, url: str, status: int, code: str, words: str) -> None:
    response = site.client.get(url)
    error = response.get_json()["error"]
    assert set(response.get_json()) == {"error"}
    assert set(error) == {"status", "code", "message"}
    assert (response.status_code, error["status"]) == (status, status)
    assert error["code"].startswith(code)
    assert words in error["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"nodes": "n1"}', b'{"nodes": [1]}', b'{"nod": []}', b""])
def test_it_refuses_a_body_that_it_cannot_understand(site: Site, body: bytes) -> None:
    response = site.client.post("/api/v1/status", data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.get_json()["error"]["code"] == "bad-request"


def test_it_refuses_a_body_that_is_too_large(site: Site) -> None:
    response = site.client.post("/api/v1/status", data=b" " * 2_000_001, content_type="application/json")
    assert response.status_code == 413
    assert response.get_json()["error"]["code"] == "too-large"


def test_it_refuses_a_list_of_more_nodes_than_allowed(make_site) -> None:
    small = make_site({"server": {"max_nodes": 3}})
    small.nodes()
    response = small.client.get("/api/v1/status?nodes=n[1-4]")
    assert response.status_code == 400
    assert "more than 3" in response.get_json()["error"]["message"]


def test_it_names_the_methods_that_it_takes(site: Site) -> None:
    response = site.client.delete("/api/v1/status")
    assert response.status_code == 405
    assert response.get_json()["error"]["code"] == "method-not-allowed"
    assert "GET" in response.headers["Allow"]


def test_it_answers_in_csv_where_no_cell_is_a_formula(site: Site) -> None:
    site.nodes(drained("n0000.savio2", reason="=cmd()|x"))
    response = site.client.get("/api/v1/status?format=csv&checks=ping,df")
    rows = list(csv.reader(io.StringIO(response.text)))
    assert response.content_type == "text/csv; charset=utf-8"
    assert rows[0][:6] == ["node", "groups", "slurm_state", "reason", "reason_by", "reason_at"]
    assert rows[0][6:13] == ["diagnosis", "family", "action", "action_at_least", "action_good", "action_of", "since"]
    assert rows[0][13:17] == ["ping_state", "ping_ms", "df_scratch_state", "df_scratch_size_bytes"]
    assert (rows[1][3], rows[1][6:9]) == ("'=cmd()|x", ["colleague", "colleague", "person"])


def test_it_answers_in_ndjson_one_node_a_line(site: Site) -> None:
    response = site.client.get("/api/v1/status?groups=all&format=ndjson")
    nodes = [json.loads(line)["node"] for line in response.text.splitlines()]
    assert nodes == ["n0000.savio2", "n0001.savio2", "n0002.savio3", "n0010.savio3"]


def test_it_answers_as_an_aligned_table(site: Site) -> None:
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms", detail="no answer to 3 packets"))
    lines = site.client.get("/api/v1/status?checks=ping&format=table").text.splitlines()
    assert lines[0].split() == ["NODE", "STATE", "DIAGNOSIS", "PING", "SINCE", "BY", "REASON"]
    assert "!! no answer" in lines[1]
    assert lines[1].index("bad GPU") == lines[2].index("no IB") == lines[0].index("REASON")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("*/*", "application/json"),
        ("text/csv;q=0.5, application/json", "application/json"),
    ],
)
def test_it_answers_in_the_form_that_the_client_accepts(site: Site, accept: str, content_type: str) -> None:
    assert site.client.get("/api/v1/status", headers={"Accept": accept}).content_type == content_type


def test_it_says_when_it_has_no_acceptable_form(site: Site) -> None:
    response = site.client.get("/api/v1/status", headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert response.get_json()["error"]["code"] == "not-acceptable"


def test_it_answers_304_until_something_changes(site: Site) -> None:
    first = site.client.get("/api/v1/status")
    again = site.client.get("/api/v1/status", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    site.later(1)
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"))
    site.beat()
    site.app.extensions["botd"].board.view(fresh=True)
    after = site.client.get("/api/v1/status", headers={"If-None-Match": first.headers["ETag"]})
    assert after.status_code == 200
    assert after.headers["ETag"] != first.headers["ETag"]


def test_it_tells_the_forms_apart_in_the_entity_tag(site: Site) -> None:
    tags = {site.client.get(f"/api/v1/status?format={form}").headers["ETag"] for form in ("json", "csv", "table")}
    assert len(tags) == 3


def test_it_keeps_nodes_that_were_never_read_in_the_answer(site: Site) -> None:
    site.nodes(drained("n0007.savio2"))
    body = site.get("/api/v1/status?wait=0&checks=ping")
    assert names(body) == ["n0007.savio2"]
    assert body["nodes"][0]["readings"]["ping"]["state"] == "unknown"
    assert body["nodes"][0]["readings"]["ping"]["detail"] == "not read yet"
    assert body["complete"] is False


def test_no_nodes_are_a_whole_answer_that_asks_for_no_sweep(make_site) -> None:
    well = make_site()
    well.nodes(idle("n1"))
    well.beat()
    body = well.get("/api/v1/status?wait=0")
    assert (body["count"], body["complete"], body["sweep"]) == (0, True, None)


def test_it_asks_for_a_sweep_where_readings_are_too_old_and_says_which(site: Site) -> None:
    site.later(400)
    site.beat()
    body = site.get("/api/v1/status?groups=rack1&wait=0")
    assert body["complete"] is False
    assert site.store.sweeps.get(body["sweep"]).nodeset == "n0001.savio2,n0002.savio3"


def test_it_asks_for_no_sweep_where_readings_are_young_enough(site: Site) -> None:
    site.later(100)
    site.beat()
    assert site.get("/api/v1/status?groups=rack1&wait=0")["complete"] is True
    assert site.get("/api/v1/status?groups=rack1&wait=0&max_age=1000")["sweep"] is None
    assert site.get("/api/v1/status?groups=rack1&wait=0&max_age=50")["sweep"] is not None


def test_no_client_has_a_node_asked_again_that_has_only_just_answered(site: Site) -> None:
    site.later(4)
    site.beat()
    body = site.get("/api/v1/status?wait=0&max_age=0")
    assert (body["complete"], body["sweep"]) == (True, None)
    site.later(2)
    body = site.get("/api/v1/status?wait=0&max_age=0")
    assert (body["complete"], body["sweep"]) == (False, 1)


def test_who_waits_leaves_threads_to_others(make_site) -> None:
    site = make_site({"server": {"threads": 2}})
    site.nodes(idle("n1"))
    site.beat()
    url = "/api/v1/status?nodes=n1"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(site.get, url)
        wait_until(lambda: site.client.get("/api/v1/sweeps/1").status_code == 200)
        refused = site.client.get(url)
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (429, "too-many")
        assert int(refused.headers["Retry-After"]) > 0
        assert site.client.get("/healthz").status_code == 200
        assert site.get(url + "&wait=0")["sweep"] == 1
        site.store.sweeps.end(1, SweepState.DONE, [], site.now)
        assert waiting.result(20)["sweep"] == 1
    assert site.get(url + "&wait=0.01")["sweep"] == 2


def test_it_answers_from_the_store_and_says_so_when_the_agent_is_not_running(site: Site) -> None:
    site.later(60)
    body = site.get("/api/v1/status?max_age=0")
    assert body["complete"] is False
    assert body["sweep"] is None
    assert names(body) == ["n0000.savio2", "n0002.savio3"]
    assert "the agent is not running" in body["problems"][0]


def test_it_refuses_more_waiting_sweeps_than_the_queue_holds(make_site) -> None:
    small = make_site({"sweep": {"queue": 1}})
    small.nodes(idle("n1"), idle("n2"))
    small.beat()
    assert small.client.get("/api/v1/status?nodes=n1&wait=0").status_code == 200
    response = small.client.get("/api/v1/status?nodes=n2&wait=0")
    assert response.status_code == 429
    assert response.get_json()["error"]["code"] == "too-many"


def test_it_says_when_no_agent_has_ever_run(make_site) -> None:
    response = make_site().client.get("/api/v1/status")
    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "no-node-list"
    assert "botd agent" in response.get_json()["error"]["message"]


def test_a_locked_database_is_a_503_that_says_so(site: Site) -> None:
    site.later(10)
    site.beat()
    other = sqlite3.connect(site.folder / "botd.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    response = site.client.get("/api/v1/status?max_age=0&wait=0")
    other.execute("ROLLBACK")
    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "store-unavailable"
    assert "locked" in response.get_json()["error"]["message"]
    assert site.get("/api/v1/status?wait=0&max_age=0")["sweep"] == 1


def test_answers_that_need_nothing_written_go_on_while_somebody_writes(site: Site) -> None:
    other = sqlite3.connect(site.folder / "botd.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert site.client.get("/api/v1/status").status_code == 200
    other.execute("ROLLBACK")


def test_a_node_that_is_not_well_has_a_recommendation_whatever_checks_are_asked_for(site: Site) -> None:
    site.reading("n0001.savio2", ssh=Reading(State.FAIL, "refused", detail="connection refused"))
    nodes = {
        node["node"]: node["recommendation"] for node in site.get("/api/v1/status?groups=all&checks=ping")["nodes"]
    }
    assert (nodes["n0001.savio2"]["diagnosis"], nodes["n0001.savio2"]["action"]) == ("ssh-refused", "person")
    assert nodes["n0002.savio3"]["family"] == "colleague"
    assert nodes["n0010.savio3"] is None


def test_a_diagnosis_that_changes_by_its_neighbours_changes_the_answer(site: Site) -> None:
    names = tuple(f"n{number:04d}.savio2" for number in range(8))
    site.nodes(*map(idle, names))

    def diagnoses(silent: int) -> list[str]:
        for name in names[:silent]:
            site.reading(name, ping=Reading(State.FAIL), ssh=Reading(State.FAIL, "timeout"))
        site.app.extensions["botd"].board.view(fresh=True)
        nodes = site.get("/api/v1/status?groups=all")["nodes"]
        return [node["recommendation"]["diagnosis"] for node in nodes if node["recommendation"]]

    for name in names:
        site.reading(name)
    assert diagnoses(4) == ["silent"] * 4
    assert diagnoses(5) == ["rack-silent"] * 5


def test_the_history_of_a_node_counts_in_its_recommendation(site: Site) -> None:
    site.nodes(drained("n0000.savio2", "Kill task failed"))
    for days in (1, 5, 9):
        happened(site, "n0000.savio2", ago_s=days * 86400)
    site.reading("n0000.savio2", ssh=Reading(State.OK, "up"), jobs=Reading(State.OK, []))
    advice = site.get("/api/v1/status")["nodes"][0]["recommendation"]
    assert (advice["diagnosis"], advice["action"]) == ("ready-killed", "person")
    assert [refusal["guard"] for refusal in advice["refused_by"]] == ["repeat"]
    assert "3rd time in 30 days" in advice["explanation"]


def test_folded_nodes_have_one_cause(site: Site) -> None:
    site.nodes(*(drained(name, "Kill task failed") for name in ("n0000.savio2", "n0001.savio2")))
    [fold] = site.get("/api/v1/status?fold=1")["nodes"]
    assert (fold["count"], fold["recommendation"]["family"], fold["recommendation"]["evidence"]) == (2, "ready", "")


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "table"])
def test_every_form_has_the_nodes_that_are_chosen_in_their_order(site: Site, form: str) -> None:
    site.reading("n0010.savio3", ssh=Reading(State.FAIL, "refused"))
    url = f"/api/v1/status?groups=all&checks=ping,ssh&any=fail,ok&state=idle&sort=-name&format={form}"
    found = re.findall(r"\bn00\d\d\.savio\d", site.client.get(url).text)
    assert list(dict.fromkeys(found)) == ["n0010.savio3", "n0001.savio2"]
    assert "\n# 2 of 4 nodes shown: any=fail,ok state=idle, as of" in site.client.get(url).text or form != "table"


def test_a_choice_says_how_many_of_how_many_and_refuses_what_it_does_not_know(site: Site) -> None:
    body = site.get("/api/v1/status?groups=all&family=colleague")
    assert (body["count"], body["of"], body["chosen"]) == (2, 4, "family=colleague")
    assert len(body["nodes"]) == 2
    whole = site.get("/api/v1/status?groups=all&sort=-name&family=")
    assert (whole["count"], whole["of"], whole["chosen"], whole["nodes"][0]["node"]) == (4, 4, "", "n0010.savio3")
    for path in ("/", "/nodes", "/api/v1/status", "/api/v1/table"):
        refused = site.get(f"{path}?family=shh&format=json".replace("table?family=shh&format=json", "table?family=shh"))
        assert refused["error"]["message"] == 'parameter "family": there is no "shh"; did you mean "ssh"?'


def test_what_is_new_is_new_by_the_clock_also_where_nothing_else_changes(site: Site) -> None:
    site.nodes(drained("n0000.savio2", reason_at=site.now - timedelta(hours=23)))
    url = "/api/v1/status?groups=all&only=new"
    assert site.get(url)["count"] == 1
    assert site.get(url + "&since=22h")["count"] == 0
    site.later(2 * 3600)
    site.beat()
    assert site.get(url + "&max_age=99999")["count"] == 0
