"""/do/<action> and /actions?batch=: the nodes of a family are pressed together, and reported one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from botd.access.requests import parse_request
from botd.errors import NodeBusy, TooMany
from botd.model import Note, NoteKind, Reading, State
from tests.actor import Actor, action, make_actor, moved, tell, tell_switches
from tests.conftest import Site, drained
from tests.pages.person import HTML, Person
from tests.pages.ready import BESIDE, BROWSERS, ELSEWHERE, READY, ROLES, ready_site

RESUME = "/do/resume?family=ready"


def boxes(page: str) -> dict[str, bool]:
    """The nodes that have a box, and whether it is ticked."""
    found = re.findall(r'<input type="checkbox" name="pick" value="(\S+) [0-9a-f]+"[^>]*?( checked)?>', page)
    return {node: bool(checked) for node, checked in found}


def picks(page: str) -> list[str]:
    return re.findall(r'name="pick" value="([^"]+)"', page)


def send(anna: Person, path: str = RESUME, **typed: Any) -> TestResponse:
    page = anna.look(path)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return anna.client.post(path, data={**hidden, "pick": picks(page), **typed}, headers=HTML)


# ---- from the round ----


@pytest.mark.parametrize("browser", BROWSERS)
def test_the_heading_of_a_family_leads_there_where_two_may_be_pressed(actor: Actor, anna: Person, browser: str) -> None:
    page = anna.look("/?groups=sinfo", **{"User-Agent": browser})
    (link,) = re.findall(r'href="(/do/[^"]+)"[^>]*>([^<]+)<', page)
    assert link[1] == "Resume 2 of 3 together"
    target = link[0].replace("&amp;", "&")
    assert boxes(anna.look(target)) == {READY: True, BESIDE: True}
    assert "groups=sinfo" in target


def test_where_none_may_be_the_heading_says_why_in_a_few_words(actor: Actor, anna: Person) -> None:
    tell_switches(actor.site.store, stop="kmf has stopped it")
    page = anna.look("/")
    assert "/do/resume?" not in page
    assert "(Resume together: held back by a stop)" in page


@pytest.mark.parametrize("path", ["/", RESUME])
def test_who_is_not_logged_in_gets_neither_link_nor_box(actor: Actor, path: str) -> None:
    page = Person(actor.site, None).look(path)
    assert "together" not in page
    assert boxes(page) == {}


def test_a_family_of_one_has_no_such_link(actor: Actor, anna: Person) -> None:
    assert "together" not in anna.look(f"/?nodes={READY}")


def test_what_somebody_knows_of_already_is_not_pressed_with_its_family(actor: Actor, anna: Person) -> None:
    actor.site.store.notes.add(Note(READY, NoteKind.ACKNOWLEDGE, "mine", "bob", actor.site.now, ""))
    assert boxes(anna.look(RESUME)) == {BESIDE: True}


# ---- the page ----


def test_each_node_has_a_box_or_why_it_has_none(actor: Actor, anna: Person) -> None:
    page = anna.look("/do/resume")
    assert boxes(page) == {READY: True, BESIDE: True}
    for words in (
        "Not by your roles: student: it is for savio2",
        "recommended",
        "for each of them",
        "one for all of them",
    ):
        assert words in page, words
    assert page.count("<button") == 1
    assert ELSEWHERE in page


def test_one_code_and_one_button_press_for_all_that_are_ticked(actor: Actor, anna: Person) -> None:
    response = send(anna, reason="all well", code="123123")
    (letter,) = actor.hand.letters
    asked = parse_request(letter.says["text"])
    told = anna.client.get(f"/api/v2/policy?nodes={READY},{BESIDE}").json["outlook"]
    assert (asked.action, asked.reason, letter.says["proof"]) == ("resume", "all well", {"otp": "123123"})
    assert dict(asked.nodes) == {node: told[node]["evidence"] for node in (READY, BESIDE)}
    assert (response.status_code, response.headers["Location"]) == (303, f"/actions?batch={asked.nonce}")


def test_what_is_not_ticked_is_not_pressed(actor: Actor, anna: Person) -> None:
    one = [each for each in picks(anna.look(RESUME)) if each.startswith(READY)]
    assert send(anna, pick=one, code="123123").headers["Location"] == "/actions/1"
    assert list(parse_request(actor.hand.letters[0].says["text"]).nodes) == [READY]


@pytest.mark.parametrize("pick", [[], [READY], [f"{READY} no-evidence"], [f"{READY} 7f3a90c14be2 more"], ["ALL"]])
def test_a_form_that_does_not_say_which_presses_nothing(actor: Actor, anna: Person, pick: list[str]) -> None:
    response = send(anna, pick=pick, code="123123")
    assert response.status_code in (400, 404)
    assert actor.hand.letters == []


@pytest.mark.parametrize("refusal", [NodeBusy("kmf has resume 4 under way"), TooMany("ask for fewer nodes, or wait")])
def test_a_refusal_is_the_page_again_with_what_was_ticked(actor: Actor, anna: Person, refusal: Exception) -> None:
    actor.hand.refusal = refusal  # type: ignore[assignment]
    one = [each for each in picks(anna.look(RESUME)) if each.startswith(BESIDE)]
    response = send(anna, pick=one, reason="all <well>", code="123123")
    assert response.status_code == refusal.status  # type: ignore[attr-defined]
    assert str(refusal)[1:] in response.text
    assert boxes(response.text) == {READY: False, BESIDE: True}
    assert 'value="all &lt;well&gt;"' in response.text
    assert "123123" not in response.text


def test_no_more_are_ticked_than_may_be_asked_for_together(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = ready_site(make_site)
    names = [f"n{number:04d}.savio2" for number in range(100, 170)]
    site.nodes(*(drained(node, "Kill task failed", reason_at=site.now - timedelta(hours=5)) for node in names))
    for node in names:
        site.reading(node, ipmi_state=Reading(State.OK, value="on"), jobs=Reading(State.OK, value=[]))
    actor = make_actor(site, monkeypatch, ROLES)
    with actor.office.open():
        tell_switches(site.store)
        anna = Person(site)
        ticked = boxes(anna.look(RESUME))
        assert (len(ticked), sum(ticked.values())) == (70, 64)
        assert "Resume 64 of 70 together" in anna.look("/")
        assert send(anna, code="123123").status_code == 400
        assert actor.hand.letters == []


SILENT = [f"n{number:04d}.savio2" for number in range(20, 24)]
"""Four nodes that answer nothing, whose power is on: a power cycle is recommended for each."""


@pytest.fixture
def silent(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    site = ready_site(make_site)
    at = site.now - timedelta(hours=5)
    site.nodes(*(drained(node, "Not responding", reason_at=at) for node in SILENT))
    dead, on, none = Reading(State.FAIL), Reading(State.OK, value="on"), Reading(State.OK, value=[])
    for node in SILENT:
        site.reading(node, ping=dead, ssh=Reading(State.FAIL, "timeout"), ipmi_state=on, jobs=none)
    actor = make_actor(site, monkeypatch, ROLES.replace('["resume"]', '["power-cycle"]'))
    with actor.office.open():
        tell_switches(site.store)
        yield actor


@pytest.mark.parametrize(("under_way", "ticked"), [(0, 3), (1, 2), (2, 1), (3, 0)])
def test_of_hard_actions_no_more_than_there_are_places(silent: Actor, under_way: int, ticked: int) -> None:
    for number in range(1, under_way + 1):
        told = action(number, f"n{number}.savio9", silent.site.now, action="power-cycle")
        tell(silent.site.store, moved(told, "sent"))
    anna = Person(silent.site)
    page, heading = anna.look("/do/power-cycle?family=silent"), anna.look("/")
    assert f"At most {3 - under_way} at once: so many places are free for hard actions" in page
    assert sum(boxes(page).values()) == ticked
    assert (f"Power cycle {ticked} of 4 together" in heading) is (ticked > 1)
    assert ("(Power cycle together: " in heading) is (ticked < 2)


def test_a_form_of_another_page_presses_nothing(actor: Actor, anna: Person) -> None:
    assert send(anna, form="0" * 64, code="123123").status_code == 403
    assert actor.hand.letters == []


def test_what_botd_does_not_do_is_said(actor: Actor, anna: Person) -> None:
    for path in ("/do/reboot", "/do/resume?family=nonsense", "/do/resume?nonsense=1"):
        assert anna.client.get(path, headers=HTML).status_code in (400, 404)


def test_where_botd_does_not_act_the_page_says_so(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = make_actor(ready_site(make_site, "off"), monkeypatch, ROLES)
    with actor.office.open():
        page = Person(actor.site).look(RESUME)
    assert "botd does not act here" in page
    assert boxes(page) == {}


# ---- what came of it ----


def batch(actor: Actor) -> list[Any]:
    now = actor.site.now
    made = [
        action(number, node, now, action="resume", batch="b" * 16) for number, node in enumerate((BESIDE, READY), 1)
    ]
    return [moved(made[0], "refused", code="busy", words="kmf has <drain> 7 under way"), moved(made[1], "queued")]


def test_several_are_reported_node_by_node_and_followed_while_there_is_more_to_come(actor: Actor, anna: Person) -> None:
    first, second = batch(actor)
    tell(actor.site.store, first, second, action(9, READY, actor.site.now))
    path = f"/actions?batch={'b' * 16}"
    page = anna.look(path)
    for words in (
        "Resume on 2 nodes",
        "1 refused, 1 queued",
        "Kmf has &lt;drain&gt; 7 under way",
        "waits for its turn",
    ):
        assert words in page, words
    assert re.findall(r'href="/actions/(\d+)"', page) == ["2", "1"]
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "action.js" in page
    elinks = {"User-Agent": "ELinks/0.13", **HTML}
    assert anna.client.get(path, headers=elinks).headers["Refresh"] == "3"
    tell(actor.site.store, moved(second, "succeeded", words="it is in service"))
    page = anna.look(path)
    assert "1 refused, 1 succeeded" in page or "1 succeeded, 1 refused" in page
    assert "It is in service" in page
    assert "refresh" not in page
    assert "Refresh" not in anna.client.get(path, headers=elinks).headers


def test_one_button_stops_all_of_them_that_can_still_be_stopped(actor: Actor, anna: Person) -> None:
    first, second = batch(actor)
    tell(actor.site.store, first, second)
    path = f"/actions?batch={'b' * 16}"
    assert "Stop these" not in Person(actor.site, None).look(path)
    response = anna.fill_in(path, of="Stop these")
    assert (response.status_code, response.headers["Location"]) == (303, path)
    (letter,) = actor.hand.letters
    assert (letter.kind, letter.says) == ("halt", {"id": 2, "batch": True})
    tell(actor.site.store, moved(second, "sending"))
    assert "Stop these" not in anna.look(path)


def test_who_is_not_logged_in_reads_what_came_of_it_and_not_who_asked(actor: Actor) -> None:
    tell(actor.site.store, *batch(actor))
    page = Person(actor.site, None).look(f"/actions?batch={'b' * 16}")
    assert "(busy)" in page
    for words in ("anna", "kmf", "hangs again"):
        assert words not in page


def test_of_a_batch_that_nobody_told_of_the_page_says_so_and_follows_nothing(actor: Actor, anna: Person) -> None:
    page = anna.look("/actions?batch=nobody-knows-it")
    assert "Nothing is told of it yet" in page
    assert "refresh" not in page
