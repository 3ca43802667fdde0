"""The same request again: the same answer without Flask, for as long as it is the answer and no longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import request_started

from botd.model import Reading, State
from tests.conftest import Site, drained

STATUS = "/api/v1/status?groups=all"


class Counted:
    """How often Flask was asked."""

    count = 0


@pytest.fixture
def flask(site: Site) -> Iterator[Counted]:
    counted = Counted()

    def hear(*_: object, **__: object) -> None:
        counted.count += 1

    with request_started.connected_to(hear, site.app):
        yield counted


def look_again(site: Site) -> None:
    """The web process looks at the store again, as it does by itself a moment later."""
    site.app.extensions["botd"].board.view(fresh=True)


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_the_same_request_is_answered_with_the_same_bytes_without_flask(site: Site, flask: Counted, form: str) -> None:
    first, again = (site.client.get(f"{STATUS}&format={form}") for _ in range(2))
    assert flask.count == 1
    assert (again.status, again.data, list(again.headers)) == (first.status, first.data, list(first.headers))


def test_304_is_repeated_too(site: Site, flask: Counted) -> None:
    tag = site.client.get(STATUS).headers["ETag"]
    for _ in range(3):
        response = site.client.get(STATUS, headers={"If-None-Match": tag})
        assert (response.status_code, response.data, response.headers["ETag"]) == (304, b"", tag)
    assert flask.count == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/csv"},
        {"Accept-Encoding": "gzip"},
        {"Authorization": "Basic YTpi"},
        {"Cookie": "who=ann"},
        {"If-None-Match": '"x"'},
        {"If-Match": '"x"'},
    ],
)
def test_another_request_is_not_taken_for_the_same(site: Site, flask: Counted, headers: dict[str, str]) -> None:
    client = site.app.test_client(use_cookies=False)
    plain = client.get(STATUS)
    other = client.get(STATUS, headers=headers)
    assert flask.count == 2
    assert client.get(STATUS).data == plain.data
    assert client.get(STATUS, headers=headers).status == other.status
    assert client.get(f"{STATUS}&checks=ping").data != plain.data
    assert client.get("/api/v1/status/ssh?groups=all").data != plain.data


def test_a_new_reading_ends_it(site: Site, flask: Counted) -> None:
    site.client.get(STATUS)
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"))
    look_again(site)
    assert site.get(STATUS)["nodes"][0]["readings"]["ping"]["state"] == "fail"
    assert flask.count == 2


def test_a_new_node_list_ends_it(site: Site) -> None:
    assert site.get(STATUS)["count"] == 4
    site.nodes(drained("n0000.savio2"))
    look_again(site)
    assert [node["node"] for node in site.get(STATUS)["nodes"]] == ["n0000.savio2"]


def test_a_list_that_slurm_no_longer_gives_ends_it(site: Site) -> None:
    assert site.get("/api/v1/status")["complete"] is True
    site.slurm_fails(502, "sinfo failed")
    look_again(site)
    assert site.get("/api/v1/status")["complete"] is False
    site.slurm_fails(502, "sinfo failed in another way")
    look_again(site)
    assert "another way" in site.get("/api/v1/status")["problems"][0]


def test_a_reading_that_gets_too_old_ends_it(site: Site) -> None:
    assert site.get(f"{STATUS}&max_age=100&wait=0")["sweep"] is None
    site.later(99)
    site.beat()
    look_again(site)
    assert site.get(f"{STATUS}&max_age=100&wait=0")["sweep"] is None
    site.later(2)
    assert site.get(f"{STATUS}&max_age=100&wait=0")["sweep"] is not None


def test_one_reading_that_gets_too_old_ends_it(site: Site) -> None:
    site.reading("n0001.savio2", age_s=60)
    look_again(site)
    assert site.get(f"{STATUS}&max_age=100&wait=0")["sweep"] is None
    site.later(41)
    site.beat()
    look_again(site)
    assert site.get(f"{STATUS}&max_age=100&wait=0")["sweep"] is not None


def test_a_clock_that_is_set_back_ends_it(site: Site) -> None:
    assert site.get(f"{STATUS}&wait=0")["sweep"] is None
    site.later(-5)
    site.beat()
    look_again(site)
    assert site.get(f"{STATUS}&wait=0")["complete"] is False


def test_an_agent_that_dies_ends_it(site: Site) -> None:
    assert site.get(STATUS)["complete"] is True
    site.later(11)
    assert "the agent is not running" in site.get(STATUS)["problems"][0]
    site.beat()
    look_again(site)
    assert site.get(STATUS)["problems"] == []


def test_a_store_that_is_gone_is_a_503_and_no_old_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.board.board.RECHECK_S", -1.0)
    site.client.get(STATUS)
    (site.folder / "botd.db").rename(site.folder / "away.db")
    response = site.client.get(STATUS)
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "store-unavailable")


@pytest.mark.parametrize(
    "url",
    [
        f"{STATUS}&format=table",  # tells ages
        f"{STATUS}&max_age=30",  # wants a node list of now
        "/api/v1/table?groups=all",  # tells of sweeps
        "/nodes?groups=all",
        "/api/v1/status?groups=nosuch",
        "/healthz",
        "/api/v1/sinfo",
    ],
)
def test_what_may_be_another_answer_each_time_is_asked_each_time(site: Site, flask: Counted, url: str) -> None:
    for _ in range(2):
        site.client.get(url)
    assert flask.count == 2


def test_an_answer_that_is_not_complete_is_asked_again(site: Site, flask: Counted) -> None:
    site.nodes(drained("n0000.savio2"), drained("n0009.savio2"))
    look_again(site)
    for _ in range(2):
        assert site.get(f"{STATUS}&wait=0")["complete"] is False
    assert flask.count == 2


def test_only_get_is_repeated(site: Site, flask: Counted) -> None:
    for _ in range(2):
        site.client.get(STATUS)
        assert site.client.head(STATUS).data == b""
        assert site.client.post(STATUS, json={}).status_code == 200
        assert site.client.delete(STATUS).status_code == 405
    assert flask.count == 1 + 3 * 2
