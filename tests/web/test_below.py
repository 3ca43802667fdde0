"""Below a path of the proxy's host: every URL of an answer begins with it, and only a proxy can say it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.actor import Actor, action, make_actor, tell
from tests.conftest import Site
from tests.pages.elements import BROWSER, Elements
from tests.pages.test_press import ILL, site_in

BELOW = {**BROWSER, "X-Forwarded-Prefix": "/botd"}

PAGES = (
    *("/", "/nodes?groups=all", f"/node/{ILL}", f"/node/{ILL}/drain", "/actions", "/actions/1", "/changes", "/cluster"),
    *("/api", "/login", "/me", "/audit", "/trust", "/offenders", "/dry-runs", "/nodes?nodes=what", "/nowhere"),
)


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    made = make_actor(site_in(make_site), monkeypatch)
    tell(made.site.store, action(1, ILL, made.site.now))
    with made.office.open():
        yield made


def urls(text: str) -> list[str]:
    """What a page makes a browser ask for: in links, forms, and in the data of its scripts."""
    return [
        value
        for _, attributes in Elements(text).found
        for name, value in attributes.items()
        if value and (name in ("href", "src", "action", "formaction") or (name or "").startswith("data-"))
        if value.startswith("/")
    ]


@pytest.mark.parametrize("path", PAGES)
def test_each_url_of_a_page_begins_with_it_and_at_the_root_none_does(actor: Actor, path: str) -> None:
    client = actor.site.client
    at_root, below = (client.get(path, headers=headers) for headers in (BROWSER, BELOW))
    assert below.status_code == at_root.status_code
    if 300 <= at_root.status_code < 400:
        assert below.headers["Location"].startswith("/botd/")
        return
    assert all(url.startswith("/botd/") for url in urls(below.text)), urls(below.text)
    assert [url.replace("/botd/", "/") for url in urls(below.text)] == urls(at_root.text) != []


def test_a_redirect_of_the_router_leads_below_it(actor: Actor) -> None:
    moved = actor.site.client.get("/api/v1//status", headers=BELOW)
    assert (moved.status_code, moved.headers["Location"]) == (308, "http://localhost/botd/api/v1/status")


def test_the_description_says_where_its_paths_are(actor: Actor) -> None:
    at_root, below = (actor.site.get("/api/v1/openapi.json", headers=each)["servers"] for each in ({}, BELOW))
    assert (at_root, below) == ([{"url": "/"}], [{"url": "/botd"}])


def test_who_must_log_in_comes_back_to_where_they_wanted(make_site: Callable[..., Site]) -> None:
    site = make_site({"access": {"read": "known"}})
    sent = site.client.get("/nodes?groups=all", headers=BELOW)
    assert sent.headers["Location"] == "/botd/login?to=%2Fbotd%2Fnodes%3Fgroups%3Dall"


def logged_in(actor: Actor, headers: dict[str, str]) -> Any:
    form = {"login": "anna", "password": "anna", "code": "111111", "to": "/botd/actions"}
    return actor.site.client.post("/login", data=form, headers={**headers, "Sec-Fetch-Site": "same-origin"})


@pytest.mark.parametrize(
    ("more", "cookie"),
    [
        ({}, ("botd", "Path=/botd")),
        ({"X-Forwarded-Proto": "https"}, ("__Secure-botd", "Path=/botd")),
    ],
)
def test_a_session_is_shown_to_botd_and_to_nothing_else_on_the_host(
    actor: Actor, more: dict[str, str], cookie: tuple[str, str]
) -> None:
    response = logged_in(actor, {**BELOW, **more})
    assert (response.status_code, response.headers["Location"]) == (303, "/botd/actions")
    name, path = cookie
    words = response.headers["Set-Cookie"].split("; ")
    assert words[0].startswith(f"{name}=")
    assert (path in words, "Secure" in words) == (True, bool(more))
    shown = {**BELOW, **more, "Cookie": words[0]}
    client = actor.site.app.test_client(use_cookies=False)
    page = client.get("/me", headers=shown)
    assert page.status_code == 200
    # To end it is to take the same cookie away.
    form = next(each["value"] for each in Elements(page.text).all("input") if each.get("name") == "form")
    ended = client.post("/me", data={"end": "this", "form": form}, headers=shown)
    assert (ended.status_code, ended.headers["Set-Cookie"].partition(";")[0]) == (303, f"{name}=")
    assert path in ended.headers["Set-Cookie"].split("; ")


def test_an_answer_that_was_given_before_is_not_given_below_another_path(actor: Actor) -> None:
    seen = set()
    for prefix in ("", "/botd", "/other", "/botd", ""):
        text = actor.site.client.get("/nodes?groups=all", headers={**BROWSER, "X-Forwarded-Prefix": prefix}).text
        seen.add((prefix, f'href="{prefix}/static/botd.css"' in text))
    assert seen == {("", True), ("/botd", True), ("/other", True)}


def test_it_is_believed_of_proxies_alone(make_site: Callable[..., Site]) -> None:
    site = make_site({"server": {"proxies": ["192.0.2.7"], "names": ["*"]}})
    for peer, begins in (("192.0.2.7", "/botd/"), ("", "/botd/"), ("127.0.0.1", "/botd/"), ("192.0.2.8", "/")):
        text = site.client.get("/login", headers=BELOW, environ_overrides={"REMOTE_ADDR": peer}).text
        assert f'href="{begins}static/botd.css"' in text, peer


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "/a//b", "botd", "/a/../b", "/.", "https://x", "/a, /b", "/" + "a" * 300]
)
def test_what_is_no_path_is_refused_and_named(site: Site, prefix: str) -> None:
    response = site.client.get("/login", headers={"X-Forwarded-Prefix": prefix})
    assert response.status_code == 400
    assert "X-Forwarded-Prefix" in response.text


def test_a_slash_at_its_end_is_no_matter(site: Site) -> None:
    assert (
        'href="/botd/static/botd.css"'
        in site.client.get("/login", headers={**BROWSER, "X-Forwarded-Prefix": "/botd/"}).text
    )
    assert 'href="/static/botd.css"' in site.client.get("/login", headers={**BROWSER, "X-Forwarded-Prefix": "/"}).text
