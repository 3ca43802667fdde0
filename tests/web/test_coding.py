"""How answers go over the wire: gzip for who takes it, an entity tag for each coding, 304 for who has it already."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest
from werkzeug.test import TestResponse

from tests.conftest import Site, idle

STATUS = "/api/v1/status?groups=all"
LARGE = [
    STATUS,
    f"{STATUS}&format=ndjson",
    f"{STATUS}&format=csv",
    f"{STATUS}&format=table",
    "/api/v1/status/n0000.savio2",
    "/api/v1/table?groups=all",
    "/api/v1/openapi.json",
    "/nodes?groups=all",
    "/static/table.js",
    "/static/botd.css",
]
"""Answers of more than a packet: forms, resources with a tag and without, a page as text, files."""


@pytest.fixture
def site(site: Site) -> Site:
    """Some more nodes than usual."""
    names = [f"n{number:04d}.savio2" for number in range(20)]
    site.nodes(*map(idle, names))
    for name in names:
        site.reading(name)
    return site


def get(site: Site, url: str, coding: str = "gzip", **headers: str) -> TestResponse:
    return site.client.get(url, headers={"Accept-Encoding": coding, **headers})


def bundle_url(site: Site) -> str:
    page = site.client.get("/nodes", headers={"Accept": "text/html"}).text
    return page.partition('data-bundle="')[2].partition('"')[0]


@pytest.mark.parametrize("url", LARGE)
def test_gzip_holds_the_same_bytes(site: Site, url: str) -> None:
    plain, packed = get(site, url, "identity"), get(site, url)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.content_type == plain.content_type
    assert packed.content_length == len(packed.data) < len(plain.data)


def test_the_page_and_its_bundle_are_packed(site: Site) -> None:
    page = get(site, "/nodes?groups=all", Accept="text/html")
    assert b"<html" in gzip.decompress(page.data)
    bundle = get(site, bundle_url(site))
    assert b"DataTables 2" in gzip.decompress(bundle.data)
    assert len(bundle.data) < 300_000
    assert bundle.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("url", [*LARGE, "/api/v1/checks", "/healthz", "/metrics", "/api/v1/nothing"])
def test_all_that_may_be_packed_tells_caches_so(site: Site, url: str) -> None:
    for coding in ("gzip", "identity"):
        assert "Accept-Encoding" in get(site, url, coding).vary


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.5", True),
        ("br, gzip, zstd", True),
        ("*", True),
        ("gzip;q=0.8, identity;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("br", False),
        ("*;q=0", False),
        ("", False),
    ],
)
def test_the_client_chooses_the_coding(site: Site, accepted: str, is_packed: bool) -> None:
    response = get(site, STATUS, accepted)
    assert (response.headers.get("Content-Encoding") == "gzip") is is_packed
    body = gzip.decompress(response.data) if is_packed else response.data
    assert json.loads(body)["count"] == 20


def test_who_says_nothing_of_codings_gets_none(site: Site) -> None:
    assert "Content-Encoding" not in site.client.get(STATUS).headers


def test_a_short_answer_is_not_packed(site: Site) -> None:
    response = get(site, "/api/v1/status?nodes=n0000.savio2&checks=ping")
    assert "Content-Encoding" not in response.headers
    assert response.get_json()["count"] == 1


def test_a_long_error_is_packed_and_a_short_one_is_not(site: Site) -> None:
    page = get(site, "/nodes?groups=nosuch", Accept="text/html")
    assert page.status_code == 404
    assert b"nosuch" in gzip.decompress(page.data)
    assert get(site, "/api/v1/status?groups=nosuch").get_json()["error"]["code"] == "unknown-group"


@pytest.mark.parametrize("url", [STATUS, "/api/v1/table?groups=all", "/static/table.js"])
def test_each_coding_has_an_entity_tag_and_304_of_its_own(site: Site, url: str) -> None:
    tags = {coding: get(site, url, coding).headers["ETag"] for coding in ("gzip", "identity")}
    assert tags["gzip"] != tags["identity"]
    for coding, tag in tags.items():
        again = get(site, url, coding, **{"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        assert "Content-Encoding" not in again.headers
        assert "Accept-Encoding" in again.vary


def test_who_has_the_other_coding_of_an_answer_gets_this_one(site: Site) -> None:
    tag = get(site, STATUS, "identity").headers["ETag"]
    other = get(site, STATUS, "gzip", **{"If-None-Match": tag})
    assert (other.status_code, other.headers["Content-Encoding"]) == (200, "gzip")


def test_a_tag_that_a_proxy_has_made_weak_is_known(site: Site) -> None:
    tag = get(site, STATUS).headers["ETag"]
    assert get(site, STATUS, **{"If-None-Match": f"W/{tag}"}).status_code == 304


def test_a_changed_answer_is_packed_anew(site: Site) -> None:
    first = get(site, STATUS)
    site.later(1)
    site.reading("n0000.savio2")
    site.beat()
    site.app.extensions["botd"].board.view(fresh=True)
    after = get(site, STATUS, **{"If-None-Match": first.headers["ETag"]})
    assert after.status_code == 200
    assert gzip.decompress(after.data) == get(site, STATUS, "identity").data != gzip.decompress(first.data)


def test_a_question_with_the_same_answer_as_another_gets_its_own_bytes(site: Site) -> None:
    ways = [STATUS, "/api/v1/status?groups=all&checks=all", "/api/v1/status?groups=all&format=csv"]
    bodies = {hashlib.sha256(gzip.decompress(get(site, way).data)).hexdigest() for way in ways}
    assert bodies == {hashlib.sha256(get(site, way, "identity").data).hexdigest() for way in ways}
    assert len(bodies) == 2


@pytest.mark.parametrize("url", [STATUS, "/api/v1/openapi.json", "/static/table.js"])
def test_head_says_what_get_would(site: Site, url: str) -> None:
    for coding in ("gzip", "identity"):
        got = get(site, url, coding)
        head = site.client.head(url, headers={"Accept-Encoding": coding})
        assert head.data == b""
        kept = [{k: v for k, v in each.headers.items() if k != "Date"} for each in (got, head)]
        assert kept[0] == kept[1]


def test_a_part_of_a_file_is_never_packed(site: Site) -> None:
    whole = get(site, "/static/table.js", "identity").data
    part = get(site, "/static/table.js", Range="bytes=10-2009")
    assert part.status_code == 206
    assert part.data == whole[10:2010]
    assert "Content-Encoding" not in part.headers


def test_a_stream_of_events_stays_a_stream(site: Site) -> None:
    site.later(400)
    site.beat()
    sweep = site.get(f"{STATUS}&wait=0")["sweep"]
    for form in ("sse", "ndjson"):
        response = site.client.get(
            f"/api/v1/sweeps/{sweep}/events?format={form}", headers={"Accept-Encoding": "gzip"}, buffered=False
        )
        assert response.is_streamed
        assert "Content-Encoding" not in response.headers
        assert b'"event":"progress"' in next(response.iter_encoded())
        response.close()


def test_an_answer_has_no_date_of_its_own_beside_the_servers(site: Site) -> None:
    assert "Date" not in get(site, STATUS).headers


def test_what_has_an_entity_tag_is_packed_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[int] = []
    real = gzip.compress
    monkeypatch.setattr(
        "botd.board.bodies.gzip.compress", lambda data, *a, **k: packed.append(len(data)) or real(data, *a, **k)
    )
    for _ in range(3):
        for url in (STATUS, f"{STATUS}&checks=all", "/api/v1/table?groups=all", "/static/table.js"):
            get(site, url)
    assert len(packed) == 3


def test_many_nodes_come_through_whole(site: Site) -> None:
    names = [f"n{number:04d}.savio2" for number in range(1500)]
    site.nodes(*map(idle, names))
    body = json.loads(gzip.decompress(get(site, f"{STATUS}&wait=0").data))
    assert [node["node"] for node in body["nodes"]] == names
