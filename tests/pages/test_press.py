"""/node/<name>/do/<action>, /actions and /actions/<id>: pressing, following and stopping, in any browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from botd.access.requests import parse_request
from botd.documents import iso
from botd.errors import NodeBusy, ProofRefused
from botd.model import Reading, State
from tests.actor import Actor, action, make_actor, moved, tell, tell_switches
from tests.conftest import Site, drained, idle
from tests.pages.person import HTML, Person
from tests.program import wait_until
from tests.resources.test_login import ANNA, KMF

WELL, ILL = "n0000.savio2", "n0010.savio2"
DRAIN = f"/node/{WELL}/do/drain"


def site_in(make_site: Callable[..., Site], mode: str = "on") -> Site:
    site = make_site({"actions": {"mode": mode, "one_user": True}})
    site.nodes(idle(WELL), drained("n0001.savio2"), drained(ILL, "Kill task failed"), drained("n0002.savio3"))
    for node in (WELL, "n0001.savio2", "n0002.savio3"):
        site.reading(node)
    site.reading(ILL, df_scratch=Reading(State.FAIL, detail="<b>not mounted</b>"))
    site.beat()
    return site


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    made = make_actor(site_in(make_site), monkeypatch)
    with made.office.open():
        yield made


# ---- the page that presses ----


def test_the_page_shows_what_is_known_what_will_be_sent_and_a_form(actor: Actor, anna: Person) -> None:
    page = anna.look(DRAIN)
    for words in (
        "<strong>idle</strong>",
        "none, it is in service and well",
        "One line to the helper of Slurm",
        "by anna",
        "looks once more at",
        "Nothing that is known now",
        "As student",
        "3 of 3 soft actions on the node in 24 h",
        f"bofhbot do drain {WELL} --reason",
        f"Drain {WELL}</button>",
    ):
        assert words in page, words


def test_what_a_node_says_stands_there_as_text(actor: Actor, anna: Person) -> None:
    page = anna.look(f"/node/{ILL}/do/identify")
    assert "&lt;b&gt;not mounted" in page
    assert "<b>not" not in page
    assert "Kill task failed" in page


def test_a_press_goes_to_the_agent_and_leads_to_the_action(actor: Actor, anna: Person) -> None:
    response = anna.fill_in(DRAIN, reason="fan fails", code="123 123")
    assert (response.status_code, response.headers["Location"]) == (303, "/actions/1")
    (letter,) = actor.hand.letters
    asked = parse_request(letter.says["text"])
    assert (asked.action, list(asked.nodes), asked.reason, letter.says["proof"]) == (
        "drain",
        [WELL],
        "fan fails",
        {"otp": "123123"},
    )
    assert "fan fails" in anna.look("/actions/1")


def test_the_evidence_is_that_of_the_page_and_the_policy_gives_the_same(actor: Actor, anna: Person) -> None:
    anna.fill_in(f"/node/{ILL}/do/identify", code="123123")
    (letter,) = actor.hand.letters
    told = anna.client.get(f"/api/v2/policy?nodes={ILL},{WELL}").json["outlook"]
    assert parse_request(letter.says["text"]).nodes == {ILL: told[ILL]["evidence"]}
    assert told[WELL]["evidence"] != told[ILL]["evidence"]


def test_a_form_that_is_sent_twice_is_one_action(actor: Actor, anna: Person) -> None:
    page = anna.look(DRAIN)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    sent = [anna.client.post(DRAIN, data={**hidden, "code": "123123"}).headers["Location"] for _ in range(2)]
    assert sent == ["/actions/1", "/actions/1"]


@pytest.mark.parametrize("refusal", [ProofRefused("the code is wrong"), NodeBusy("kmf has identify 4 under way")])
def test_a_refusal_is_the_page_again_with_what_was_typed_but_the_code(
    actor: Actor, anna: Person, refusal: Exception
) -> None:
    actor.hand.refusal = refusal  # type: ignore[assignment]
    response = anna.fill_in(DRAIN, reason="fan <fails>", code="123123")
    assert response.status_code == refusal.status  # type: ignore[attr-defined]
    assert str(refusal)[1:] in response.text
    assert 'value="fan &lt;fails&gt;"' in response.text
    assert "123123" not in response.text
    assert actor.hand.letters[0].says["text"].count(nonce_of(response.text)) == 1


def nonce_of(page: str) -> str:
    return re.findall(r'name="nonce" value="([^"]+)"', page)[0]


def test_a_form_of_another_page_presses_nothing(actor: Actor, anna: Person) -> None:
    page = anna.look(DRAIN)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    for stolen in ({**hidden, "form": ""}, {**hidden, "form": "0" * 64}):
        assert anna.client.post(DRAIN, data=stolen).status_code == 403
    foreign = anna.client.post(DRAIN, data=hidden, headers={"Sec-Fetch-Site": "same-site"})
    assert foreign.status_code == 403
    assert actor.hand.letters == []


def test_who_is_not_logged_in_is_led_to_the_login_and_back(actor: Actor) -> None:
    stranger = Person(actor.site, None)
    page = stranger.look(DRAIN)
    assert f'<a href="/login?to=/node/{WELL}/do/drain">Log in</a>' in page
    assert "<button" not in page
    assert stranger.client.post(DRAIN, data={"code": "123123"}).status_code == 403


def test_who_may_not_is_told_why_and_gets_no_button(actor: Actor, anna: Person) -> None:
    for node, words in (("n0002.savio3", "it is for savio2"), ("n0001.savio2", "protected by the roles file")):
        page = anna.look(f"/node/{node}/do/drain")
        assert words in page
        assert "<button" not in page


def test_what_stands_in_the_way_is_said(actor: Actor, anna: Person) -> None:
    tell_switches(actor.site.store, stop="kmf has stopped it")
    tell(actor.site.store, moved(action(1, WELL, actor.site.now, login="kmf"), "reserved"))
    page = anna.look(DRAIN)
    assert "kmf has stopped it" in page
    assert "kmf has drain 1 under way" in page
    stranger = Person(actor.site, None)
    for page in (stranger.look(DRAIN), stranger.client.get(f"/api/v2/policy?nodes={WELL}").text):
        assert "somebody has drain 1 under way" in page
        assert "kmf" not in page
    assert "somebody drained it" in anna.look(f"/node/{ILL}/do/drain")


def test_caps_that_are_used_up_are_told_with_when_they_are_free(actor: Actor, anna: Person) -> None:
    at = actor.site.now - timedelta(hours=1)
    spend: Any = {"node": WELL, "action": "drain", "weight": "soft", "login": "anna", "role": "student"}
    spend |= {"incident": "", "free": False, "sent": True, "dry": False, "at": at.isoformat(timespec="milliseconds")}
    spend["at"] = spend["at"].replace("+00:00", "Z")
    actor.site.store.copies.put("spend", {f"{number:012d}": spend for number in range(3)})
    page = anna.look(DRAIN)
    assert "0 of 3 soft actions on the node in 24 h, the next at" in page
    assert "3 of at most 3" in page


def test_where_botd_does_not_act_the_page_says_so_and_how_it_would(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = make_actor(site_in(make_site, "off"), monkeypatch)
    with actor.office.open():
        anna = Person(actor.site)
        page = anna.look(DRAIN)
        assert "botd does not act here" in page
        assert "<button" not in page
        assert anna.client.post(DRAIN, data={}).status_code == 403  # no page of botd has such a form
        assert "botd does not act here" in anna.look("/actions")
        assert "/do/" not in anna.look(f"/node/{WELL}")


def test_a_dry_run_is_told_before_it_is_pressed(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = make_actor(site_in(make_site, "dry-run"), monkeypatch)
    with actor.office.open():
        assert "nothing is sent" in Person(actor.site).look(DRAIN)


@pytest.mark.parametrize("path", ["/node/n7777.savio2/do/drain", f"/node/{WELL}/do/reboot"])
def test_what_there_is_none_of_is_said(actor: Actor, anna: Person, path: str) -> None:
    assert anna.client.get(path, headers=HTML).status_code == 404


# ---- where it is offered ----


def test_a_node_offers_what_may_be_done_to_it_now_to_who_may(actor: Actor, anna: Person) -> None:
    page = anna.look(f"/node/{WELL}")
    assert f'href="/node/{WELL}/do/identify">identify</a>' in page
    assert f'href="/node/{WELL}/do/drain">drain</a>' in page
    page = anna.look(f"/node/{ILL}")
    assert f'href="/node/{ILL}/do/identify"' in page
    assert f'href="/node/{ILL}/do/drain"' not in page  # it is drained
    assert "/do/" not in anna.look("/node/n0002.savio3")
    assert "/do/" not in Person(actor.site, None).look(f"/node/{WELL}")


def test_an_opened_row_of_the_round_does_so_too(actor: Actor, anna: Person) -> None:
    page = anna.look("/", **{"User-Agent": "Mozilla/5.0"})
    assert set(re.findall(r'href="(/node/[^"]+/do/[^"]+)"', page)) == {f"/node/{ILL}/do/identify"}
    assert "/do/" not in Person(actor.site, None).look("/")


def test_a_node_lists_what_was_done_to_it(actor: Actor, anna: Person) -> None:
    tell(actor.site.store, *(action(number, WELL, actor.site.now) for number in range(1, 9)))
    page = anna.look(f"/node/{WELL}")
    assert re.findall(r'href="/actions/(\d+)"', page) == ["8", "7", "6", "5", "4"]
    assert "hangs again" in page
    assert "hangs again" not in Person(actor.site, None).look(f"/node/{WELL}")


@pytest.mark.parametrize("kind", ["action", "switches", "spend"])
def test_a_forged_copy_costs_neither_the_round_nor_the_page_of_a_node(actor: Actor, anna: Person, kind: str) -> None:
    key = {"action": f"{1:012d}", "switches": "now", "spend": f"{1:012d}"}[kind]
    for forged in ([1], {"node": WELL}, {"node": [WELL], "state": {}}):
        actor.site.store.copies.put(kind, {key: forged})
        for path in ("/", f"/node/{WELL}"):
            assert "savio2" in anna.look(path)
        assert anna.client.get(DRAIN, headers=HTML).status_code == 503


def test_a_reason_that_botd_has_given_leads_to_its_action(actor: Actor, anna: Person) -> None:
    link = '<a href="/actions/7" rel="noreferrer">botd: drain 7</a>'
    for reason, shown in (("drain 7 by <anna>", f"{link} by &lt;anna&gt;"), ("drain 8", "<bdi>botd: drain 8</bdi>")):
        actor.site.nodes(drained(ILL, f"botd: {reason}"))
        wait_until(lambda shown=shown: shown in anna.look(f"/node/{ILL}"))  # a view is trusted for a moment


# ---- the list ----


def test_the_list_names_people_to_who_is_logged_in_only(actor: Actor, anna: Person) -> None:
    tell(actor.site.store, moved(action(1, WELL, actor.site.now, reason="<i>fan</i>"), "failed", code="busy"))
    page = anna.look("/actions")
    assert "&lt;i&gt;fan" in page
    assert '<td class="fail">failed (busy)' in page
    assert "fan" not in Person(actor.site, None).look("/actions")
    assert "drain" in anna.client.get("/actions", headers={"Accept": "*/*"}).text


def test_everything_is_stopped_by_anybody_and_goes_on_by_who_may(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = '[[role]]\nname = "admin"\nusers = ["kmf"]\nmay = ["re-arm"]\n[protected]\nnodes = ""\n'
    actor = make_actor(site_in(make_site), monkeypatch, roles)
    with actor.office.open():
        anna, kmf = Person(actor.site), Person(actor.site, KMF)
        assert anna.fill_in("/actions", of="Stop everything", reason="smoke").headers["Location"] == "/actions"
        tell_switches(actor.site.store, stop="anna has stopped it", breaker="5 of 10 ended badly")
        assert "Let botd act again" not in anna.look("/actions")
        assert "Stop everything" not in anna.look("/actions")
        for of in ("Let botd act again", "Close the breaker"):
            kmf.fill_in("/actions", of=of, reason="all is well", code="123123")
        said = [(letter.kind, letter.says["reason"]) for letter in actor.hand.letters]
        assert said == [("stop", "smoke"), ("go-on", "all is well"), ("close-breaker", "all is well")]
        assert "anna has" not in Person(actor.site, None).look("/actions")
        assert anna.client.post("/actions", data={"do": "more"}).status_code == 403


# ---- one action ----


def test_an_action_is_followed_step_by_step_and_only_while_there_is_more_to_come(actor: Actor, anna: Person) -> None:
    told = moved(action(1, WELL, actor.site.now), "reserved")
    tell(actor.site.store, told)
    page = anna.look("/actions/1")
    assert "Drain 1 is counted, and the node is locked." in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "action.js" in page
    elinks = anna.client.get("/actions/1", headers={"User-Agent": "ELinks/0.13", **HTML})
    assert elinks.headers["Refresh"] == "3"
    tell(actor.site.store, moved(told, "succeeded", words="it is drained"))
    page = anna.look("/actions/1")
    assert "Drain 1 succeeded." in page
    assert "It is drained." in page
    assert 'http-equiv="refresh"' not in page
    assert "action.js" not in page
    assert "Refresh" not in anna.client.get("/actions/1", headers={"User-Agent": "ELinks/0.13", **HTML}).headers


@pytest.mark.parametrize(
    ("state", "to_anna", "to_kmf", "to_nobody"),
    [
        ("queued", {"halt"}, {"halt"}, set()),
        ("awaiting", {"veto"}, {"approve", "veto"}, set()),
        ("sending", set(), set(), set()),
        ("unknown", set(), {"seen"}, set()),
        ("succeeded", set(), set(), set()),
    ],
)
def test_an_action_offers_what_may_be_said_to_it(
    make_site: Callable[..., Site],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    to_anna: set[str],
    to_kmf: set[str],
    to_nobody: set[str],
) -> None:
    roles = '[[role]]\nname = "admin"\nusers = ["kmf"]\nmay = ["re-arm"]\n[protected]\nnodes = ""\n'
    actor = make_actor(site_in(make_site), monkeypatch, roles)
    with actor.office.open():
        tell(actor.site.store, moved(action(1, WELL, actor.site.now, login="anna"), state))
        for who, offered in ((ANNA, to_anna), (KMF, to_kmf), (None, to_nobody)):
            page = Person(actor.site, who).look("/actions/1")
            assert set(re.findall(r'name="do" value="(\w+)"', page)) == offered


@pytest.mark.parametrize(
    ("name", "state", "is_sent", "is_offered"),
    [
        ("power-cycle", "failed", True, True),
        ("resume", "succeeded", True, True),
        ("power-cycle", "verifying", True, False),
        ("power-cycle", "refused", False, False),
        ("drain", "succeeded", True, False),
    ],
)
def test_who_has_the_right_says_of_what_was_done_that_it_did_harm_or_was_not_it(
    make_site: Callable[..., Site],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    state: str,
    is_sent: bool,
    is_offered: bool,
) -> None:
    roles = '[[role]]\nname = "admin"\nusers = ["kmf"]\nmay = ["harm"]\n[protected]\nnodes = ""\n'
    actor = make_actor(site_in(make_site), monkeypatch, roles)
    with actor.office.open():
        sent_at = iso(actor.site.now) if is_sent else None
        tell(actor.site.store, {**moved(action(1, WELL, actor.site.now, action=name), state), "sent_at": sent_at})
        assert "It did harm" not in Person(actor.site, ANNA).look("/actions/1")
        kmf = Person(actor.site, KMF)
        assert ("It did harm" in kmf.look("/actions/1")) == is_offered
        if is_offered:
            kmf.fill_in("/actions/1", of="It did harm", do="harm", reason="job 7 was lost")
            kmf.fill_in("/actions/1", of="It did harm", do="not-it", reason="the switch")
            said = [(letter.says["harm"], letter.says["reason"]) for letter in actor.hand.letters]
            assert said == [(True, "job 7 was lost"), (False, "the switch")]


def test_what_is_said_to_an_action_goes_to_the_agent(actor: Actor, anna: Person) -> None:
    tell(actor.site.store, action(1, WELL, actor.site.now, login="kmf", state="awaiting"))
    assert anna.fill_in("/actions/1", of="veto").headers["Location"] == "/actions/1"
    anna.fill_in("/actions/1", of="approve", code="123123")
    tell(actor.site.store, action(1, WELL, actor.site.now, login="kmf"))
    anna.fill_in("/actions/1", of="halt")
    assert [letter.kind for letter in actor.hand.letters] == ["veto", "approve", "halt"]
    assert {letter.says["id"] for letter in actor.hand.letters} == {1}
