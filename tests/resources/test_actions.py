"""Actions by the interface: asked for, listed, followed, halted; what is handed on to the agent, and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from botd.access.requests import new_request, parse_request, signed_text
from botd.acting.told import ActionDocument
from botd.errors import NodeBusy, NotAllowed
from botd.model import Reading, State
from tests.actor import Actor, action, make_actor, moved, tell
from tests.conftest import Site, drained, idle
from tests.resources.test_login import ANNA, KMF, code_of, log_in, send

NODE, OTHER = "n0000.savio2", "n0001.savio2"
EVIDENCE = "7f3a90c14be2"
BOTH = {NODE: EVIDENCE, OTHER: EVIDENCE}
NONCE = "a-nonce-of-a-script"
DRAIN = {"action": "drain", "node": NODE, "evidence": EVIDENCE, "reason": "fan fails", "nonce": NONCE}
OTP = {"proof": {"otp": "123123"}}


def site_in(make_site: Callable[..., Site], mode: str) -> Site:
    site = make_site({"actions": {"mode": mode, "one_user": True}})
    site.nodes(drained(NODE), idle(OTHER))
    for node in (NODE, OTHER):
        site.reading(node)
    site.beat()
    return site


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    made = make_actor(site_in(make_site, "on"), monkeypatch)
    with made.office.open():
        yield made


@pytest.fixture
def anna(actor: Actor) -> str:
    return log_in(actor.site, ANNA)


def press(actor: Actor, token: str = "", headers: dict[str, str] | None = None, **body: Any) -> TestResponse:
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    whole = {key: value for key, value in {**DRAIN, **OTP, **body}.items() if value is not None}
    return actor.site.client.post("/api/v2/actions", json=whole, headers={**shown, **(headers or {})})


# ---- asking ----


def test_what_is_asked_goes_to_the_agent_with_the_proof_and_comes_back_as_an_action(actor: Actor, anna: str) -> None:
    response = press(actor, anna)
    assert (response.status_code, response.headers["Location"]) == (202, "/api/v2/actions/1")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json == {
        "new": True,
        "batch": "",
        "would_have": [],
        "actions": [{"id": 1, "node": NODE, "state": "requested"}],
    }
    (letter,) = actor.hand.letters
    asked = parse_request(letter.says["text"])
    assert (asked.site, asked.action, dict(asked.nodes), asked.reason, asked.nonce) == (
        "botd",
        "drain",
        {NODE: EVIDENCE},
        "fan fails",
        NONCE,
    )
    assert (letter.token, letter.says["proof"]) == (anna, {"otp": "123123"})


def test_the_same_request_again_is_the_same_action(actor: Actor, anna: str) -> None:
    first, again = press(actor, anna), press(actor, anna)
    assert (again.status_code, again.headers["Location"]) == (200, first.headers["Location"])
    assert (again.json["new"], again.json["actions"]) == (False, first.json["actions"])


def test_the_nonce_may_stand_in_a_header_and_nowhere_twice_differently(actor: Actor, anna: str) -> None:
    assert press(actor, anna, {"Idempotency-Key": NONCE}, nonce=None).status_code == 202
    assert press(actor, anna, {"Idempotency-Key": NONCE}).status_code == 200
    assert code_of(press(actor, anna, {"Idempotency-Key": "another-one-of-16"})) == (400, "bad-request")
    assert press(actor, anna, nonce=None).json["actions"][0]["id"] == 2


@pytest.mark.parametrize(
    "said",
    [
        {"nodes": {NODE: EVIDENCE, OTHER: EVIDENCE}},
        {"nodes": [OTHER, NODE], "evidence": {NODE: EVIDENCE, OTHER: EVIDENCE}},
    ],
)
def test_several_nodes_are_a_batch(actor: Actor, anna: str, said: dict[str, Any]) -> None:
    response = press(actor, anna, **{"node": None, "evidence": None, **said})
    assert (response.status_code, response.json["batch"]) == (202, NONCE)
    assert [each["node"] for each in response.json["actions"]] == [NODE, OTHER]
    listed = actor.site.get(response.headers["Location"])
    assert {each["node"] for each in listed["actions"]} == {NODE, OTHER}


NOT_UNDERSTOOD: list[dict[str, Any]] = [
    {"evidence": None},
    {"evidence": "not hex"},
    {"evidence": {NODE: EVIDENCE}},
    {"node": None},
    {"nodes": [NODE]},
    {"node": None, "nodes": [NODE], "evidence": {OTHER: EVIDENCE}},
    {"node": None, "nodes": [NODE, OTHER], "evidence": {NODE: EVIDENCE}},
    {"node": None, "evidence": None, "nodes": {}},
    {"node": None, "evidence": None, "nodes": {f"n{number:04d}.savio2": EVIDENCE for number in range(65)}},
    {"node": "ALL"},
    {"node": "n[1-9999]"},
    {"node": f"{NODE}\nReason=x"},
    {"action": "reboot"},
    {"reason": "two\nlines"},
    {"reason": "x" * 501},
    {"nonce": "short"},
    {"proof": "123123"},
    {"proof": {"otp": 123123}},
    {"proof": {"otp": "123123", "munge": "x"}},
    {"proof": {"ssh": {"login": "anna"}}},
    {"proof": {"password": "x"}},
    {"nonsense": 1},
]


@pytest.mark.parametrize("said", NOT_UNDERSTOOD, ids=str)
def test_what_cannot_be_understood_never_reaches_the_agent(actor: Actor, anna: str, said: dict[str, Any]) -> None:
    response = press(actor, anna, **said)
    assert response.status_code in (400, 404), response.text
    assert actor.hand.letters == []


def test_a_node_that_is_not_there_is_named_with_the_nearest(actor: Actor, anna: str) -> None:
    response = press(actor, anna, node="n0009.savio2")
    assert code_of(response) == (404, "unknown-node")
    assert code_of(press(actor, anna, node="n0000")) == (404, "unknown-node")
    assert actor.hand.letters == []


def test_what_the_agent_refuses_is_the_answer(actor: Actor, anna: str) -> None:
    actor.hand.refusal = NodeBusy("kmf has drain 7 under way on n0000.savio2")
    response = press(actor, anna)
    assert code_of(response) == (409, "busy")
    assert response.json["error"]["message"] == "kmf has drain 7 under way on n0000.savio2"
    actor.hand.refusal = NotAllowed("anna may not")
    assert code_of(press(actor, anna)) == (403, "not-allowed")


def test_who_is_not_logged_in_asks_with_a_signature_only(actor: Actor) -> None:
    assert code_of(press(actor)) == (401, "login-required")
    assert code_of(press(actor, proof={})) == (401, "login-required")
    assert actor.hand.letters == []


# ---- what a client has signed ----


def signed(actor: Actor, **other: Any) -> dict[str, Any]:
    said = {"action": "drain", "nodes": {NODE: EVIDENCE}, "reason": "fan fails", "nonce": NONCE, **other}
    nodes, nonce = said.pop("nodes"), said.pop("nonce")
    text = signed_text(new_request("botd", said["action"], nodes, said["reason"], actor.site.now, nonce=nonce))
    return {"proof": {"ssh": {"login": "kmf", "signature": "-----"}}, "text": text}


def test_a_signed_text_is_handed_on_as_it_is_for_whom_nobody_needs_to_know(actor: Actor) -> None:
    proof = signed(actor)
    assert press(actor, **proof).status_code == 202
    assert press(actor, **proof).status_code == 200
    first, second = actor.hand.letters
    assert first.says["text"] == proof["text"]
    assert first.token != second.token  # of nobody, and each time another one


@pytest.mark.parametrize(
    "other",
    [
        {"action": "identify"},
        {"nodes": {OTHER: EVIDENCE}},
        {"nodes": {NODE: EVIDENCE + "00"}},
        {"reason": "because"},
        {"nonce": "another-nonce-of-a-script"},
    ],
)
def test_a_signed_text_that_says_something_else_is_refused(actor: Actor, other: dict[str, Any]) -> None:
    assert code_of(press(actor, **signed(actor, **other))) == (400, "bad-request")
    assert actor.hand.letters == []


def test_a_signature_without_its_text_or_over_no_request_is_refused(actor: Actor) -> None:
    proof = signed(actor)
    for text in ("", "{}", proof["text"] + " ", "x" * 40_000):
        assert code_of(press(actor, proof=proof["proof"], text=text)) == (400, "bad-request")
    assert actor.hand.letters == []


# ---- modes ----


def test_where_botd_does_not_act_it_says_so_before_a_code_is_used_up(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = make_actor(site_in(make_site, "off"), monkeypatch)
    with actor.office.open():
        token = log_in(actor.site, ANNA)
        assert code_of(press(actor, token)) == (409, "actions-off")
        assert code_of(press(actor)) == (409, "actions-off")
    assert actor.hand.letters == []
    assert actor.site.get("/api/v2/actions") == {"count": 0, "next": None, "actions": []}


def test_a_dry_run_answers_with_what_it_would_have_done(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = make_actor(site_in(make_site, "dry-run"), monkeypatch)
    first = action(1, NODE, actor.site.now, nonce=NONCE, dry=True)
    ended = moved(first, "would-have", words="drain n0000.savio2: botd: drain 1 by anna")
    actor.hand.actions.append(ended)
    tell(actor.site.store, ended)
    with actor.office.open():
        response = press(actor, log_in(actor.site, ANNA))
    assert response.status_code == 200
    assert response.json["would_have"] == ["n0000.savio2: drain n0000.savio2: botd: drain 1 by anna"]


# ---- reboot ----


def reboot(actor: Actor, token: str, **body: Any) -> TestResponse:
    whole = {"evidence": EVIDENCE, "reason": "hangs again", "nonce": NONCE, **OTP, **body}
    said = {key: value for key, value in whole.items() if value is not None}
    return send(actor.site, "POST", f"/api/v2/reboot?h={NODE}", token, json=said)


@pytest.mark.parametrize(("power", "action"), [("on", "power-cycle"), ("off", "power-on")])
def test_a_reboot_is_what_the_power_makes_of_it(actor: Actor, anna: str, power: str, action: str) -> None:
    actor.site.reading(NODE, ipmi_state=Reading(State.OK, value=power))
    response = reboot(actor, anna)
    assert (response.status_code, response.headers["Location"]) == (202, "/api/v2/actions/1")
    assert [each["node"] for each in response.json["actions"]] == [NODE]
    (letter,) = actor.hand.letters
    asked = parse_request(letter.says["text"])
    assert (asked.action, dict(asked.nodes), asked.reason, asked.nonce) == (
        action,
        {NODE: EVIDENCE},
        "hangs again",
        NONCE,
    )
    assert letter.says["proof"] == {"otp": "123123"}


@pytest.mark.parametrize("power", [Reading(State.UNKNOWN, detail="timeout"), Reading(State.OK, value="Unknown"), None])
def test_a_node_whose_power_is_not_known_is_not_rebooted(actor: Actor, anna: str, power: Reading | None) -> None:
    if power:
        actor.site.reading(NODE, ipmi_state=power)
    response = reboot(actor, anna)
    assert code_of(response) == (409, "wrong-state")
    assert NODE in response.json["error"]["message"]
    assert actor.hand.letters == []


def test_the_same_reboot_again_is_the_same_action_whatever_became_of_the_power(actor: Actor, anna: str) -> None:
    actor.site.reading(NODE, ipmi_state=Reading(State.OK, value="on"))
    first = reboot(actor, anna)
    for power in (Reading(State.OK, value="off"), Reading(State.UNKNOWN)):
        actor.site.later(5)
        actor.site.reading(NODE, ipmi_state=power)
        again = reboot(actor, anna)
        assert (again.status_code, again.json["new"]) == (200, False)
        assert again.headers["Location"] == first.headers["Location"]
    assert {parse_request(letter.says["text"]).action for letter in actor.hand.letters} == {"power-cycle"}


def test_a_reboot_that_is_signed_says_what_the_power_makes_of_it(actor: Actor) -> None:
    actor.site.reading(NODE, ipmi_state=Reading(State.OK, value="off"))
    said = {"reason": "hangs again", "action": "power-cycle"}
    refused = reboot(actor, "", **signed(actor, **said))
    assert code_of(refused) == (400, "bad-request")
    assert "power-on" in refused.json["error"]["message"]
    assert reboot(actor, "", **signed(actor, **{**said, "action": "power-on"})).status_code == 202


@pytest.mark.parametrize(
    "path", ["reboot", "reboot?h=", "reboot?h=n[0000-0001].savio2", "reboot?h=n0000", f"reboot?h={NODE},{OTHER}"]
)
def test_a_reboot_is_of_one_node(actor: Actor, anna: str, path: str) -> None:
    body = {"evidence": EVIDENCE, **OTP}
    assert send(actor.site, "POST", f"/api/v2/{path}", anna, json=body).status_code in (400, 404)
    assert actor.hand.letters == []


@pytest.mark.parametrize("said", [{"evidence": None}, {"action": "drain"}, {"node": NODE}, {"nonce": "short"}])
def test_a_reboot_that_cannot_be_understood_never_reaches_the_agent(
    actor: Actor, anna: str, said: dict[str, Any]
) -> None:
    actor.site.reading(NODE, ipmi_state=Reading(State.OK, value="on"))
    assert code_of(reboot(actor, anna, **said)) == (400, "bad-request")
    assert actor.hand.letters == []


def test_where_botd_does_not_act_a_reboot_says_so_whatever_the_power(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = make_actor(site_in(make_site, "off"), monkeypatch)
    with actor.office.open():
        assert code_of(reboot(actor, log_in(actor.site, ANNA))) == (409, "actions-off")
    assert actor.hand.letters == []


# ---- reading ----


@pytest.fixture
def three(actor: Actor) -> list[ActionDocument]:
    """A drain that succeeded, an identify of another person that is under way, a drain that was refused."""
    now = actor.site.now
    first = moved(action(1, NODE, now - timedelta(hours=30)), "succeeded", words="drained")
    second = action(2, OTHER, now - timedelta(hours=2), action="identify", login="kmf")
    third = moved(action(3, OTHER, now), "refused", code="busy", words="kmf has identify 2 under way")
    tell(actor.site.store, first, second, third)
    return [first, second, third]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("", [3, 2, 1]),
        ("node=n0001.savio2", [3, 2]),
        ("node=n[0000-0001].savio2&action=drain", [3, 1]),
        ("since=12h", [3, 2]),
        ("state=refused,succeeded", [3, 1]),
        ("state=under-way", [2]),
        ("login=kmf", [2]),
        ("action=identify", [2]),
        ("batch=none", []),
        ("before=3", [2, 1]),
    ],
)
def test_actions_are_listed_newest_first_and_chosen(
    actor: Actor, anna: str, three: list[ActionDocument], asked: str, ids: list[int]
) -> None:
    listed = send(actor.site, "GET", f"/api/v2/actions?{asked}", anna).json
    assert ([each["id"] for each in listed["actions"]], listed["count"]) == (ids, len(ids))


def test_a_page_goes_on_where_the_one_before_ended(actor: Actor, three: list[ActionDocument]) -> None:
    first = actor.site.get("/api/v2/actions?limit=2")
    assert ([each["id"] for each in first["actions"]], first["next"]) == ([3, 2], 2)
    second = actor.site.get(f"/api/v2/actions?limit=2&before={first['next']}")
    assert ([each["id"] for each in second["actions"]], second["next"]) == ([1], None)


def test_many_actions_are_read_in_parts(actor: Actor, three: list[ActionDocument]) -> None:
    tell(actor.site.store, *(action(number, NODE, actor.site.now) for number in range(4, 450)))
    assert [each["id"] for each in actor.site.get("/api/v2/actions?action=identify")["actions"]] == [2]


@pytest.mark.parametrize(
    "asked", ["state=gone", "action=reboot", "node=n7777.savio2", "since=yesterday", "before=0", "limit=1001"]
)
def test_a_choice_that_cannot_be_understood_is_refused(actor: Actor, asked: str) -> None:
    assert actor.site.client.get(f"/api/v2/actions?{asked}").status_code in (400, 404)


def test_who_asked_and_why_is_told_to_who_is_logged_in_and_to_nobody_else(
    actor: Actor, anna: str, three: list[ActionDocument]
) -> None:
    for path in ("/api/v2/actions", "/api/v2/actions/3", "/api/v2/actions/3/events", "/api/v2/actions?format=csv"):
        named, unnamed = send(actor.site, "GET", path, anna), send(actor.site, "GET", path)
        assert "anna" in named.text
        for words in ("anna", "kmf", "hangs again"):
            assert words not in unnamed.text
        assert named.headers["Cache-Control"] == unnamed.headers["Cache-Control"] == "no-store"
    assert send(actor.site, "GET", "/api/v2/actions/3", anna).json == three[2]
    told = actor.site.get("/api/v2/actions/3")
    assert (told["code"], told["node"], [move["by"] for move in told["moves"]]) == ("busy", OTHER, ["", "agent"])
    assert code_of(send(actor.site, "GET", "/api/v2/actions?login=kmf")) == (401, "login-required")


def test_an_action_that_there_is_none_of_is_said(actor: Actor) -> None:
    for path in ("/api/v2/actions/77", "/api/v2/actions/77/events", f"/api/v2/actions/{10**30}"):
        assert code_of(actor.site.client.get(path)) == (404, "unknown-action")


def test_an_action_is_followed_from_its_first_move_to_its_end(actor: Actor, anna: str) -> None:
    told = action(1, NODE, actor.site.now)
    tell(actor.site.store, told)
    header = {"Authorization": f"Bearer {anna}"}
    response = actor.site.client.get("/api/v2/actions/1/events?format=ndjson", headers=header, buffered=False)
    lines = iter(response.response)
    assert json.loads(next(lines))["target"] == "requested"
    told = moved(moved(told, "reserved"), "re-read")
    tell(actor.site.store, told)
    assert [json.loads(next(lines))["target"] for _ in range(2)] == ["reserved", "re-read"]
    tell(actor.site.store, moved(told, "failed", words="nothing was sent"))
    (last,) = [json.loads(line) for line in lines]
    assert (last["event"], last["id"], last["target"], last["words"]) == ("end", 1, "failed", "nothing was sent")
    response.close()


@pytest.mark.parametrize(
    "change",
    [
        {"id": 2},
        {"id": True},
        {"node": 7},
        {"node": "\ud800"},
        {"asked_at": "now"},
        {"moves": [{}]},
        {"moves": None},
        {"more": 1},
        {"certain": "no"},
    ],
)
def test_a_forged_copy_is_damage_and_no_fault_of_the_program(actor: Actor, change: dict[str, Any]) -> None:
    actor.site.store.copies.put("action", {f"{1:012d}": {**action(1, NODE, actor.site.now), **change}})
    for path in ("/api/v2/actions", "/api/v2/actions/1"):
        assert code_of(actor.site.client.get(path)) == (503, "store-damaged")


# ---- what is said to one that is under way, and to all of them ----


@pytest.mark.parametrize(
    ("path", "body", "kind", "says"),
    [
        ("actions/1/veto", {}, "veto", {"id": 1}),
        ("actions/1/stop", {}, "halt", {"id": 1}),
        ("actions/1/stop", None, "halt", {"id": 1}),
        ("actions/1/stop", {"batch": True}, "halt", {"id": 1, "batch": True}),
        ("actions/1/seen", {"reason": "it runs"}, "seen", {"id": 1, "reason": "it runs"}),
        ("actions/1/harm", {"reason": "job 7"}, "harm", {"id": 1, "reason": "job 7"}),
        ("actions/1/harm", {"harm": False}, "harm", {"id": 1, "harm": False}),
        ("stop", {"reason": "smoke"}, "stop", {"reason": "smoke"}),
    ],
)
def test_what_takes_no_proof_is_handed_on_for_who_is_logged_in(
    actor: Actor, anna: str, path: str, body: Any, kind: str, says: dict[str, Any]
) -> None:
    more = {"json": body} if body is not None else {}
    assert code_of(send(actor.site, "POST", f"/api/v2/{path}", **more)) == (401, "login-required")
    assert send(actor.site, "POST", f"/api/v2/{path}", anna, **more).status_code == 204
    (letter,) = actor.hand.letters
    assert (letter.kind, letter.says, letter.token) == (kind, says, anna)


@pytest.mark.parametrize(
    ("method", "path", "kind"), [("DELETE", "stop", "go-on"), ("POST", "breaker", "close-breaker")]
)
def test_what_lets_it_go_on_is_a_request_without_nodes_and_with_a_proof(
    actor: Actor, anna: str, method: str, path: str, kind: str
) -> None:
    body = {"reason": "looked at", "proof": {"otp": "123123"}}
    assert send(actor.site, method, f"/api/v2/{path}", anna, json=body).status_code == 204
    (letter,) = actor.hand.letters
    asked = parse_request(letter.says["text"])
    assert (letter.kind, letter.says["reason"], letter.says["proof"]) == (kind, "looked at", {"otp": "123123"})
    assert (asked.action, dict(asked.nodes), asked.reason) == ("re-arm", {}, "looked at")


def test_a_second_person_agrees_to_the_same_request(actor: Actor, three: list[ActionDocument]) -> None:
    kmf = log_in(actor.site, KMF)
    assert send(actor.site, "POST", "/api/v2/actions/2/approve", kmf, json=OTP).status_code == 204
    (letter,) = actor.hand.letters
    asked, told = parse_request(letter.says["text"]), three[1]
    assert (asked.action, dict(asked.nodes), asked.reason) == (
        told["action"],
        {told["node"]: told["evidence"]},
        told["reason"],
    )
    assert letter.says["id"] == 2
    assert code_of(send(actor.site, "POST", "/api/v2/actions/9/approve", kmf, json=OTP)) == (404, "unknown-action")


def test_a_page_of_another_site_asks_for_nothing(actor: Actor, anna: str) -> None:
    for path in ("actions", f"reboot?h={NODE}", "actions/1/stop", "actions/1/veto", "stop", "breaker"):
        foreign = {"Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {anna}"}
        answer = actor.site.client.post(f"/api/v2/{path}", json={**DRAIN, **OTP}, headers=foreign)
        assert code_of(answer) == (403, "cross-site")
    client = actor.site.client
    client.set_cookie("botd", anna)
    assert code_of(client.post("/api/v2/actions", json={**DRAIN, **OTP})) == (403, "cross-site")
    assert actor.hand.letters == []
