"""A ledger with its people, a clock that stands still until it is moved, and passwords that cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher

from botd.access.tokens import new_token
from botd.agent.people.codes import code_at, new_secret
from botd.agent.people.holders import Holder
from botd.agent.people.logins import Logins
from botd.agent.people.pam import Pam
from botd.agent.people.passwords import Passwords
from botd.agent.people.register import Register
from botd.audit import Verdict, verify
from botd.config import parse_config
from botd.ledger import Ledger
from botd.ledger.chain import read_chain

START = datetime(2026, 11, 26, 20, 0, 5, tzinfo=UTC)
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
HOME = "10.0.0.7"


@dataclass
class Hall:
    """The people of a ledger at one moment."""

    ledger: Ledger
    now: datetime = START
    secrets: dict[str, str] = field(default_factory=dict)
    pam: Pam | None = None

    def __post_init__(self) -> None:
        self.passwords = Passwords(CHEAP)
        self.register = Register(self.ledger, self.clock, self.passwords)
        self.logins = Logins(self.ledger, self.clock, self.passwords, self.pam)

    def clock(self) -> datetime:
        return self.now

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def person(self, login: str, *roles: str, password: str = PASSWORD) -> None:
        """Somebody who can log in at the next step."""
        self.register.add(login, roles, "test")
        self.register.set_password(login, password, "test")
        self.enrol(login)

    def enrol(self, login: str) -> None:
        """A new secret, whose code of now is used."""
        secret = new_secret()
        self.register.enrol(login, secret, code_at(secret, self.now), "test")
        self.secrets[login] = secret

    def log_in(self, login: str, password: str, code: str, address: str = HOME) -> str:
        """The token of a new session."""
        token = new_token()
        self.logins.log_in(login, password, code, token=token, address=address)
        return token

    def give_token(self, login: str, name: str = "cron", scope: str = "read", hours: float = 8.0) -> str:
        """A new token for scripts."""
        token = new_token()
        self.logins.give_token(login, name, scope, hours, token=token)
        return token

    def held_by(self, login: str) -> list[Holder]:
        return [holder for holder in self.logins.holders().values() if holder.login == login]

    def code(self, login: str, steps: int = 0) -> str:
        return code_at(self.secrets[login], self.now + timedelta(seconds=30 * steps))

    def wrong_code(self, login: str) -> str:
        """Six digits that are no code of these minutes."""
        near = {self.code(login, steps) for steps in range(-3, 4)}
        return next(code for code in (f"{number:06d}" for number in range(10)) if code not in near)

    def rows(self) -> list[str]:
        return [row.document for row in read_chain(self.ledger.path)]

    def verdict(self) -> Verdict:
        return verify(read_chain(self.ledger.path))


@contextmanager
def hall(folder: Path, pam: Pam | None = None) -> Iterator[Hall]:
    """A ledger of its own."""
    ledger = Ledger(parse_config({}, path=str(folder / "botd.toml")))
    ledger.open(START)
    yield Hall(ledger, pam=pam)
    ledger.close()
