"""A log of a node, as the web part asks for it and hands it on: for whom, in which forms, and to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pytest
from werkzeug.test import TestResponse

from botd.errors import TooMany
from tests.actor import LINE, Actor, Hand, make_actor
from tests.conftest import Site, drained
from tests.pages.elements import BROWSER
from tests.resources.test_description import DESCRIPTION, check

NODE = "n0000.savio2"
TAIL = f"/api/v1/tail?h={NODE}&log=slurmd"
PAGE = f"/node/{NODE}?log=slurmd"


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    site: Site = make_site({"tail": {"slurmd": "/var/log/slurm/slurmd.log", "journal": "journal:slurmd"}})
    site.nodes(drained(NODE), drained("n0001.savio2"))
    site.beat()
    made = make_actor(site, monkeypatch)
    with made.office.open():
        yield made
    site.store.close()


@dataclass
class Caller:
    """Somebody who is logged in, and the agent that hears of it."""

    actor: Actor
    shows: dict[str, str]

    def get(self, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> TestResponse:
        return self.actor.site.client.get(path, headers={**headers, **self.shows})

    @property
    def hand(self) -> Hand:
        return self.actor.hand


def log_in(actor: Actor, login: str = "kmf") -> Caller:
    sent = {"login": login, "password": login[::-1], "code": "222222"}
    token = actor.site.client.post("/api/v2/login", json=sent).json["token"]
    return Caller(actor, {"Authorization": f"Bearer {token}"})


@pytest.fixture
def kmf(actor: Actor) -> Caller:
    return log_in(actor)


def test_a_log_comes_in_events_of_the_described_shape(kmf: Caller) -> None:
    lines = kmf.get(f"{TAIL}&format=ndjson")
    assert lines.mimetype == "application/x-ndjson"
    found = list(map(json.loads, lines.text.splitlines()))
    assert found == [
        {"event": "lines", "lines": [LINE, "<b>bold</b>"], "left_out": 3, "why": ""},
        {"event": "end", "lines": [], "left_out": 0, "why": "the connection was lost"},
    ]
    content = DESCRIPTION["paths"]["/api/v1/tail"]["get"]["responses"]["200"]["content"]
    for document in found:
        check(document, content["application/x-ndjson"]["x-itemSchema"])
    events = kmf.get(TAIL)
    assert events.mimetype == "text/event-stream"
    assert re.findall(r"^event: (.*)$", events.text, re.MULTILINE) == ["lines", "end"]


def test_what_goes_to_the_agent_is_a_name_and_never_a_path(kmf: Caller) -> None:
    kmf.get(TAIL)
    assert kmf.hand.letters[-1].says == {"node": NODE, "log": "slurmd"}


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (f"h={NODE}&log=/etc/shadow", 404, "unknown-log"),
        (f"h={NODE}&log=../slurmd", 404, "unknown-log"),
        ("h=n9999.savio2&log=slurmd", 404, "unknown-node"),
        (f"h={NODE},n0001.savio2&log=slurmd", 404, "unknown-node"),
        (f"h={NODE}", 400, "bad-request"),
        (f"h={NODE}&log=slurmd&path=/etc/shadow", 400, "bad-request"),
    ],
)
def test_what_there_is_not_reaches_no_agent(asked: str, status: int, code: str, kmf: Caller) -> None:
    answer = kmf.get(f"/api/v1/tail?{asked}")
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert kmf.hand.letters == []


def test_it_takes_a_login_with_the_right(actor: Actor) -> None:
    assert actor.site.client.get(TAIL).json["error"]["code"] == "login-required"
    anna = log_in(actor, "anna")
    refused = anna.get(TAIL)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "not-allowed")
    assert actor.hand.letters == []
    assert "log-title" not in anna.get(f"/node/{NODE}", headers=BROWSER).text


def test_a_page_of_another_site_has_no_node_logged_in_to(kmf: Caller) -> None:
    elsewhere = {**BROWSER, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    assert kmf.get(TAIL, headers=elsewhere).status_code == 403
    kmf.get(PAGE, headers=elsewhere)
    assert kmf.hand.letters == []


def test_what_the_agent_refuses_is_refused(kmf: Caller) -> None:
    kmf.hand.refusal = TooMany("4 logs are followed already")
    refused = kmf.get(TAIL)
    assert (refused.status_code, refused.json["error"]["message"]) == (429, "4 logs are followed already")
    assert "4 logs are followed already" in kmf.get(PAGE, headers=BROWSER).text


def test_the_page_of_a_node_has_its_logs_and_the_last_lines_of_one(kmf: Caller) -> None:
    bare = kmf.get(f"/node/{NODE}", headers=BROWSER).text
    assert f'href="/node/{NODE}?log=journal#log-title"' in bare
    assert 'id="log"' not in bare
    page = kmf.get(PAGE, headers=BROWSER).text
    assert f"{LINE}\n&lt;b&gt;bold&lt;/b&gt;\n</pre>" in page
    assert f'data-events="/api/v1/tail?h={NODE}&amp;log=slurmd"' in page


def test_nothing_is_left_in_the_store_by_who_has_read(kmf: Caller) -> None:
    site = kmf.actor.site
    number = site.store.tails.begin(NODE, "slurmd", site.now)
    site.store.tails.forget(number)
    for path in (TAIL, PAGE):
        kmf.get(path, headers=BROWSER).get_data()
        assert not site.store.tails.is_read(number + 1, site.now)
        number += 1
