"""Who a browser brings: no page of another site has nodes asked, and none reads them under a name of its own."""

from __future__ import annotations

import pytest

from tests.conftest import Site, idle

LOOKS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


@pytest.mark.parametrize(
    ("server", "address", "host", "status"),
    [
        ({}, "127.0.0.1", "localhost:5000", 200),
        ({}, "127.0.0.1", "LOCALHOST.", 200),
        ({}, "127.0.0.1", "127.0.0.1:8080", 200),
        ({}, "127.0.0.1", "[::1]:5000", 200),
        ({}, "127.0.0.1", "evil.example:5000", 421),
        ({}, "127.0.0.1", "localhost.evil.example", 421),
        ({}, "127.0.0.1", "10.0.0.5", 421),
        ({}, "10.0.0.5", "10.0.0.5:5000", 200),
        ({}, "10.0.0.5", "evil.example", 421),
        ({"listen": "mgmt.example:5000"}, "10.0.0.5", "mgmt.example:5000", 200),
        ({}, "0.0.0.0", "any.example", 200),
        ({}, "::", "any.example", 200),
        ({}, "", "any.example", 200),
        ({"names": ["botd.example"]}, "0.0.0.0", "any.example", 421),
        ({"names": ["botd.example"]}, "", "any.example", 421),
        ({"names": ["Botd.example"]}, "127.0.0.1", "botd.example", 200),
        ({"names": ["*"]}, "127.0.0.1", "any.example", 200),
    ],
)
def test_only_a_name_of_botd_is_answered(make_site, server: dict, address: str, host: str, status: int) -> None:
    """`address` is what it listens on, as gunicorn says; it is empty for a unix socket, which has no ports."""
    site: Site = make_site({"server": server})
    of_server = {"SERVER_NAME": address or host, "REMOTE_PORT": "40000" if address else ""}
    response = site.client.get("/api/v1/checks", headers={"Host": host}, environ_overrides=of_server)
    assert response.status_code == status
    if status == 421:
        assert response.get_json()["error"]["code"] == "wrong-host"
        assert "[server] names" in response.get_json()["error"]["message"]


def test_an_answer_that_was_given_before_is_not_given_to_a_wrong_host(site: Site) -> None:
    of_server = {"SERVER_NAME": "127.0.0.1", "REMOTE_PORT": "40000"}
    for _ in range(2):
        assert site.client.get("/api/v1/status").status_code == 200
        assert (
            site.client.get("/api/v1/status", headers={"Host": "evil.example"}, environ_overrides=of_server).status_code
            == 421
        )


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/api/v1/status", "/nodes?max_age=0", "/static/botd.css", "/api/v1/sinfo?max_age=0"])
def test_a_page_of_another_site_asks_nothing(site: Site, path: str, headers: dict) -> None:
    for method in (site.client.get, site.client.post):
        response = method(path, headers={**headers, "Accept": "application/json"})
        assert (response.status_code, response.get_json()["error"]["code"]) == (403, "cross-site")
    assert site.store.sweeps.figures().by_state == {}


def test_who_is_turned_away_is_told_in_text_where_text_is_read(site: Site) -> None:
    response = site.client.get("/nodes?max_age=0", headers={**FOREIGN[0], "Accept": "*/*"})
    assert (response.status_code, response.mimetype) == (403, "text/plain")
    assert response.text.startswith("a page of another site")
    assert "Accept" in response.vary


@pytest.mark.parametrize("path", ["/nodes?nodes=n9", "/node/n9", "/cluster?nodes=n9", "/nodes?nodes=n9&format=json"])
def test_a_link_from_another_site_shows_what_is_known_and_has_nothing_asked(make_site, path: str) -> None:
    site: Site = make_site()
    site.nodes(idle("n9"))
    site.beat()
    assert site.client.get(path, headers=LOOKS).status_code == 200
    assert site.client.get(f"{path}{'&' if '?' in path else '?'}max%5Fage=0", headers=LOOKS).status_code == 403
    assert site.store.sweeps.figures().by_state == {}


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_its_own_pages_and_programs_ask_as_they_like(site: Site, headers: dict) -> None:
    response = site.client.post("/api/v1/status", data="{}", content_type="text/plain", headers=headers)
    assert response.status_code == 200
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert site.client.post("/api/v1/table", data="{}", headers={"Origin": "http://localhost"}).status_code == 200
