"""Logging in by the interface, tokens for scripts, who one is and what one may: through the store, with real seals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from nacl.public import PublicKey, SealedBox
from werkzeug.test import TestResponse

from botd.access.letters import Letter, write_letter
from botd.access.tokens import new_token, token_hash
from tests.conftest import Site
from tests.office import Office
from tests.program import wait_until

ANNA = {"login": "anna", "password": "anna", "code": "111111"}
KMF = {"login": "kmf", "password": "fmk", "code": "222222"}


@pytest.fixture
def office(site: Site) -> Iterator[Office]:
    with Office(site).open() as opened:
        yield opened


def send(site: Site, method: str, path: str, token: str = "", **more: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return site.client.open(path, method=method, headers=headers, **more)


def log_in(site: Site, who: dict[str, str]) -> str:
    response = send(site, "POST", "/api/v2/login", json=who)
    assert response.status_code == 201, response.text
    token: str = response.json["token"]
    return token


def code_of(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.json["error"]["code"]


def test_who_logs_in_is_known_by_the_token_and_by_nothing_else(office: Office, site: Site) -> None:
    token = log_in(site, ANNA)
    me = send(site, "GET", "/api/v2/me", token)
    assert (me.json["me"]["login"], me.json["rights"], [role["name"] for role in me.json["roles"]]) == (
        "anna",
        [],
        ["student"],
    )
    assert me.headers["Cache-Control"] == "no-store"
    for other in ("", token[:-1], token[:-1] + ("a" if token[-1] != "a" else "b")):
        assert code_of(send(site, "GET", "/api/v2/me", other)) == (401, "login-required")


def test_the_token_stands_nowhere_in_the_shared_database(office: Office, site: Site) -> None:
    token = log_in(site, ANNA)
    whole = b"".join(path.read_bytes() for path in site.folder.glob("botd.db*"))
    assert token.encode() not in whole
    assert b"111111" not in whole


@pytest.mark.parametrize(
    "wrong", [{"password": "no"}, {"code": "999999"}, {"login": "eve"}, {"code": ""}, {"login": "anna\u202e"}]
)
def test_what_is_wrong_is_refused_and_not_told_apart(office: Office, site: Site, wrong: dict[str, str]) -> None:
    response = send(site, "POST", "/api/v2/login", json={**ANNA, **wrong})
    assert code_of(response) == (401, "proof-refused")
    assert response.json["error"]["message"] == "name, password or code is wrong"


def test_a_code_serves_for_one_login(office: Office, site: Site) -> None:
    log_in(site, ANNA)
    assert code_of(send(site, "POST", "/api/v2/login", json=ANNA)) == (401, "proof-refused")


def test_too_many_failures_are_said(office: Office, site: Site) -> None:
    for _ in range(3):
        send(site, "POST", "/api/v2/login", json={**ANNA, "password": "no"})
    assert code_of(send(site, "POST", "/api/v2/login", json=ANNA)) == (423, "locked-out")


def test_more_attempts_than_a_person_makes_are_put_off(office: Office, site: Site) -> None:
    answers = [send(site, "POST", "/api/v2/login", json={**ANNA, "login": "eve"}).status_code for _ in range(11)]
    assert answers[-1] == 429
    assert 429 not in answers[:10]
    assert log_in(site, ANNA)  # another login, though the address is the same


def test_a_session_ends_when_it_is_ended_or_not_used(office: Office, site: Site) -> None:
    first, second = log_in(site, ANNA), log_in(site, {**ANNA, "code": "333333"})
    assert send(site, "DELETE", "/api/v2/login", first).status_code == 204
    assert code_of(send(site, "GET", "/api/v2/me", first)) == (401, "login-required")
    office.later(29 * 60)
    assert send(site, "GET", "/api/v2/me", second).status_code == 200
    office.later(31 * 60)
    assert code_of(send(site, "GET", "/api/v2/me", second)) == (401, "login-required")


def test_a_session_that_is_used_goes_on(office: Office, site: Site) -> None:
    token = log_in(site, ANNA)
    for _ in range(4):
        office.later(20 * 60)
        assert send(site, "GET", "/api/v2/me", token).status_code == 200
        wait_until(lambda: not site.store.asks.waiting(site.now))
        office.desk.tell({})
    assert send(site, "GET", "/api/v2/me", token).status_code == 200


def test_a_token_is_given_listed_and_ended(office: Office, site: Site) -> None:
    session = log_in(site, ANNA)
    made = send(site, "POST", "/api/v2/tokens", session, json={"name": "cron", "hours": 2, "scope": "read"})
    assert made.status_code == 201
    token = made.json["token"]
    (listed,) = send(site, "GET", "/api/v2/tokens", session).json["tokens"]
    assert (listed["name"], listed["scope"], listed["until"]) == ("cron", "read", made.json["until"])
    assert token not in send(site, "GET", "/api/v2/tokens", session).text
    assert send(site, "GET", "/api/v2/me", token).json["me"]["kind"] == "token"
    assert code_of(send(site, "POST", "/api/v2/tokens", token, json={"name": "more"})) == (403, "not-allowed")
    assert send(site, "DELETE", f"/api/v2/tokens/{made.json['id']}", session).status_code == 204
    assert code_of(send(site, "GET", "/api/v2/me", token)) == (401, "login-required")


NOT_GIVEN: list[dict[str, Any]] = [
    {"name": "x", "hours": 13},
    {"name": "x", "hours": 0},
    {"name": " "},
    {"name": "x" * 61},
    {"name": "x", "scope": "act"},
]


@pytest.mark.parametrize("body", NOT_GIVEN)
def test_a_token_that_nobody_should_have_is_not_given(office: Office, site: Site, body: dict[str, Any]) -> None:
    session = log_in(site, ANNA)
    assert send(site, "POST", "/api/v2/tokens", session, json=body).status_code == 400


def test_anothers_token_is_ended_by_who_has_the_right_and_by_nobody_else(office: Office, site: Site) -> None:
    anna, kmf = log_in(site, ANNA), log_in(site, KMF)
    made = {
        name: send(site, "POST", "/api/v2/tokens", token, json={"name": name}).json
        for name, token in (("a", anna), ("k", kmf))
    }
    assert code_of(send(site, "DELETE", f"/api/v2/tokens/{made['k']['id']}", anna)) == (403, "not-allowed")
    assert send(site, "GET", "/api/v2/me", made["k"]["token"]).status_code == 200
    assert send(site, "DELETE", f"/api/v2/tokens/{made['a']['id']}", kmf).status_code == 204
    assert office.crew.ended == [(made["a"]["id"], "kmf")]


def test_the_right_to_end_others_counts_for_nothing_while_the_roles_file_is_wrong(office: Office, site: Site) -> None:
    anna, kmf = log_in(site, ANNA), log_in(site, KMF)
    made = send(site, "POST", "/api/v2/tokens", anna, json={"name": "a"}).json
    office.roles = replace(office.roles, fault="it is not TOML")
    refused = send(site, "DELETE", f"/api/v2/tokens/{made['id']}", kmf)
    assert (code_of(refused), "it is not TOML" in refused.text) == ((403, "not-allowed"), True)
    assert send(site, "DELETE", f"/api/v2/tokens/{made['id']}", anna).status_code == 204  # one's own, always


def test_the_policy_says_what_one_may_on_the_nodes_that_one_names(office: Office, site: Site) -> None:
    token = log_in(site, ANNA)
    told = send(site, "GET", "/api/v2/policy?groups=savio2,savio3", token).json
    may = {node: actions["drain"]["may"] for node, actions in told["nodes"].items()}
    assert may == {"n0000.savio2": True, "n0001.savio2": False, "n0002.savio3": False, "n0010.savio3": False}
    assert told["nodes"]["n0001.savio2"]["drain"]["why"] == "protected by the roles file"
    assert send(site, "GET", "/api/v2/policy", token).json["nodes"] == {}


def test_who_is_not_logged_in_has_no_roles_and_is_told_the_evidence_to_sign(office: Office, site: Site) -> None:
    told = send(site, "GET", "/api/v2/policy?nodes=n0001.savio2").json
    assert (told["user"], told["rights"], told["roles"]) == ("", [], [])
    assert {each["may"] for each in told["nodes"]["n0001.savio2"].values()} == {False}
    known = send(site, "GET", "/api/v2/policy?nodes=n0001.savio2", log_in(site, ANNA)).json
    assert told["outlook"]["n0001.savio2"]["evidence"] == known["outlook"]["n0001.savio2"]["evidence"]


def test_a_fault_of_the_roles_file_is_said(office: Office, site: Site) -> None:
    token = log_in(site, ANNA)
    office.desk._roles = lambda: type(office.roles)(office.roles.roles, office.roles.text, "digest", "it is not TOML")
    office.desk.tell({})
    told = send(site, "GET", "/api/v2/policy?nodes=n0000.savio2", token).json
    assert told["doubt"] == "it is not TOML"
    assert {(each["may"], each["why"]) for each in told["nodes"]["n0000.savio2"].values()} == {
        (False, "it is not TOML")
    }


def test_forged_copies_of_others_and_of_the_roles_are_damage(office: Office, site: Site) -> None:
    token = log_in(site, ANNA)
    site.store.copies.put("session", {"f" * 64: {"login": "anna"}})
    assert send(site, "GET", "/api/v2/me", token).status_code == 200
    assert code_of(send(site, "GET", "/api/v2/tokens", token)) == (503, "store-damaged")
    site.store.copies.put("roles", {"file": {"text": 1, "digest": "", "fault": "", "faults": {}}})
    assert code_of(send(site, "GET", "/api/v2/me", token)) == (503, "store-damaged")
    office.desk.tell({})
    assert send(site, "GET", "/api/v2/tokens", token).json == {"tokens": []}


def test_without_an_agent_nobody_logs_in_and_it_is_said_why(office: Office, site: Site) -> None:
    site.later(60)
    assert code_of(send(site, "POST", "/api/v2/login", json=ANNA)) == (503, "agent-silent")


def test_without_the_agents_key_nothing_is_sent(office: Office, site: Site) -> None:
    (site.folder / "ledger-seal.pub").unlink()
    assert code_of(send(site, "POST", "/api/v2/login", json=ANNA)) == (503, "agent-silent")


def test_a_password_is_not_taken_where_others_can_listen(office: Office, site: Site) -> None:
    far = {"REMOTE_ADDR": "10.0.0.7"}
    response = send(site, "POST", "/api/v2/login", json=ANNA, environ_overrides=far)
    assert code_of(response) == (400, "bad-request")
    assert (
        send(site, "POST", "/api/v2/login", json=ANNA, environ_overrides=far, base_url="https://localhost").status_code
        == 201
    )
    (held,) = office.crew.held.values()
    assert held.address == "10.0.0.7"


# ---- where somebody comes from ----

STRANGER, PROXY = {"REMOTE_ADDR": "10.0.0.7"}, {"REMOTE_ADDR": "192.0.2.1"}
TLS = {"X-Forwarded-Proto": "https"}


@pytest.fixture
def behind(make_site: Callable[..., Site]) -> Iterator[Office]:
    """botd behind a proxy on another host."""
    made = make_site({"server": {"names": ["localhost"], "proxies": ["192.0.2.0/28"]}})
    made.beat()
    with Office(made).open() as opened:
        yield opened


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (STRANGER, "1.2.3.4", "10.0.0.7"),
        (PROXY, "1.2.3.4, 2001:db8::9", "2001:db8::9"),
        (PROXY, "nonsense", "192.0.2.1"),
        ({"REMOTE_ADDR": "127.0.0.1"}, "1.2.3.4, 10.0.0.9", "10.0.0.9"),
        ({"REMOTE_ADDR": ""}, "10.0.0.9", "10.0.0.9"),
    ],
)
def test_a_session_has_the_address_that_a_proxy_of_ours_names(
    behind: Office, peer: dict[str, str], forwarded: str, address: str
) -> None:
    more = {"headers": {"X-Forwarded-For": forwarded}, "environ_overrides": peer, "base_url": "https://localhost"}
    assert behind.site.client.post("/api/v2/login", json=ANNA, **more).status_code == 201
    (held,) = behind.crew.held.values()
    assert held.address == address


@pytest.mark.parametrize("peer", ["127.0.0.1", ""])
@pytest.mark.parametrize(("named", "status"), [("10.0.0.9", 400), ("127.0.0.1", 201)])
def test_a_proxy_here_that_was_spoken_to_in_clear_brings_no_password(
    behind: Office, peer: str, named: str, status: int
) -> None:
    more = {"headers": {"X-Forwarded-For": named}, "environ_overrides": {"REMOTE_ADDR": peer}}
    assert behind.site.client.post("/api/v2/login", json=ANNA, **more).status_code == status
    more["headers"] |= TLS
    assert behind.site.client.post("/api/v2/login", json={**ANNA, "code": "333333"}, **more).status_code == 201


@pytest.mark.parametrize(("peer", "status"), [(PROXY, 201), (STRANGER, 400)])
def test_only_a_proxy_says_that_nobody_listens(behind: Office, peer: dict[str, str], status: int) -> None:
    response = behind.site.client.post("/api/v2/login", json=ANNA, headers=TLS, environ_overrides=peer)
    assert response.status_code == status


def attempts(office: Office, peer: dict[str, str], headers: dict[str, str], *logins: str) -> list[int]:
    """How attempts to log in with a wrong password are answered."""
    more = {"headers": headers, "environ_overrides": peer, "base_url": "https://localhost"}
    wrong = [{"login": login, "password": "x", "code": "000000"} for login in logins]
    return [office.site.client.post("/api/v2/login", json=each, **more).status_code for each in wrong]


def test_attempts_are_counted_for_whom_the_proxy_names_and_never_for_the_proxy(behind: Office) -> None:
    many = [f"user{number}" for number in range(11)]
    assert 429 not in attempts(behind, PROXY, {}, *many)
    assert attempts(behind, PROXY, {"X-Forwarded-For": "10.0.0.9"}, *many)[-1] == 429
    assert attempts(behind, PROXY, {"X-Forwarded-For": "10.0.0.9, 10.0.0.8"}, "anna") != [429]


def test_a_stranger_that_names_another_is_counted_all_the_same(behind: Office) -> None:
    answers = [
        attempts(behind, STRANGER, {"X-Forwarded-For": f"10.0.1.{number}"}, f"user{number}")[0] for number in range(11)
    ]
    assert (answers[-1], 429 in answers[:10]) == (429, False)


# ---- who writes into the shared database ----


def test_a_forged_session_gains_reading_and_no_more(office: Office, site: Site) -> None:
    anna = log_in(site, ANNA)
    forged = new_token()
    copy = {**site.store.copies.get("session", token_hash(anna)), "login": "kmf", "id": 77}
    site.store.copies.put("session", {token_hash(forged): copy})
    assert send(site, "GET", "/api/v2/me", forged).json["me"]["login"] == "kmf"
    assert code_of(send(site, "POST", "/api/v2/tokens", forged, json={"name": "x"})) == (401, "login-required")
    office.desk.tell({})
    assert code_of(send(site, "GET", "/api/v2/me", forged)) == (401, "login-required")


def test_what_was_sealed_for_one_thing_serves_for_no_other(site: Site) -> None:
    office = Office(site)
    box = SealedBox(PublicKey(bytes.fromhex(office.keys.public)))
    token, now = new_token(), site.now.timestamp()
    says = {"login": "anna", "password": "anna", "code": "111111"}
    good = Letter("login", "nonce", now, token, "", says)
    for nonce, kind, letter in (
        ("other", "login", good),  # moved to another nonce
        ("nonce", "token", good),  # moved to another kind
        ("old", "login", Letter("login", "old", now - 61, token, "", says)),
        ("new", "login", Letter("login", "new", now + 11, token, "", says)),
    ):
        site.store.asks.put(nonce, kind, box.encrypt(write_letter(letter)), site.now)
        assert office.desk.answer() == 1
        assert site.store.asks.answer_to(nonce)["code"] == "bad-request"
    for nonce, sealed in (
        ("junk", b"junk"),
        ("empty", b""),
        ("json", box.encrypt(b"{}")),
        ("deep", box.encrypt(b"[" * 9999)),
    ):
        site.store.asks.put(nonce, "login", sealed, site.now)
        assert office.desk.answer() == 1
        assert site.store.asks.answer_to(nonce)["ok"] is False
    assert office.crew.held == {}
