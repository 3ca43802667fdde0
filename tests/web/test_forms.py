"""Whether a request that changes something was meant: told by the browser, else by a token of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from botd.access.tokens import form_token, new_token
from botd.web.forms import COOKIE, HEADER
from tests.conftest import Site
from tests.office import Office

OWN = {"Sec-Fetch-Site": "same-origin"}
FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
)
JSON = {"json": {"login": "anna", "password": "no", "code": "1"}}
FORM = {"data": {"login": "anna", "password": "no", "code": "1"}}


@pytest.fixture
def office(site: Site) -> Iterator[Office]:
    with Office(site).open() as opened:
        yield opened


def status(site: Site, path: str, *, cookies: dict[str, str] | None = None, **more: Any) -> int:
    client = site.client
    for name, value in (cookies or {}).items():
        client.set_cookie(name, value)
    return int(client.post(path, **more).status_code)


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("body", [JSON, FORM])
@pytest.mark.parametrize("path", ["/api/v2/login", "/api/v2/tokens", "/login", "/me"])
def test_a_page_of_another_site_changes_nothing(
    office: Office, site: Site, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    cookie = new_token()
    data = {**body.get("data", {}), "form": form_token(cookie)}
    more = {"data": data} if "data" in body else body
    assert status(site, path, cookies={"botd": cookie, COOKIE: cookie}, headers=headers, **more) == 403


def test_a_form_needs_no_token_where_the_browser_says_whose_it_is(office: Office, site: Site) -> None:
    assert status(site, "/login", headers=OWN, **FORM) == 401
    assert status(site, "/login", headers={"Origin": "http://localhost"}, **FORM) == 401


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
@pytest.mark.parametrize("path", ["/login", "/api/v2/login", "/me"])
def test_a_form_of_an_old_browser_needs_the_token_of_its_page(office: Office, site: Site, path: str, kind: str) -> None:
    assert status(site, path, content_type=kind, data={} if kind.startswith("multi") else "login=anna") == 403
    cookie, other = new_token(), new_token()
    for given in ("", form_token(other), cookie):
        assert status(site, "/login", cookies={COOKIE: cookie}, data={**FORM["data"], "form": given}) == 403
    assert status(site, "/login", cookies={COOKIE: cookie}, data={**FORM["data"], "form": form_token(cookie)}) == 401
    assert status(site, "/login", data={**FORM["data"], "form": form_token(cookie)}) == 403


def test_json_needs_no_token_without_a_cookie_and_one_with_it(office: Office, site: Site) -> None:
    assert status(site, "/api/v2/login", **JSON) == 401
    cookie = new_token()
    assert status(site, "/api/v2/tokens", cookies={"botd": cookie}, **JSON) == 403
    assert status(site, "/api/v2/tokens", cookies={"botd": cookie}, headers={HEADER: form_token(cookie)}, **JSON) == 401


def test_a_header_with_a_token_needs_no_other(office: Office, site: Site) -> None:
    bearer = {"Authorization": f"Bearer {new_token()}"}
    assert status(site, "/api/v2/tokens", headers=bearer, **JSON) == 401
    assert site.client.delete("/api/v2/login", headers=bearer).status_code == 401


def test_what_changes_nothing_takes_any_body(site: Site) -> None:
    assert status(site, "/api/v1/status", data='{"groups": ["savio2"]}') == 200
    assert status(site, "/api/v1/table", content_type="text/plain", data='{"groups": ["savio2"]}') == 200
