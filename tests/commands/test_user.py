"""`botd user`, as the owner of the ledger types it at a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from botd.agent.people.codes import code_at
from botd.agent.people.passwords import Passwords
from botd.cli import main
from botd.config import load_config
from botd.ledger import Ledger
from botd.ledger.people import Known
from botd.model import utc_now

ROLES = '[[role]]\nname = "student"\n[[role]]\nname = "admin"\nmay = ["note"]\n[protected]\nnodes = ""\n'

Botd = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "botd.toml"
    path.write_text('[access]\nroles_file = "roles.toml"\n')
    (tmp_path / "roles.toml").write_text(ROLES)
    return path


@pytest.fixture
def botd(config: Path, capsys: pytest.CaptureFixture[str]) -> Botd:
    """Runs a command: its exit status and what it prints."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main(["user", *words, "--config", str(config)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def at_terminal(config: Path, *words: str) -> pexpect.spawn:
    command = ["-m", "botd", "--log-level", "error", "user", *words, "--config", str(config)]
    return pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=60, dimensions=(60, 200))


def known(config: Path, login: str) -> Known:
    ledger = Ledger(load_config(str(config)))
    ledger.open(utc_now())
    with ledger.read() as db:
        found = ledger.people.get(db, login)
    ledger.close()
    assert found
    return found


def test_people_come_have_roles_are_locked_and_go(config: Path, botd: Botd) -> None:
    status, out, _ = botd("add", "anna", "student")
    assert (status, "next: `botd user password anna` and `botd user otp anna`" in out) == (0, True)
    assert botd("role", "anna", "student", "admin")[0] == 0
    assert known(config, "anna").roles == ("student", "admin")
    assert botd("lock", "anna", "phone lost")[0] == 0
    assert re.match(r"anna +student, admin +no password here, no codes, locked since .*: phone lost", botd("list")[1])
    assert botd("unlock", "anna")[0] == 0
    assert "locked" not in botd("list")[1]
    assert botd("remove", "anna")[0] == 0
    assert botd("list") == (0, "", "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "an na"), 'botd: "an na" is no login'),
        (("add", "anna", "studnet"), 'botd: the roles file has no role "studnet"; did you mean "student"?'),
        (("role", "nobody"), 'botd: there is no person "nobody"'),
        (("otp", "nobody"), 'botd: there is no person "nobody"'),
        (("remove", "nobody"), 'botd: there is no person "nobody"'),
    ],
)
def test_what_cannot_be_is_one_sentence(botd: Botd, words: tuple[str, ...], why: str) -> None:
    status, out, err = botd(*words)
    assert (status, out, err.startswith(why), err.count("\n")) == (2, "", True, 1)


@pytest.mark.parametrize("command", ["password", "otp"])
def test_what_is_secret_goes_through_no_pipe(botd: Botd, command: str, monkeypatch) -> None:
    botd("add", "anna")
    monkeypatch.setattr("os.isatty", lambda _: False)
    assert botd(command, "anna") == (2, "", "botd: this is typed at a terminal; start it in one\n")


def test_a_password_is_asked_for_twice_and_not_shown(config: Path, botd: Botd) -> None:
    botd("add", "anna")
    child = at_terminal(config, "password", "anna")
    for _ in range(2):
        child.expect("new password for anna: |once more: ")
        child.sendline("correct horse battery")
    child.expect("anna has a new password")
    child.expect(pexpect.EOF)
    assert "horse" not in child.before
    assert Passwords().fits(known(config, "anna").password_hash, "correct horse battery")


def test_two_passwords_that_differ_change_nothing(config: Path, botd: Botd) -> None:
    botd("add", "anna")
    child = at_terminal(config, "password", "anna")
    for typed in ("correct horse battery", "correct horse buttery"):
        child.expect("new password for anna: |once more: ")
        child.sendline(typed)
    child.expect("the two are not the same; nothing has changed")
    child.expect(pexpect.EOF)
    assert known(config, "anna").password_hash == ""


def test_a_secret_is_shown_once_as_a_picture_and_as_text_and_counts_after_one_code(config: Path, botd: Botd) -> None:
    botd("add", "anna")
    child = at_terminal(config, "otp", "anna")
    child.expect(r"anna scans this, or types ((?:[A-Z2-7]{4} ?){8})")
    secret = child.match[1].replace(" ", "")
    assert "▄" in child.before  # half blocks: two modules of the picture in a letter
    child.expect("code: ")
    child.sendline("12345")
    child.expect("not the code of the moment")
    child.expect("code: ")
    child.sendline(code_at(secret, utc_now()))
    child.expect("codes of anna count from here on")
    child.expect(pexpect.EOF)
    assert known(config, "anna").otp_secret == secret


def test_a_secret_of_which_no_code_was_typed_counts_nothing(config: Path, botd: Botd) -> None:
    botd("add", "anna")
    child = at_terminal(config, "otp", "anna")
    for _ in range(3):
        child.expect("code: ")
        child.sendline("nonsense")
    child.expect("nothing has changed")
    child.expect(pexpect.EOF)
    assert known(config, "anna").otp_secret == ""
