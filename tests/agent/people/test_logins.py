"""Logging in and what one then holds: codes that count once, locks that grow, sessions and tokens that end."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from botd.access.judge import Person
from botd.access.tokens import token_hash
from botd.agent.people.logins import MOST_HELD, open_logins
from botd.config import parse_config
from botd.documents import iso
from botd.errors import BadRequest, BotdError, LockedOut, NotAllowed, ProofRefused
from tests.agent.people.parts import HOME, PASSWORD, START, Hall, hall


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Hall]:
    """anna can log in."""
    with hall(tmp_path) as made:
        made.person("anna", "student")
        made.later(seconds=30)
        yield made


def log_in(here: Hall, login: str = "anna", password: str = PASSWORD, code: str = "", address: str = HOME) -> str:
    return here.log_in(login, password, code or here.code("anna"), address)


def fail(here: Hall, times: int = 1, address: str = "") -> None:
    for _ in range(times):
        with pytest.raises(ProofRefused):
            here.log_in("anna", "wrong password", "000000", address)


# ---- name, password and code ----


def test_name_password_and_code_make_a_session(here: Hall) -> None:
    held = here.logins.find(log_in(here))
    assert (held.kind, held.login, held.scope, held.address) == ("session", "anna", "ask", HOME)
    assert held.until == iso(here.now + timedelta(minutes=30))
    assert '"kind":"login"' in here.rows()[-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"login": "ann"},
        {"password": "correct horse"},
        {"password": ""},
        {"code": "12345"},
        {"code": "1234567"},
        {"login": ""},
    ],
)
def test_whichever_is_wrong_the_answer_is_the_same(here: Hall, wrong: dict[str, str]) -> None:
    with pytest.raises(ProofRefused) as caught:
        log_in(here, **wrong)
    assert str(caught.value) == "name, password or code is wrong"


def test_a_code_may_be_typed_with_a_space(here: Hall) -> None:
    code = here.code("anna")
    assert log_in(here, code=f"{code[:3]} {code[3:]}")


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, False), (0, True), (1, True), (2, False)])
def test_a_code_counts_one_step_to_each_side_but_not_before_one_that_was_used(
    here: Hall, steps: int, taken: bool
) -> None:
    """The code of the step before was used to enrol."""
    if taken:
        assert log_in(here, code=here.code("anna", steps))
    else:
        with pytest.raises(ProofRefused):
            log_in(here, code=here.code("anna", steps))


def test_the_code_of_the_step_before_counts(here: Hall) -> None:
    here.later(seconds=30)
    assert log_in(here, code=here.code("anna", -1))


def test_a_code_that_was_used_says_when_the_next_one_comes_and_locks_nobody(here: Hall) -> None:
    code = here.code("anna")
    log_in(here, code=code)
    here.later(seconds=11)
    for _ in range(30):
        with pytest.raises(ProofRefused, match="this code was used already: next in 14 s"):
            log_in(here, code=code)
    here.later(seconds=14)
    assert log_in(here)


def test_of_twenty_who_give_one_code_at_once_one_is_taken(here: Hall) -> None:
    code = here.code("anna")

    def once(_: int) -> str:
        try:
            here.logins.check_code("anna", code)
        except ProofRefused as error:
            return str(error)[:24]
        return "taken"

    with ThreadPoolExecutor(20) as pool:
        outcome = Counter(pool.map(once, range(20)))
    assert outcome == {"taken": 1, "this code was used alrea": 19}


def test_a_clock_that_is_put_back_makes_no_used_code_good_again(here: Hall) -> None:
    code = here.code("anna")
    log_in(here, code=code)
    here.later(hours=5)
    log_in(here)
    here.now = START + timedelta(seconds=30)
    with pytest.raises(ProofRefused, match="used already"):
        log_in(here, code=code)


def test_a_secret_that_was_exchanged_makes_no_codes_any_more(here: Hall) -> None:
    old = here.code("anna", 1)
    here.enrol("anna")
    with pytest.raises(ProofRefused):
        log_in(here, code=old)


def test_who_has_no_code_yet_cannot_log_in(here: Hall) -> None:
    here.register.add("bea", [], "test")
    here.register.set_password("bea", PASSWORD, "test")
    with pytest.raises(ProofRefused, match="name, password or code is wrong"):
        here.log_in("bea", PASSWORD, "000000", HOME)


def test_a_password_that_changes_while_it_is_compared_does_not_count(here: Hall, monkeypatch) -> None:
    fits = here.passwords.fits

    def slowly(hashed: str, password: str) -> bool:
        found = fits(hashed, password)
        here.register.set_password("anna", "another good one", "test")
        return found

    monkeypatch.setattr(here.passwords, "fits", slowly)
    with pytest.raises(ProofRefused):
        log_in(here)


# ---- locks ----


def test_five_failures_lock_for_a_quarter_of_an_hour_and_each_further_one_for_twice_as_long(here: Hall) -> None:
    fail(here, 4)
    for minutes in (15, 30, 60, 120, 240, 480, 960, 1440, 1440):
        fail(here)
        with pytest.raises(LockedOut, match=f"try again in {minutes} min"):
            log_in(here)
        here.later(minutes=minutes, seconds=-1)
        with pytest.raises(LockedOut):
            log_in(here)
        here.later(seconds=1)
    assert log_in(here)


def test_who_logs_in_begins_anew(here: Hall) -> None:
    for _ in range(3):
        fail(here, 4)
        here.later(seconds=60)
        assert log_in(here)


def test_twenty_failures_in_a_row_lock_until_somebody_unlocks(here: Hall) -> None:
    for _ in range(20):
        fail(here)
        here.later(days=1)
    with pytest.raises(LockedOut, match="ask an administrator to unlock it"):
        log_in(here)
    here.later(days=400)
    with pytest.raises(LockedOut):
        log_in(here)
    here.register.unlock("anna", "kmf")
    assert log_in(here)
    assert sum("locked-out" in row for row in here.rows()) == 16


def test_codes_alone_are_counted_as_logins_are(here: Hall) -> None:
    for _ in range(5):
        with pytest.raises(ProofRefused):
            here.logins.check_code("anna", here.wrong_code("anna"))
    with pytest.raises(LockedOut):
        here.logins.check_code("anna", here.code("anna"))
    with pytest.raises(LockedOut):
        log_in(here)


def test_while_one_is_locked_nothing_is_counted_and_nothing_is_written(here: Hall) -> None:
    fail(here, 5)
    before = here.rows()
    for _ in range(50):
        with pytest.raises(LockedOut):
            log_in(here)
    assert here.rows() == before


def test_a_login_that_nobody_has_is_locked_like_any_other(here: Hall) -> None:
    for _ in range(5):
        with pytest.raises(ProofRefused):
            log_in(here, login="mallory")
    with pytest.raises(LockedOut):
        log_in(here, login="mallory")


def test_an_address_that_fails_twenty_times_waits_whoever_it_tries(here: Hall) -> None:
    for number in range(20):
        with pytest.raises(ProofRefused):
            log_in(here, login=f"user{number}", address="10.9.9.9")
    with pytest.raises(LockedOut, match="15 min"):
        log_in(here, address="10.9.9.9")
    assert log_in(here, address=HOME)
    here.later(minutes=15)
    assert log_in(here, address="10.9.9.9")


def test_failures_of_an_address_are_forgotten_after_a_quarter_of_an_hour(here: Hall) -> None:
    for number in range(40):
        with pytest.raises(ProofRefused):
            log_in(here, login=f"user{number}", address="10.9.9.9")
        here.later(minutes=1)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.9", "::1", ""])
def test_loopback_and_who_has_no_address_lock_no_address(here: Hall, address: str) -> None:
    for number in range(25):
        with pytest.raises(ProofRefused):
            log_in(here, login=f"user{number}", address=address)
    assert log_in(here, address=address)


@pytest.mark.parametrize("address", ["192.0.2.7", "10.1.0.99", "::ffff:10.1.0.99"])
def test_a_proxy_that_names_nobody_does_not_lock_all_out(tmp_path: Path, address: str) -> None:
    config = parse_config({"server": {"proxies": ["192.0.2.7", "10.1.0.0/24"]}}, path=str(tmp_path / "botd.toml"))
    with hall(tmp_path) as here:
        here.logins = open_logins(config, here.ledger, here.clock)
        here.logins._passwords = here.passwords
        here.person("anna")
        here.later(seconds=30)
        for number in range(25):
            with pytest.raises(ProofRefused):
                log_in(here, login=f"user{number}", address=address)
        assert log_in(here, address=address)


def test_only_so_many_that_nobody_has_are_remembered(here: Hall, monkeypatch) -> None:
    monkeypatch.setattr("botd.ledger.lockouts.MOST", 10)
    for number in range(30):
        with pytest.raises(ProofRefused):
            log_in(here, login=f"user{number}", address="")
        here.later(seconds=1)
    with here.ledger.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM lockouts").scalar_one() <= 10


# ---- sessions ----


def test_a_session_ends_half_an_hour_after_it_was_used_last(here: Hall) -> None:
    token = log_in(here)
    for _ in range(3):
        here.later(minutes=29, seconds=59)
        assert here.logins.find(token)
    here.later(minutes=30)
    assert here.logins.find(token) is None


def test_a_session_ends_after_ten_hours_however_it_is_used(here: Hall) -> None:
    token = log_in(here)
    for _ in range(29):
        here.later(minutes=20)
        assert here.logins.find(token)
    here.later(minutes=20)
    assert here.logins.find(token) is None


def test_a_clock_that_is_put_back_makes_nothing_good_that_was_not_made_yet(here: Hall) -> None:
    token = log_in(here)
    here.later(seconds=-1)
    assert here.logins.find(token) is None


def test_a_clock_that_is_put_back_makes_no_session_last_longer_without_use(here: Hall) -> None:
    token = log_in(here)
    here.later(minutes=20)
    assert here.logins.find(token)
    here.later(minutes=-10)
    assert here.logins.find(token) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 5000, "\ud800" * 43])
def test_what_is_no_token_is_nobodys(here: Hall, token: str) -> None:
    assert here.logins.find(token) is None


def test_who_logs_out_is_out(here: Hall) -> None:
    token = log_in(here)
    here.logins.end(here.logins.find(token), "anna")
    assert here.logins.find(token) is None
    assert '"kind":"logout"' in here.rows()[-1]


@pytest.mark.parametrize("end", ["lock", "remove", "set_password", "enrol"])
def test_what_takes_a_right_away_ends_sessions_and_tokens_at_once(here: Hall, end: str) -> None:
    session = log_in(here)
    token = here.give_token("anna", "cron", "read")
    here.later(seconds=30)
    {
        "lock": lambda: here.register.lock("anna", "phone lost", "kmf"),
        "remove": lambda: here.register.remove("anna", "kmf"),
        "set_password": lambda: here.register.set_password("anna", "another good one", "kmf"),
        "enrol": lambda: here.enrol("anna"),
    }[end]()
    assert (here.logins.find(session), here.logins.find(token)) == (None, None)


def test_who_is_locked_cannot_log_in_until_unlocked(here: Hall) -> None:
    here.register.lock("anna", "phone lost", "kmf")
    with pytest.raises(ProofRefused):
        log_in(here)
    with pytest.raises(ProofRefused):
        here.logins.check_code("anna", here.code("anna"))
    here.register.unlock("anna", "kmf")
    assert log_in(here)


def test_a_code_serves_five_minutes_of_its_session_and_address(here: Hall) -> None:
    held = here.logins.find(log_in(here))
    assert here.logins.is_proved(held, HOME)
    assert not here.logins.is_proved(held, "10.0.0.8")
    here.later(minutes=5)
    assert not here.logins.is_proved(held, HOME)
    here.logins.prove(held, here.code("anna"), HOME)
    again = here.held_by("anna")[0]
    assert here.logins.is_proved(again, HOME)
    here.logins.end(again, "anna")
    assert not here.logins.is_proved(again, HOME)


# ---- tokens ----


@pytest.mark.parametrize(("hours", "scope"), [(8.0, "read"), (12.0, "ask"), (0.5, "read")])
def test_a_token_is_good_for_its_hours(here: Hall, hours: float, scope: str) -> None:
    token = here.give_token("anna", "cron", scope, hours)
    here.later(hours=hours, seconds=-1)
    held = here.logins.find(token)
    assert (held.kind, held.scope, held.name) == ("token", scope, "cron")
    here.later(seconds=1)
    assert here.logins.find(token) is None


@pytest.mark.parametrize(
    ("scope", "hours"), [("act", 8), ("", 8), ("read", 0), ("read", -1), ("read", 12.1), ("read", float("nan"))]
)
def test_a_token_for_more_than_there_is_is_refused(here: Hall, scope: str, hours: float) -> None:
    with pytest.raises(BadRequest):
        here.give_token("anna", "cron", scope, hours)


def test_what_one_holds_is_listed_with_its_last_use_and_ended_by_whoever_may(here: Hall) -> None:
    token = here.give_token("anna", "cron", "read")
    here.later(minutes=5)
    here.logins.find(token)
    (held,) = here.held_by("anna")
    assert (held.name, held.used_at) == ("cron", iso(here.now))
    assert list(here.logins.holders()) == [token_hash(token)]
    here.logins.end(held, "kmf")
    assert here.logins.find(token) is None
    row = json.loads(here.rows()[-1])
    assert (row["kind"], row["by"], row["about"]) == ("token-revoked", "kmf", "anna")
    before = here.rows()
    here.logins.end(held, "kmf")
    assert here.rows() == before


@pytest.mark.parametrize("token", ["", "12345", "x" * 42, "x" * 44])
def test_what_could_be_guessed_is_no_token(here: Hall, token: str) -> None:
    with pytest.raises(BadRequest):
        here.logins.log_in("anna", PASSWORD, here.code("anna"), token=token, address=HOME)
    with pytest.raises(BadRequest):
        here.logins.give_token("anna", "cron", "read", 8, token=token)


def test_a_person_has_the_roles_of_the_ledger_and_the_groups_of_the_machine(here: Hall) -> None:
    assert here.logins.person("anna") == Person("anna", frozenset(), frozenset({"student"}))
    root = here.logins.person("root")
    assert (root.roles, "root" in root.unix_groups) == (frozenset(), True)
    here.register.lock("anna", "phone lost", "kmf")
    with pytest.raises(NotAllowed, match="anna is locked"):
        here.logins.person("anna")


def test_one_person_holds_only_so_many_and_the_oldest_ends(here: Hall) -> None:
    tokens = []
    for _ in range(MOST_HELD + 3):
        tokens.append(here.give_token("anna", "cron", "read"))
        here.later(seconds=1)
    assert [here.logins.find(token) is not None for token in tokens] == [False] * 3 + [True] * MOST_HELD


def test_what_is_over_is_taken_away(here: Hall) -> None:
    log_in(here)
    here.give_token("anna", "cron", "read")
    assert here.logins.end_old() == 0
    here.later(hours=1)
    assert here.logins.end_old() == 1
    here.later(hours=8)
    assert here.logins.end_old() == 1


# ---- what stands nowhere ----


def test_no_secret_stands_in_audit_log_or_ledger_beyond_what_must(here: Hall, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session, token = log_in(here), here.give_token("anna", "cron", "read")
    code, secret = here.code("anna", 1), here.secrets["anna"]
    for login, password in (("anna", "wrong horse staple"), ("my password typed here", PASSWORD)):
        with pytest.raises(BotdError):
            here.log_in(login, password, code, HOME)
    with here.ledger.read() as db:
        stored = db.exec_driver_sql("SELECT group_concat(hash) FROM sessions").scalar_one() + str(
            db.exec_driver_sql("SELECT * FROM credentials").fetchall()
        )
    told = "\n".join([*here.rows(), caplog.text, repr(here.register.get("anna")), repr(here.held_by("anna"))])
    for text in (PASSWORD, "wrong horse staple", "my password typed here", session, token, code, secret):
        assert text not in told
    assert PASSWORD not in stored
    assert session not in stored
    assert token_hash(session) in stored
    assert here.verdict().broken_at is None
