"""Who there is: each change is in the audit, and what cannot be is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from botd.agent.people.codes import code_at, matching_steps, new_secret, seconds_left, secret_uri, step_at
from botd.agent.people.passwords import Passwords
from botd.errors import BadRequest, LedgerUnavailable, NotFound
from tests.agent.people.parts import CHEAP, PASSWORD, START, Hall, hall


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Hall]:
    with hall(tmp_path) as made:
        yield made


def last(here: Hall) -> dict[str, object]:
    return json.loads(here.rows()[-1])


def test_a_person_is_there_with_roles_and_can_do_nothing_yet(here: Hall) -> None:
    here.register.add("anna", ["student", "student-repair"], "kmf (command line)")
    (anna,) = here.register.everybody()
    assert (anna.login, anna.roles, anna.added_at) == ("anna", ("student", "student-repair"), START)
    assert (anna.password_hash, anna.otp_secret, anna.locked_at) == ("", "", None)
    row = last(here)
    assert (row["kind"], row["by"], row["about"]) == ("user-added", "kmf (command line)", "anna")
    assert row["detail"] == {"roles": "student,student-repair"}


@pytest.mark.parametrize("login", ["", "a" * 65, "an na", "anna,kmf", "../anna", "anna\n", "1anna", "ännä", "-anna"])
def test_a_login_that_cannot_be_is_refused(here: Hall, login: str) -> None:
    with pytest.raises(BadRequest):
        here.register.add(login, [], "kmf")
    assert here.register.everybody() == []


def test_a_person_is_there_once(here: Hall) -> None:
    here.person("anna", "student")
    with pytest.raises(BadRequest, match="already"):
        here.register.add("anna", ["admin"], "kmf")
    assert here.register.get("anna").roles == ("student",)


@pytest.mark.parametrize("role", ["", "a,b", "x" * 65, "admin\n"])
def test_a_role_that_cannot_be_is_refused_and_nothing_is_half_done(here: Hall, role: str) -> None:
    here.register.add("anna", ["student"], "kmf")
    with pytest.raises(BadRequest):
        here.register.set_roles("anna", ["admin", role], "kmf")
    with pytest.raises(BadRequest):
        here.register.add("bea", [role], "kmf")
    assert [(person.login, person.roles) for person in here.register.everybody()] == [("anna", ("student",))]


def test_roles_take_the_place_of_those_before_which_stand_in_the_audit(here: Hall) -> None:
    here.register.add("anna", ["student"], "kmf")
    here.register.set_roles("anna", ["admin"], "kmf")
    assert here.register.get("anna").roles == ("admin",)
    assert last(here)["detail"] == {"roles": "admin", "before": "student"}
    here.register.set_roles("anna", [], "kmf")
    assert here.register.get("anna").roles == ()


@pytest.mark.parametrize(
    "do",
    [
        lambda register: register.get("ana"),
        lambda register: register.set_roles("ana", [], "kmf"),
        lambda register: register.set_password("ana", PASSWORD, "kmf"),
        lambda register: register.lock("ana", "x", "kmf"),
        lambda register: register.unlock("ana", "kmf"),
        lambda register: register.remove("ana", "kmf"),
    ],
)
def test_who_is_not_there_is_said_with_who_is_near(here: Hall, do) -> None:
    here.person("anna")
    before = here.rows()
    with pytest.raises(NotFound, match='there is no person "ana"; did you mean "anna"'):
        do(here.register)
    assert here.rows() == before


def test_a_secret_counts_once_a_code_of_it_was_typed(here: Hall) -> None:
    here.register.add("anna", [], "kmf")
    secret = new_secret()
    with pytest.raises(BadRequest, match="not the code of the moment"):
        here.register.enrol("anna", secret, "000000" if code_at(secret, START) != "000000" else "111111", "kmf")
    assert here.register.get("anna").otp_secret == ""
    here.register.enrol("anna", secret, code_at(secret, START), "kmf")
    assert here.register.get("anna").otp_secret == secret
    assert last(here)["kind"] == "otp-set"


def test_who_is_removed_leaves_only_the_audit(here: Hall) -> None:
    here.person("anna")
    token = here.give_token("anna")
    here.register.remove("anna", "kmf")
    assert here.register.everybody() == []
    with here.ledger.read() as db:
        for table in ("people", "credentials", "sessions", "tokens"):
            assert db.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0
    here.register.add("anna", [], "kmf")  # and may come again, as a stranger
    assert here.register.get("anna").otp_secret == ""
    assert here.logins.find(token) is None


def test_where_nothing_can_be_recorded_nothing_is_done(here: Hall, monkeypatch) -> None:
    here.person("anna", "student")

    def full(*_: object) -> None:
        raise LedgerUnavailable("disk full")

    monkeypatch.setattr(here.ledger.chain, "add", full)
    for do in (
        lambda: here.register.add("bea", [], "kmf"),
        lambda: here.register.set_roles("anna", ["admin"], "kmf"),
        lambda: here.register.lock("anna", "x", "kmf"),
        lambda: here.register.remove("anna", "kmf"),
        lambda: here.give_token("anna"),
        lambda: here.logins.check_code("anna", here.code("anna", 1)),
    ):
        with pytest.raises(LedgerUnavailable):
            do()
    monkeypatch.undo()
    (anna,) = here.register.everybody()
    assert (anna.roles, anna.locked_at) == (("student",), None)
    assert here.held_by("anna") == []
    here.logins.check_code("anna", here.code("anna", 1))  # which was not used up


# ---- passwords ----


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "10 to 1,024 characters"),
        ("x" * 1025, "10 to 1,024 characters"),
        ("correct\0horse battery", "10 to 1,024 characters"),
        ("Anna is the best", "guessed at once"),
        ("aaaabbbbccccdddd", "guessed at once"),
    ],
)
def test_a_password_that_nobody_should_have_is_refused_without_being_repeated(
    here: Hall, password: str, why: str
) -> None:
    here.register.add("anna", [], "kmf")
    with pytest.raises(BadRequest, match=why) as caught:
        here.register.set_password("anna", password, "kmf")
    assert password not in str(caught.value)


@pytest.mark.parametrize("password", [PASSWORD, "übergrößenträger 7", "\ud800 half a character", "p" * 500 + "abcdef"])
def test_a_hash_fits_its_password_and_no_other(password: str) -> None:
    passwords = Passwords(CHEAP)
    hashed = passwords.hashed(password)
    assert hashed.startswith("$argon2id$")
    assert hashed != passwords.hashed(password)
    assert passwords.fits(hashed, password)
    assert not passwords.fits(hashed, password + "x")
    assert not passwords.fits(hashed, "x" * 100_000)


@pytest.mark.parametrize("hashed", ["", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA", "nobody has this password"])
def test_what_is_no_hash_fits_no_password(hashed: str) -> None:
    passwords = Passwords(CHEAP)
    assert not passwords.fits(hashed, "nobody has this password")
    assert not passwords.fits(hashed, "")


def test_the_hashes_are_those_that_argon2_recommends() -> None:
    assert Passwords().hashed("correct horse battery").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


# ---- codes ----


def test_codes_are_those_of_rfc_6238() -> None:
    """Appendix B, SHA-1, the last six of its eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        at = START - timedelta(seconds=START.timestamp()) + timedelta(seconds=seconds)
        assert code_at(secret, at) == code
        assert matching_steps(secret, code, at) == [seconds // 30]


def test_a_secret_has_160_bits_and_an_app_can_read_it() -> None:
    secret = new_secret()
    assert len(secret) * 5 == 160
    assert secret_uri(secret, "anna", "brc") == f"otpauth://totp/botd%20brc:anna?secret={secret}&issuer=botd%20brc"


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "１２３４５６", "12 34", "\0" * 6, "-12345", "1e1000"]
)
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert matching_steps(new_secret(), code, START) == []


def test_the_edges_of_a_step() -> None:
    edge = START.replace(second=30)
    assert step_at(edge) - step_at(edge - timedelta(seconds=0.001)) == 1
    assert (seconds_left(edge), seconds_left(edge - timedelta(seconds=1))) == (30, 1)
