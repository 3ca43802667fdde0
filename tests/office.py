"""An agent's desk beside a site of the tests: real seals and a real store, with people who stand in this module."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from botd.access.judge import Person
from botd.access.roles import parse_roles
from botd.access.tokens import new_token, token_hash
from botd.agent.people.desk import Desk
from botd.agent.people.holders import Holder
from botd.agent.people.roles_file import RolesState
from botd.documents import iso
from botd.errors import LockedOut, ProofRefused
from botd.ledger.keys import new_keys
from tests.conftest import Site

ROLES = """
[[role]]
name = "student"
users = ["anna"]
actions = ["identify", "drain"]
nodes = "savio2"

[[role]]
name = "admin"
users = ["kmf"]
unix_groups = ["wheel"]
actions = ["*"]
nodes = "all"
may = ["people", "note", "audit", "tail"]

[protected]
nodes = "n0001.savio2"
"""


class Crew:
    """anna and kmf, whose passwords are their names backwards; each code serves once; three failures lock a login."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.held: dict[str, Holder] = {}
        self.codes = {"111111", "123456", "222222", "333333", "444444"}
        self.failures: dict[str, int] = {}
        self.ended: list[tuple[int, str]] = []
        self._made = 0

    def log_in(self, login: str, password: str, code: str, *, token: str, address: str) -> Holder:
        if self.failures.get(login, 0) >= 3:
            raise LockedOut("too many failures: wait 15 min")
        if login not in ("anna", "kmf") or password != login[::-1] or code not in self.codes:
            self.failures[login] = self.failures.get(login, 0) + 1
            raise ProofRefused("name, password or code is wrong")
        self.codes.discard(code)
        return self._hold(Holder(0, "session", login, "", "ask", address, iso(self.now), iso(self.now), ""), token, 0.5)

    def give_token(self, login: str, name: str, scope: str, hours: float, *, token: str) -> Holder:
        known = "read" if scope == "read" else "ask"
        return self._hold(Holder(0, "token", login, name, known, "", iso(self.now), iso(self.now), ""), token, hours)

    def _hold(self, holder: Holder, token: str, hours: float) -> Holder:
        self._made += 1
        made = replace(holder, id=self._made, until=iso(self.now + timedelta(hours=hours)))
        self.held[token_hash(token)] = made
        return made

    def find(self, token: str) -> Holder | None:
        holder = self.held.get(token_hash(token))
        if holder is None or holder.until <= iso(self.now):
            return None
        used = replace(holder, used_at=iso(self.now))
        if holder.kind == "session":
            used = replace(used, until=iso(self.now + timedelta(hours=0.5)))
        self.held[token_hash(token)] = used
        return used

    def end(self, holder: Holder, by: str) -> None:
        self.held = {key: each for key, each in self.held.items() if each.id != holder.id}
        self.ended.append((holder.id, by))

    def holders(self) -> Mapping[str, Holder]:
        return {key: each for key, each in self.held.items() if each.until > iso(self.now)}

    def logins(self) -> list[str]:
        return ["anna", "kmf"]

    def person(self, login: str) -> Person:
        return Person(login, frozenset({"wheel", "users"}) if login == "kmf" else frozenset())


class Office:
    """A desk that answers what the site's web part asks, in a thread of its own."""

    def __init__(self, site: Site, roles: str = ROLES) -> None:
        self.site = site
        self.crew = Crew(site.now)
        self.keys = new_keys()
        (site.folder / "ledger-seal.pub").write_text(f"{self.keys.public}\n")
        self.roles = RolesState(parse_roles(roles), roles, "digest")
        self.desk = Desk(site.store, self.keys.open, self.crew, lambda: self.roles, lambda: site.now, tells_people=True)
        self.desk.tell({})
        self._stop = threading.Event()

    def run(self) -> None:
        while not self._stop.wait(0.01):
            self.crew.now = self.site.now
            self.desk.answer()

    def later(self, seconds: float) -> None:
        """Moves the clock, with an agent that goes on living."""
        self.site.later(seconds)
        self.site.beat()
        self.crew.now = self.site.now
        self.desk.tell({})

    @contextmanager
    def open(self) -> Iterator[Office]:
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        yield self
        self._stop.set()
        thread.join()


def bearer(site: Site, login: str = "kmf") -> dict[str, str]:
    """The header of somebody who is logged in, as the agent has told it; without a desk behind it."""
    token, until = new_token(), iso(site.now + timedelta(hours=1))
    holder = Holder(1, "session", login, "", "ask", "127.0.0.1", iso(site.now), iso(site.now), until)
    site.store.copies.put("session", {token_hash(token): {**asdict(holder), "groups": [], "roles": []}})
    told = {"text": ROLES, "digest": "digest", "fault": "", "faults": {}}
    site.store.copies.put("roles", {"file": told})
    return {"Authorization": f"Bearer {token}"}
