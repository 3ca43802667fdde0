"""The proxies of docs/deploy, as Debian has them, before real web processes: who is let in, and what goes through."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from botd.model import SweepState
from tests.commands.test_proxied import gunicorn
from tests.conftest import Site, drained
from tests.office import ROLES
from tests.pages.elements import BROWSER
from tests.program import free_port, wait_until
from tests.proxies import SECRET, proxied
from tests.web.test_below import urls

CONFIG = """
[store]
url = "sqlite:///botd.db"
[mounts]
tmp = "/tmp"
[access]
header = "X-Remote-User"
header_secret_file = "secret"
"""

SAMPLES = [("nginx.conf", ""), ("nginx-below.conf", "/botd"), ("apache.conf", "/botd")]


@dataclass(frozen=True)
class Outside:
    """What a client of the proxy has."""

    base: str
    certificate: Path
    below: str

    def open(self, path: str, *, password: str = "secret", **headers: str) -> http.client.HTTPResponse:
        """The head of an answer, whose body may still be on its way."""
        trusted = ssl.create_default_context(cafile=self.certificate)
        client = http.client.HTTPSConnection(urlsplit(self.base).netloc, context=trusted, timeout=60)
        named = {name.replace("__", "-"): value for name, value in headers.items()}
        if password:
            named["Authorization"] = "Basic " + base64.b64encode(f"anna:{password}".encode()).decode()
        client.request("GET", path, headers=named)
        return client.getresponse()

    def get(self, path: str, **more: Any) -> tuple[int, str]:
        response = self.open(self.below + path, **more)
        return response.status, response.read().decode()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Site]]:
    """The web processes of a site that believes the header of a proxy that has the secret, and what they read."""
    folder = tmp_path_factory.mktemp("proxied")
    site, port = Site(folder), free_port()
    site.nodes(drained("n0000.savio2"))
    site.reading("n0000.savio2")
    site.beat()
    site.store.copies.put("person", {"anna": {"groups": [], "roles": []}, "kmf": {"groups": [], "roles": []}})
    site.store.copies.put("roles", {"file": {"text": ROLES, "digest": "", "fault": "", "faults": {}}})
    for name, text in (("botd.toml", CONFIG), ("secret", SECRET)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    with gunicorn(folder / "botd.toml", f"127.0.0.1:{port}"):
        wait_until(lambda: _listens(port))
        yield f"127.0.0.1:{port}", site


def _listens(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=60).connect()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module", params=SAMPLES, ids=[sample for sample, _ in SAMPLES])
def outside(request: pytest.FixtureRequest, web: tuple[str, Site]) -> Iterator[Outside]:
    sample, below = request.param
    with proxied(sample, web[0], {"anna": "secret"}) as (base, certificate):
        yield Outside(base, certificate, below)


def test_who_is_not_let_in_by_the_proxy_sees_nothing_and_who_is_is_known(outside: Outside) -> None:
    for password in ("", "wrong"):
        assert outside.get("/api/v2/me", password=password)[0] == 401
        assert outside.get("/", password=password)[0] == 401
    status, text = outside.get("/api/v2/me")
    assert (status, '"login":"anna"' in text) == (200, True)


def test_what_a_client_says_in_the_proxys_name_counts_for_nothing(outside: Outside) -> None:
    spoofed = {"X__Forwarded__Prefix": "/evil", "X__Forwarded__For": "203.0.113.9", "X__Forwarded__Proto": "http"}
    for name in ("X__Remote__User", "X_Remote_User", "X__Remote_User"):
        status, text = outside.get("/api/v2/me", **{name: "kmf", "X__Botd__Secret": SECRET, **spoofed})
        assert (status, '"login":"anna"' in text) == (200, True), name
    page = outside.get("/nodes?groups=all", **spoofed, **BROWSER)[1]
    assert [url for url in urls(page) if not url.startswith(f"{outside.below}/")] == []


def test_every_url_of_a_page_and_every_redirect_leads_to_botd(outside: Outside) -> None:
    asked = set()
    for path in ("/", "/nodes?groups=all", "/node/n0000.savio2", "/cluster"):
        status, page = outside.get(path, **BROWSER)
        assert status == 200
        asked |= {url for url in urls(page) if not url.endswith(("/node/", "/sweeps/0", "/healthz"))}
    assert len(asked) > 10
    for url in sorted(asked):
        response = outside.open(url, **BROWSER)
        text = response.read()
        assert response.status < 400, (url, response.status, text[:300])
    for path in ([outside.below] if outside.below else []) + [f"{outside.below}/api/v1"]:
        sent = outside.open(path, **BROWSER)
        assert sent.status in (301, 302, 303)
        assert sent.headers["Location"].removeprefix(outside.base).startswith(f"{outside.below}/")


def test_a_name_with_a_slash_or_a_bracket_goes_through(outside: Outside) -> None:
    for mount in ("tmp", "%2Ftmp"):  # nginx makes one slash of two, and botd leads to where there is one
        response = outside.open(f"{outside.below}/api/v1/df/{mount}?groups=all")
        leads_to = response.headers.get("Location")
        assert leads_to in (None, f"{outside.base}{outside.below}/api/v1/df/tmp?groups=all")
        assert response.status == (308 if leads_to else 200)
    status, text = outside.get("/api/v1/df/no%20such%20%5Bmount%5D?groups=all")
    assert (status, "no such [mount]" in text) == (404, True)


def test_events_come_while_the_stream_is_open(outside: Outside, web: tuple[str, Site]) -> None:
    sweep = web[1].store.sweeps.start(["n0000.savio2"], ["ping"], web[1].now)
    response = outside.open(f"{outside.below}/api/v1/sweeps/{sweep.id}/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.readline().startswith(b"event: ")
    web[1].store.sweeps.end(sweep.id, SweepState.DONE, [], web[1].now)
    assert b"event: end" in response.read()
