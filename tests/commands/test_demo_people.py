"""The people of the demo can log in at once, with the code that the demo's own command works out."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botd.access.roles import parse_roles
from botd.access.tokens import new_token
from botd.agent.people.logins import open_logins
from botd.commands.demo_people import PEOPLE, add_people
from botd.config import load_config
from botd.demo import DemoCluster
from botd.demo.cluster import PRESSED, _welcome
from botd.demo.code import code
from botd.demo.files import ROLES, write_roles
from botd.errors import ProofRefused
from botd.ledger import Ledger
from botd.model import utc_now
from tests.program import DemoProgram, free_port, wait_until

PASSWORD = "as in the demo"


@pytest.fixture(scope="module")
def program() -> Iterator[DemoProgram]:
    """The running program with its people."""
    port = free_port()
    with DemoCluster(8, f"127.0.0.1:{port}") as cluster:
        add_people(str(cluster.config_path), PASSWORD, cluster.secrets)
        running = DemoProgram(cluster, port)
        try:
            wait_until(running.is_well, 60)
            yield running
        finally:
            running.stop()


def call(program: DemoProgram, method: str, path: str, token: str = "", data: object = None) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(program.base + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_student_logs_in_at_the_running_program_and_holds_a_token_until_it_is_ended(program: DemoProgram) -> None:
    secret = (program.cluster.secrets / "anna").read_text()
    given = {"login": "anna", "password": PASSWORD, "code": code(secret, time.time())}
    status, session = call(program, "POST", "/api/v2/login", data=given)
    assert status == 201, session
    assert call(program, "POST", "/api/v2/login", data=given)[0] == 401
    me = call(program, "GET", "/api/v2/me", session["token"])[1]["me"]
    assert (me["login"], me["roles"]) == ("anna", ["student", "student-repair"])
    status, made = call(program, "POST", "/api/v2/tokens", session["token"], {"name": "cron"})
    assert status == 201, made
    assert call(program, "GET", "/api/v2/me", made["token"])[0] == 200
    assert call(program, "DELETE", f"/api/v2/tokens/{made['id']}", session["token"])[0] == 204
    assert call(program, "GET", "/api/v2/me", made["token"])[0] == 401
    assert call(program, "DELETE", "/api/v2/login", session["token"])[0] == 204
    assert call(program, "GET", "/api/v2/me", session["token"])[0] == 401


def test_the_led_that_the_demo_suggests_is_lit_as_it_is_printed(program: DemoProgram) -> None:
    told = _welcome(program.cluster, 8, program.base.removeprefix("http://"))
    begin, end = told.index("  export T="), told.index("and see what the BMCs")
    add_people(str(program.config_path), PASSWORD, program.cluster.secrets / "more", {"bert": ("student",)})
    script = told[begin:end].replace(f"{program.cluster.secrets}/anna", f"{program.cluster.secrets}/more/bert")
    script = script.replace('"login": "anna"', '"login": "bert"')  # anna's code of now may be used
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout)["actions"][0]["node"] == PRESSED, done
    wait_until(lambda: f"{PRESSED}: its LED blinks for" in program.tool("heard"))


def test_everybody_of_the_demo_logs_in_with_the_code_of_the_moment(tmp_path: Path) -> None:
    path = tmp_path / "botd.toml"
    path.write_text("")
    path.chmod(0o644)
    add_people(str(path), PASSWORD, tmp_path / "secrets")
    ledger, now = Ledger(load_config(str(path))), utc_now()
    ledger.open(now)
    logins = open_logins(load_config(str(path)), ledger, lambda: now)
    for login in PEOPLE:
        secret = tmp_path / "secrets" / login
        assert secret.stat().st_mode & 0o777 == 0o600
        digits = code(secret.read_text(), now.timestamp())
        assert logins.log_in(login, PASSWORD, digits, token=new_token(), address="").login == login
        with pytest.raises(ProofRefused):
            logins.log_in(login, PASSWORD, digits, token=new_token(), address="")
    ledger.close()


def test_the_roles_of_the_demo_are_a_file_that_botd_takes(tmp_path: Path) -> None:
    write_roles(tmp_path)
    named = {role.name for role in parse_roles(ROLES).roles}
    assert {role for roles in PEOPLE.values() for role in roles} <= named
    assert (tmp_path / "roles.toml").read_text() == ROLES
