"""`[access] read = "known"`: nobody reads anything without having logged in; the way in stays open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from botd.access.tokens import new_token, token_hash
from botd.model import SweepState
from botd.resources import ROUTES
from tests.conftest import Site, drained
from tests.office import Office, bearer

CLOSED = (
    "/",
    "/nodes",
    "/cluster",
    "/changes",
    "/offenders",
    "/node/n1",
    "/me",
    "/api",
    "/nowhere",
    "/node/n1/history.svg",
)
HTML = {"Accept": "text/html"}


@pytest.fixture
def closed(make_site: Callable[..., Site]) -> Site:
    site = make_site({"access": {"read": "known"}})
    site.nodes(drained("n1"))
    site.reading("n1")
    site.beat()
    return site


def paths() -> list[str]:
    filled = [route.path for route in ROUTES if "<" not in route.path] + [
        "/api/v1/status/n1",
        "/api/v1/sweeps/1/events",
    ]
    return [path for path in filled if path not in ("/healthz", "/api/v2/login")]


@pytest.mark.parametrize("path", [*CLOSED, *paths(), "//api/v1/status", "/api/v1/../v1/status"])
def test_who_is_not_known_reads_nothing(closed: Site, path: str) -> None:
    response = closed.client.get(path)
    assert response.status_code == 401
    assert "n1" not in response.text.replace(path, "")


@pytest.mark.parametrize("path", CLOSED)
def test_a_browser_is_led_to_the_login_and_back(closed: Site, path: str) -> None:
    response = closed.client.get(f"{path}?a=1&b=2", headers=HTML)
    assert response.status_code == 303
    assert response.headers["Location"].startswith("/login?to=%2F")
    assert 'value="' + path in closed.client.get(response.headers["Location"], headers=HTML).text


@pytest.mark.parametrize("path", ["/login", "/static/botd.css", "/healthz"])
def test_the_way_in_is_open(closed: Site, path: str) -> None:
    assert closed.client.get(path).status_code in (200, 503)


def test_who_is_known_reads_until_the_session_ends_though_answers_are_kept(closed: Site) -> None:
    with Office(closed).open():
        login = {"login": "anna", "password": "anna", "code": "111111"}
        token = closed.client.post("/api/v2/login", json=login).json["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        for _ in range(3):
            assert closed.client.get("/api/v1/status?groups=all&max_age=999", headers=bearer).status_code == 200
        assert closed.client.get("/metrics", headers=bearer).status_code == 200
        assert closed.client.delete("/api/v2/login", headers=bearer).status_code == 204
        assert closed.client.get("/api/v1/status?groups=all&max_age=999", headers=bearer).status_code == 401
        assert closed.client.post("/api/v1/status", json={"groups": ["all"]}).status_code == 401


def test_a_token_for_reading_is_enough_for_figures_and_streams_until_it_ends(closed: Site) -> None:
    sweep = closed.store.sweeps.start(["n1"], ["ping"], closed.now)
    closed.store.sweeps.end(sweep.id, SweepState.DONE, [], closed.now)
    stream = f"/api/v1/sweeps/{sweep.id}/events"
    with Office(closed).open():
        login = {"login": "anna", "password": "anna", "code": "111111"}
        session = {"Authorization": f"Bearer {closed.client.post('/api/v2/login', json=login).json['token']}"}
        asked = {"name": "Prometheus", "scope": "read"}
        made = closed.client.post("/api/v2/tokens", json=asked, headers=session).json
        token = {"Authorization": f"Bearer {made['token']}"}
        assert "botd_build_info" in closed.client.get("/metrics", headers=token).text
        assert "event: end" in closed.client.get(stream, headers=token).text
        assert closed.client.delete(f"/api/v2/tokens/{made['id']}", headers=session).status_code == 204
        assert {closed.client.get(path, headers=token).status_code for path in ("/metrics", stream)} == {401}


def test_a_session_is_over_at_its_time_though_no_agent_takes_its_copy_away(closed: Site) -> None:
    shown = bearer(closed)  # good for an hour
    assert closed.client.get("/api/v1/checks", headers=shown).status_code == 200
    closed.later(3599)
    assert closed.client.get("/api/v1/checks", headers=shown).status_code == 200
    closed.later(1)
    assert closed.client.get("/api/v1/checks", headers=shown).status_code == 401


@pytest.mark.parametrize("told", [[1], 3, {}, {"login": "kmf", "until": "2099"}, {"login": 1, "until": 3}])
def test_a_copy_of_another_shape_is_damage_and_lets_nobody_in(closed: Site, told: object) -> None:
    token = new_token()
    closed.store.copies.put("session", {token_hash(token): told})
    for path in ("/", "/api/v2/me", "/api/v1/status"):
        answer = closed.client.get(path, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "store-damaged")


def test_a_database_that_cannot_be_read_lets_nobody_in(closed: Site) -> None:
    with closed.store._db.write() as db:
        db.exec_driver_sql("DROP TABLE copies")
    token = "x" * 43
    assert closed.client.get("/api/v1/status", headers={"Authorization": f"Bearer {token}"}).status_code == 503
