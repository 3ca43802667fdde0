"""`botd user`: the people who may log in, as the ledger's owner keeps them. What is secret is typed at a terminal."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import segno

from botd.access.roles import parse_roles
from botd.agent.people.codes import new_secret, secret_uri
from botd.agent.people.passwords import Passwords, check_password
from botd.agent.people.register import Register
from botd.commands.ledger import me, owned
from botd.config import resolve_path
from botd.errors import BadRequest, ConfigError, did_you_mean
from botd.ledger.people import Known
from botd.model import utc_now
from botd.output import write_out
from botd.settings import Config
from botd.text import plain

TRIES = 3

Ask = Callable[[str], str]


def add(config: Config, login: str, roles: Sequence[str]) -> int:
    """Adds a person."""
    _check_roles(config, roles)
    with _register(config) as register:
        register.add(login, roles, me())
    _say(f"{login} is added; next: `botd user password {login}` and `botd user otp {login}`")
    return 0


def list_all(config: Config) -> int:
    """Prints a line for each person."""
    with _register(config) as register:
        for person in register.everybody():
            _say(_line(person))
    return 0


def role(config: Config, login: str, roles: Sequence[str]) -> int:
    """Gives a person these roles, and no other."""
    _check_roles(config, roles)
    with _register(config) as register:
        register.set_roles(login, roles, me())
    _say(f"{login} has {', '.join(roles) or 'no role'}")
    return 0


def otp(config: Config, login: str) -> int:
    """Shows a new secret once, and makes its codes count when one of them was typed. Raises BadRequest."""
    with _register(config) as register:
        register.get(login)
        secret = new_secret()
        _terminal()
        segno.make(secret_uri(secret, login, config.site.name)).terminal(out=sys.stdout, compact=True)
        sys.stdout.flush()
        _say(f"{login} scans this, or types {' '.join(secret[i : i + 4] for i in range(0, len(secret), 4))}")
        _say("It is shown this once. The code that the app then shows makes it count.")
        for left in reversed(range(TRIES)):
            try:
                register.enrol(login, secret, input("code: "), me())
                break
            except (BadRequest, EOFError) as error:
                if not left or isinstance(error, EOFError):
                    raise BadRequest(f"nothing has changed: {error or 'no code was typed'}") from None
                _say(str(error))
    _say(f"codes of {login} count from here on; sessions and tokens of before have ended")
    return 0


def password(config: Config, login: str, ask: Ask = getpass.getpass) -> int:
    """Asks for a password twice, and puts it in the place of the one before. Raises BadRequest."""
    with _register(config) as register:
        register.get(login)
        _terminal()
        first = ask(f"new password for {login}: ")
        check_password(first, login)
        if ask("once more: ") != first:
            raise BadRequest("the two are not the same; nothing has changed")
        register.set_password(login, first, me())
    _say(f"{login} has a new password; sessions and tokens of before have ended")
    return 0


def lock(config: Config, login: str, reason: str) -> int:
    """Locks a person out of everything."""
    with _register(config) as register:
        register.lock(login, reason, me())
    _say(f"{login} is locked; sessions and tokens have ended")
    return 0


def unlock(config: Config, login: str) -> int:
    """Unlocks a person, whoever or whatever locked them."""
    with _register(config) as register:
        register.unlock(login, me())
    _say(f"{login} is not locked")
    return 0


def remove(config: Config, login: str) -> int:
    """Removes a person. What they did stays in the audit."""
    with _register(config) as register:
        register.remove(login, me())
    _say(f"{login} is removed")
    return 0


@contextmanager
def _register(config: Config) -> Iterator[Register]:
    with owned(config) as ledger:
        yield Register(ledger, utc_now, Passwords())


def _check_roles(config: Config, roles: Sequence[str]) -> None:
    """Raises BadRequest for a role that the roles file has not, where there is one that can be read."""
    if not config.access.roles_file or not roles:
        return
    try:
        path = resolve_path(config, config.access.roles_file)
        known = [role.name for role in parse_roles(path.read_text(encoding="utf-8"), str(path)).roles]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the roles file {config.access.roles_file}: {error}") from error
    for name in roles:
        if name not in known:
            raise BadRequest(f'the roles file has no role "{name[:60]}"{did_you_mean(name, known)}')


def _line(person: Known) -> str:
    """A person in a line: roles, and what keeps them from logging in."""
    has = [
        "password" if person.password_hash else "no password here",
        "codes" if person.otp_secret else "no codes",
        *([f"locked since {_day(person.locked_at)}: {plain(person.locked_why)}"] if person.locked_at else []),
    ]
    return f"{person.login:<16} {', '.join(person.roles) or '-':<24} {', '.join(has)}"


def _day(at: datetime | None) -> str:
    return f"{at:%F}" if at else "-"


def _terminal() -> None:
    """Raises BadRequest where nobody sits: a secret in a pipe is a secret in a file, a log or a list of processes."""
    if not os.isatty(0):
        raise BadRequest("this is typed at a terminal; start it in one")


def _say(text: str) -> None:
    write_out(f"{text}\n".encode())
