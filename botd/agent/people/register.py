"""Who there is: adding, removing, locking people, their roles, passwords and secrets. Each change is in the audit.

Who does it stands in `by`. What ends a right ends sessions and tokens in the same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from botd.agent.people.codes import matching_steps
from botd.agent.people.passwords import Passwords, check_password
from botd.audit import Event
from botd.errors import BadRequest, NotFound, did_you_mean
from botd.ledger import Ledger, Transaction
from botd.ledger.people import Known
from botd.model import Clock

LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Register:
    """The people of a ledger."""

    def __init__(self, ledger: Ledger, clock: Clock, passwords: Passwords) -> None:
        self._ledger = ledger
        self._clock = clock
        self._passwords = passwords

    def everybody(self) -> list[Known]:
        """All people, by login."""
        with self._ledger.read() as db:
            return self._ledger.people.all(db)

    def get(self, login: str) -> Known:
        """A person. Raises NotFound."""
        with self._ledger.read() as db:
            return self._known(db, login)

    def add(self, login: str, roles: Sequence[str], by: str) -> None:
        """Adds a person, who can do nothing yet. Raises BadRequest for a login or role that cannot be, or is there."""
        if not LOGIN.fullmatch(login):
            raise BadRequest(f'"{login[:60]}" is no login: letters, digits, "_", "." and "-", a letter first')
        with self._ledger.write() as db:
            if not self._ledger.people.add(db, login, _checked(roles), self._clock()):
                raise BadRequest(f'there is a person "{login}" already')
            self._record(db, "user-added", by, login, {"roles": ",".join(roles)})

    def remove(self, login: str, by: str) -> None:
        """Removes a person with all that they hold. Raises NotFound."""
        with self._ledger.write() as db:
            self._known(db, login)
            self._end_all(db, login)
            self._ledger.people.remove(db, login)
            self._ledger.lockouts.drop(db, f"login {login}")
            self._record(db, "user-removed", by, login)

    def set_roles(self, login: str, roles: Sequence[str], by: str) -> None:
        """Gives a person these roles, and no other. Raises NotFound, BadRequest."""
        with self._ledger.write() as db:
            before = self._known(db, login).roles
            self._ledger.people.set_roles(db, login, _checked(roles))
            detail = {"roles": ",".join(roles), "before": ",".join(before)}
            self._record(db, "user-roles", by, login, detail)

    def set_password(self, login: str, password: str, by: str) -> None:
        """Puts a password in the place of the one before, and ends what is held. Raises NotFound, BadRequest."""
        check_password(password, login)
        hashed = self._passwords.hashed(password)
        with self._ledger.write() as db:
            self._known(db, login)
            self._end_all(db, login)
            self._ledger.people.set_password(db, login, hashed)
            self._record(db, "password-set", by, login)

    def enrol(self, login: str, secret: str, code: str, by: str) -> None:
        """Makes codes of a secret count from here on, once one of them was typed. Raises NotFound, BadRequest.

        All sessions and tokens of the person end, and the code is used.
        """
        now = self._clock()
        steps = matching_steps(secret, code, now)
        if not steps:
            raise BadRequest(
                "this is not the code of the moment: look at the clocks of phone and machine, and try again"
            )
        with self._ledger.write() as db:
            self._known(db, login)
            self._end_all(db, login)
            self._ledger.people.set_otp(db, login, secret, steps[-1])
            self._record(db, "otp-set", by, login)

    def lock(self, login: str, why: str, by: str) -> None:
        """Locks a person: no session, token, password, code or signature counts any more. Raises NotFound."""
        with self._ledger.write() as db:
            self._known(db, login)
            self._end_all(db, login)
            self._ledger.people.set_locked(db, login, self._clock(), why)
            self._record(db, "user-locked", by, login, words=why)

    def unlock(self, login: str, by: str) -> None:
        """Unlocks a person, whether somebody or their failures had locked them. Raises NotFound."""
        with self._ledger.write() as db:
            self._known(db, login)
            self._ledger.people.set_locked(db, login, None)
            self._ledger.lockouts.drop(db, f"login {login}")
            self._record(db, "user-unlocked", by, login)

    def _known(self, db: Transaction, login: str) -> Known:
        """Raises NotFound where there is no such person."""
        known = self._ledger.people.get(db, login)
        if known is None:
            names = [person.login for person in self._ledger.people.all(db)]
            raise NotFound(f'there is no person "{login[:60]}"{did_you_mean(login, names)}')
        return known

    def _end_all(self, db: Transaction, login: str) -> None:
        for held in self._ledger.holdings.all(db, login):
            self._ledger.holdings.end(db, held.kind, held.id)

    def _record(
        self, db: Transaction, kind: str, by: str, login: str, detail: dict[str, str] | None = None, words: str = ""
    ) -> None:
        """In the same transaction: no row, no deed."""
        self._ledger.chain.add(db, Event(kind, by, login, words, detail or {}), self._clock())


def _checked(roles: Sequence[str]) -> Sequence[str]:
    for role in roles:
        if not ROLE.fullmatch(role):
            raise BadRequest(f'"{role[:60]}" is no name of a role: letters, digits, "_", "." and "-"')
    return roles
