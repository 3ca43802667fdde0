"""The pages /login and /me: forms, redirects and a cookie, without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from botd.pages.people import local_path
from tests.conftest import Site
from tests.office import Office

HTML = {"Accept": "text/html"}
ANNA = {"login": "anna", "password": "anna", "code": "111111"}


@pytest.fixture
def office(site: Site) -> Iterator[Office]:
    with Office(site).open() as opened:
        yield opened


def form_of(response: TestResponse) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', response.text)
    assert found, response.text
    return found[1]


def log_in(client: FlaskClient, **more: str) -> TestResponse:
    """Logs in as a browser of old does: by the page's form and its cookie."""
    form = form_of(client.get("/login", headers=HTML))
    return client.post("/login", data={**ANNA, "form": form, **more}, headers=HTML)


def test_who_logs_in_gets_a_cookie_that_no_script_reads_and_is_led_on(office: Office, site: Site) -> None:
    client = site.client
    response = log_in(client)
    assert (response.status_code, response.headers["Location"]) == (303, "/me")
    (cookie,) = [each for each in response.headers.getlist("Set-Cookie") if each.startswith("botd=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    page = client.get("/me", headers=HTML)
    assert "<h1>anna</h1>" in page.text
    assert "identify, drain on savio2" in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_behind_tls_the_cookie_is_of_this_host_alone(office: Office, site: Site) -> None:
    client = site.client
    form = form_of(client.get("/login", headers=HTML, base_url="https://localhost"))
    response = client.post("/login", data={**ANNA, "form": form}, headers=HTML, base_url="https://localhost")
    (cookie,) = [each for each in response.headers.getlist("Set-Cookie") if each.startswith("__Host-botd=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "<h1>anna</h1>" in client.get("/me", headers=HTML, base_url="https://localhost").text


def test_what_is_refused_is_said_in_the_form_and_the_password_is_not_repeated(office: Office, site: Site) -> None:
    response = log_in(site.client, password='"><script>x')
    assert response.status_code == 401
    assert "name, password or code is wrong" in response.text
    assert 'value="anna"' in response.text
    assert "script>x" not in response.text


def test_one_is_led_back_to_where_one_came_from(office: Office, site: Site) -> None:
    client = site.client
    assert client.get("/me", headers=HTML).headers["Location"] == "/login?to=/me"
    assert log_in(client, to="/nodes?groups=savio2").headers["Location"] == "/nodes?groups=savio2"


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "nodes",
        "",
        "/x\r\nSet-Cookie: a=b",
        "///evil.example",
        "//[",
        "http://[",
        "/" * 3000,
    ],
)
def test_nobody_is_led_to_another_site(text: str) -> None:
    assert local_path(text) == ""


def test_an_odd_path_to_go_to_afterwards_takes_no_page_down(site: Site) -> None:
    for odd in ("//[", "http://[", "/[", "\udcff"):
        page = site.client.get("/login", query_string={"to": odd.encode("utf-8", "surrogateescape")}, headers=HTML)
        assert page.status_code == 200, odd


def test_one_ends_ones_sessions_by_a_form(office: Office, site: Site) -> None:
    other, mine = site.client, site.client
    log_in(other)
    log_in(mine, code="333333")
    page = mine.get("/me", headers=HTML)
    assert page.text.count("<button") == 3  # log out, and end either
    sent = {"form": form_of(page), "end": "session 1"}
    assert mine.post("/me", data=sent, headers=HTML).headers["Location"] == "/me"
    assert other.get("/me", headers=HTML).status_code == 303
    out = mine.post("/me", data={"form": form_of(page), "end": "this"}, headers=HTML)
    assert out.headers["Location"] == "/login"
    assert mine.get("/me", headers=HTML).status_code == 303


@pytest.mark.parametrize("end", ["", "session", "session x", "session -1", "all 1", "session 99999999999999999999"])
def test_a_form_that_names_nothing_is_refused(office: Office, site: Site, end: str) -> None:
    client = site.client
    log_in(client)
    form = form_of(client.get("/me", headers=HTML))
    assert client.post("/me", data={"form": form, "end": end}, headers=HTML).status_code == 400


def test_hostile_words_are_shown_as_text(office: Office, site: Site) -> None:
    client = site.client
    log_in(client)
    name = "<script>alert(1)</script>\u202e"
    token = client.get_cookie("botd")
    assert token is not None
    bearer = {"Authorization": f"Bearer {token.value}"}
    client.post("/api/v2/tokens", json={"name": name}, headers=bearer)
    text = client.get("/me", headers=HTML).text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    assert "\u202e" not in text
