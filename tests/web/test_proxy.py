"""Whom a proxy vouches for: reads, and is asked to log in for the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botd.access.roles import parse_roles
from botd.agent.people.desk import Desk
from botd.agent.people.roles_file import RolesState
from tests.agent.people.parts import hall
from tests.conftest import Site, drained
from tests.office import ROLES, Office

UNIX = {"REMOTE_ADDR": ""}
HTML = {"Accept": "text/html"}


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    made = make_site({"access": {"header": "X-Remote-User", "read": "known"}})
    made.nodes(drained("n0000.savio2"))
    made.reading("n0000.savio2")
    made.beat()
    Office(made)
    return made


def get(site: Site, path: str, login: str, **more: Any) -> Any:
    headers = {"X-Remote-User": login, **more.pop("headers", {})}
    return site.client.open(path, headers=headers, environ_base=UNIX, **more)


def test_who_is_known_reads_with_their_rights(site: Site) -> None:
    assert get(site, "/api/v1/status", "anna").status_code == 200
    assert get(site, "/api/v2/audit", "anna").status_code == 403
    assert get(site, "/api/v2/audit", "kmf").status_code == 200
    for login in ("", "mallory", "anna,kmf", "a" * 5000):
        assert get(site, "/api/v1/status", login).status_code == 401
    assert site.client.get("/api/v1/status", headers={"X-Remote-User": "anna"}).status_code == 401  # TCP


def test_it_makes_no_token_and_the_page_says_how_to_get_further(site: Site) -> None:
    refused = get(site, "/api/v2/tokens", "kmf", method="POST", json={"name": "x"})
    assert (refused.status_code, "log in at /login" in refused.text) == (401, True)
    page = get(site, "/me", "kmf", headers=HTML).text
    assert ('href="/login"' in page, "Log out" in page) == (True, False)


def test_nobody_gets_what_another_one_was_answered(site: Site) -> None:
    assert get(site, "/api/v1/status", "anna").status_code == 200
    assert get(site, "/api/v1/status", "mallory").status_code == 401


def test_who_is_locked_in_the_ledger_is_not_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with hall(tmp_path / "own") as people:
        people.person("bea")
        people.person("kmf")
        people.register.lock("kmf", "left", "test")
        roles = RolesState(parse_roles(ROLES), ROLES, "digest")
        Desk(
            site.store, lambda sealed, now: b"", people.logins, lambda: roles, lambda: site.now, tells_people=True
        ).tell({})
    assert set(site.store.copies.all("person")) == {"anna", "bea"}


def test_whom_the_agent_no_longer_knows_is_nobody(site: Site) -> None:
    site.store.copies.drop("person", "anna")
    assert get(site, "/api/v1/status", "anna").status_code == 401
