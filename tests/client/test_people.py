"""Logging in at a terminal, who one is, tokens for scripts, and the record of all that."""

from __future__ import annotations

import json
import stat

import pytest

from tests.client.conftest import PASSWORD, Home, answering, http, log_in
from tests.program import DemoProgram


def test_nobody_sees_the_password_and_everybody_as_whom_and_how_long(kmf: Home, program: DemoProgram) -> None:
    assert PASSWORD not in kmf.seen
    assert f"logged in to {program.base} as kmf, until 20" in kmf.seen
    path = kmf.path / ".local" / "state" / "bofhbot" / "sessions.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_is_who_one_logged_in_as_with_ones_rights(kmf: Home) -> None:
    (me,) = json.loads(kmf.good("whoami", "--json", "login,kind,rights,roles"))
    assert (me["login"], me["kind"], me["roles"]) == ("kmf", "session", ["admin"])
    assert "audit" in me["rights"]


def test_who_is_not_logged_in_is_told_how(at_home: Home) -> None:
    for words in (("whoami",), ("log",), ("tokens",)):
        done = at_home.run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("bofhbot: ")
        assert done.stderr.endswith("; bofhbot login is how\n")
        assert "POST" not in done.stderr


def test_a_login_is_asked_at_a_terminal_and_nowhere_else(at_home: Home) -> None:
    done = at_home.run("login", "kmf", stdin=f"{PASSWORD}\n123456\n")
    assert done.returncode == 2
    assert "this asks a person, and there is no terminal" in done.stderr


def test_a_session_ends_here_and_there(home: Home, program: DemoProgram) -> None:
    home.environ["BOFHBOT_URL"] = program.base
    log_in(home, program, "anna")
    path = home.path / ".local" / "state" / "bofhbot" / "sessions.json"
    kept = path.read_text()
    assert home.good("logout") == ""
    path.write_text(kept)
    assert home.run("whoami").returncode == 2
    assert home.good("logout") == ""
    assert home.run("whoami").returncode == 2


def test_a_token_is_shown_once_and_serves_a_script_until_it_ends(kmf: Home, home: Home, program: DemoProgram) -> None:
    token = kmf.good("tokens", "--new", "nightly", "--hours", "1", "--scope", "ask")
    path = home.path / "token"
    path.write_text(token)
    home.sites(f'[sites.demo]\nurl = "{program.base}"\ntoken_file = "{path}"\n')
    path.chmod(0o644)
    assert "others could read" in home.run("whoami").stderr
    path.chmod(0o600)
    assert home.good("whoami").startswith("kmf\ttoken\tnightly\task\t")
    (number,) = [row["id"] for row in json.loads(kmf.good("tokens", "--json", "id,name")) if row["name"] == "nightly"]
    assert kmf.good("tokens", "--end", str(number)) == ""
    assert home.run("whoami").returncode == 2


def test_the_log_has_what_people_did_newest_first(kmf: Home) -> None:
    rows = json.loads(kmf.good("log", "--json", "number,kind,by"))
    numbers = [row["number"] for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert {"kind": "login", "by": "kmf"} in [{"kind": row["kind"], "by": row["by"]} for row in rows]
    assert len(kmf.good("log", "--limit", "2").splitlines()) == 2


@pytest.mark.parametrize("token", ["", "short", "x" * 600, "a\r\nX-Evil: 1" + "a" * 20, 5, None, ["x"]])
def test_a_token_that_can_be_none_is_neither_kept_nor_shown(kmf: Home, home: Home, token: object) -> None:
    with answering(http(json.dumps({"token": token}).encode(), "201 Created")) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        done = home.run("tokens", "--new", "x")
    assert (done.returncode, done.stdout) == (1, "")


def test_a_password_goes_over_nothing_that_others_can_listen_to(home: Home) -> None:
    home.environ["BOFHBOT_URL"] = "http://botd.example"
    done = home.run("login")
    assert done.returncode == 2
    assert "use its https URL" in done.stderr


def test_a_session_goes_to_no_other_address(kmf: Home) -> None:
    with answering(http(b'{"me": null, "roles": [], "rights": [], "doubt": ""}')) as hostile:
        environ = {**kmf.environ, "BOFHBOT_URL": hostile.url}
        Home(kmf.path, environ).run("whoami")
    assert hostile.asked
    assert b"Authorization" not in hostile.asked[0]
