"""Notes on the page of a node: read, written and ended there by a plain form; tickets are links."""

from __future__ import annotations

from typing import Any

import pytest

from botd.errors import ConfigError
from tests.conftest import Site, drained
from tests.office import bearer
from tests.pages.elements import BROWSER, ELINKS, Elements, page

NODE = "n0000.savio2"
PAGE = f"/node/{NODE}"
RT = {"pattern": r"RT ?#?(\S{1,12})", "url": "https://rt.example.org/?id={}&q=1"}


def made(make_site: Any, reason: str = "bad GPU", **sections: Any) -> Site:
    site: Site = make_site({"notes": {"writers": "anyone"}, "tickets": RT, **sections})
    site.nodes(drained(NODE, reason), drained("n0001.savio2"))
    site.reading(NODE)
    site.beat()
    return site


def post(site: Site, url: str, **fields: str) -> Any:
    return site.client.post(url, data=fields, headers={**BROWSER, "Sec-Fetch-Site": "same-origin"})


@pytest.mark.parametrize("browser", [BROWSER, ELINKS])
def test_the_form_of_the_page_writes_a_note_and_shows_the_page_again(make_site: Any, browser: dict[str, str]) -> None:
    site = made(make_site)
    form = next(each for each in page(site, PAGE, browser).all("form") if each.get("method") == "post")
    assert form["action"] == f"{PAGE}/notes"
    client = site.client
    inputs = Elements(client.get(PAGE, headers=browser).text).all("input")
    [token, *_] = [each["value"] or "" for each in inputs if each.get("name") == "form"]
    said = {"kind": "ticket", "text": "RT 4711", "until": "", "by": "anna"}
    assert client.post(f"{PAGE}/notes", data=said, headers=browser).status_code == 403
    answer = client.post(f"{PAGE}/notes", data={**said, "form": token}, headers=browser)
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#notes")
    found = page(site, PAGE, browser)
    assert "RT 4711, by anna" in found.text
    assert "https://rt.example.org/?id=4711&q=1" in found.links


def test_a_note_is_ended_from_the_page(make_site: Any) -> None:
    site = made(make_site)
    post(site, f"{PAGE}/notes", kind="snooze", until="8h", by="anna")
    [note] = site.get("/api/v1/notes")["notes"]
    actions = [form.get("action") for form in page(site, PAGE).all("form")]
    assert f"{PAGE}/notes/{note['id']}/end" in actions
    answer = post(site, f"{PAGE}/notes/{note['id']}/end", by="bob")
    assert (answer.status_code, site.get("/api/v1/notes")["count"]) == (303, 0)
    assert "ended by bob" in page(site, PAGE).text


def test_a_note_of_another_node_is_not_ended(make_site: Any) -> None:
    site = made(make_site)
    post(site, f"{PAGE}/notes", kind="say", text="x", by="anna")
    [note] = site.get("/api/v1/notes")["notes"]
    assert post(site, f"/node/n0001.savio2/notes/{note['id']}/end", by="bob").status_code == 400
    assert site.get("/api/v1/notes")["count"] == 1


def test_where_nobody_writes_notes_there_is_no_form(site: Site) -> None:
    assert 'id="notes"' not in site.client.get(PAGE, headers=BROWSER).text
    assert post(site, f"{PAGE}/notes", kind="say", text="x", by="anna").status_code == 403


def test_a_link_or_a_form_of_another_site_writes_nothing(make_site: Any) -> None:
    site = made(make_site)
    assert site.client.get(f"{PAGE}/notes", headers=BROWSER).status_code == 405
    for headers in ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, {"Origin": "https://evil.example"}):
        data = {"kind": "say", "text": "x", "by": "eve"}
        assert site.client.post(f"{PAGE}/notes", data=data, headers=headers).status_code == 403
    assert site.get("/api/v1/notes")["count"] == 0


@pytest.mark.parametrize(
    "fields",
    [{}, {"kind": "say"}, {"kind": "snooze", "by": "a"}, {"kind": "say", "text": "x", "by": "a", "odd": "1"}],
)
def test_a_form_that_cannot_be_used_is_an_error_page(make_site: Any, fields: dict[str, str]) -> None:
    answer = post(made(make_site), f"{PAGE}/notes", **fields)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")


def test_what_people_and_slurm_say_is_never_markup(make_site: Any) -> None:
    hostile = 'RT 1"><script>alert(1)</script> RT#<b>&amp;'
    site = made(make_site, hostile)
    post(site, f"{PAGE}/notes", kind="say", text=hostile, by="<i>eve")
    text = site.client.get(PAGE, headers=BROWSER).text
    assert "<script>alert" not in text
    assert "<i>eve" not in text
    assert 'href="https://rt.example.org/?id=1%22%3E%3Cscript%3Ea&amp;q=1"' in text


def test_a_row_of_the_round_opens_to_the_tickets_of_its_reason_and_notes(make_site: Any) -> None:
    site = made(make_site, "RT 4711 bad GPU, <b>RT4712")
    for text in ("RT4711", 'RT x"y'):
        post(site, f"{PAGE}/notes", kind="ticket", text=text, by="anna")
    found = page(site, "/")
    assert 'Tickets: RT 4711, RT4712, RT x"y' in " ".join(found.text.split())
    assert list(dict.fromkeys(url for url in found.links if url.startswith("https://rt."))) == [
        "https://rt.example.org/?id=4711&q=1",
        "https://rt.example.org/?id=4712&q=1",
        "https://rt.example.org/?id=x%22y&q=1",
    ]
    html = site.client.get("/", headers=BROWSER).text
    assert all("<a " not in part.split("</summary>")[0] for part in html.split("<summary>")[1:])


def test_who_is_logged_in_is_asked_for_no_name(make_site: Any) -> None:
    site = made(make_site)
    post(site, f"{PAGE}/notes", kind="say", text="looked at it", by="anna")
    assert site.client.get(PAGE, headers=BROWSER).text.count('name="by"') == 2
    known = site.client.get(PAGE, headers=BROWSER | bearer(site)).text
    assert ('name="by"' in known, 'value="Write as kmf"' in known) == (False, True)


@pytest.mark.parametrize(
    "tickets",
    [
        {"pattern": "x"},
        {"url": "https://x.example/{}"},
        {**RT, "pattern": r"\d+"},
        {**RT, "pattern": "("},
        {**RT, "url": "https://x.example/"},
        {**RT, "url": "javascript:alert({})"},
        {**RT, "url": 'https://x.example/"{}'},
        {**RT, "url": "https://x.example/{}{}"},
        {**RT, "url": "https://x.example/ {}"},
    ],
)
def test_tickets_that_cannot_be_used_are_refused_at_the_start(make_site: Any, tickets: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"\[tickets\]"):
        make_site({"tickets": tickets})
