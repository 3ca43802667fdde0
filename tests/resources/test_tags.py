"""Entity tags: who has an answer already gets 304 until something in it changes."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.conftest import Site, drained, happened, idle

CLOCKED = ["/api/v1/changes", "/api/v1/history/n0000.savio2", "/api/v1/offenders"]
LISTS = ["/api/v1/sinfo", "/api/v1/hostinfo?h=n0000.savio2", "/api/v1/group-list", "/api/v1/checks"]
FORMS = ["json", "ndjson", "csv", "table"]


def again(site: Site, url: str, tag: str) -> int:
    return site.client.get(url, headers={"If-None-Match": tag}).status_code


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("url", LISTS + CLOCKED)
def test_who_has_an_answer_gets_304_and_no_body(site: Site, url: str, form: str) -> None:
    happened(site)
    url += ("&" if "?" in url else "?") + f"format={form}"
    first = site.client.get(url)
    second = site.client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, second.status_code, second.data) == (200, 304, b"")


def test_each_form_has_a_tag_of_its_own(site: Site) -> None:
    tags = {site.client.get(f"/api/v1/sinfo?format={form}").headers["ETag"] for form in FORMS}
    assert len(tags) == len(FORMS)


@pytest.mark.parametrize("url", ["/api/v1/sinfo", "/api/v1/hostinfo?h=n0000.savio2"])
def test_a_reason_that_changes_makes_a_new_tag(site: Site, url: str) -> None:
    tag = site.client.get(url).headers["ETag"]
    site.nodes(drained("n0000.savio2", "new reason"), idle("n0001.savio2"))
    site.later(1)
    site.app.extensions["botd"].board.look_again()
    assert again(site, url, tag) == 200


@pytest.mark.parametrize("url", CLOCKED)
def test_what_happened_makes_a_new_tag_and_the_clock_does_not(site: Site, url: str) -> None:
    happened(site, ago_s=20 * 3600)
    tag = site.client.get(url).headers["ETag"]
    assert tag.startswith("W/")
    site.later(90)
    assert again(site, url, tag) == 304
    happened(site, subject="slurm", ago_s=1, old="in service", new="down*")
    assert again(site, url, tag) == 200


def test_a_kept_body_under_gzip_is_not_that_of_an_earlier_time(site: Site) -> None:
    for number in range(20):
        happened(site, subject=f"check{number}")
    packed = {"Accept-Encoding": "gzip"}
    first = site.client.get("/api/v1/changes", headers=packed)
    site.later(60)
    second = site.client.get("/api/v1/changes", headers=packed)
    assert first.headers["ETag"] == second.headers["ETag"]
    since = [json.loads(gzip.decompress(answer.data))["since"] for answer in (first, second)]
    assert since[0] < since[1]


def test_the_description_of_the_interface_has_a_tag(site: Site) -> None:
    url = "/api/v1/openapi.json"
    assert again(site, url, site.client.get(url).headers["ETag"]) == 304
