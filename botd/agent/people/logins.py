"""Logging in, and what one then holds: sessions and tokens; and the codes that vouch for an action.

Failures are counted before anything is said of them, in the transaction that records them.
"""

from __future__ import annotations

import grp
import math
import os
import pwd
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botd.access.judge import Person
from botd.access.tokens import is_token, token_hash
from botd.addresses import is_shared
from botd.agent.people.codes import matching_steps, seconds_left
from botd.agent.people.holders import Holder
from botd.agent.people.lockout import address_failed, login_failed, seconds_locked
from botd.agent.people.passwords import Passwords
from botd.audit import Event
from botd.documents import iso
from botd.errors import BadRequest, ConfigError, LockedOut, NotAllowed, NotFound, ProofRefused
from botd.ledger import Ledger, Transaction
from botd.ledger.holdings import Holding
from botd.ledger.people import Known
from botd.model import Clock
from botd.settings import Config

if TYPE_CHECKING:
    from botd.agent.people.pam import Pam

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
PROVED = timedelta(minutes=5)
"""How long a code that was given in a session serves for soft actions, from the address that it came from."""

TOUCH = timedelta(seconds=60)
"""How exactly it is known when a session was used last."""

MOST_HOURS = 12.0
SCOPES = ("read", "ask")
MOST_HELD = 50
"""Sessions and tokens of one person."""

WRONG = "name, password or code is wrong"


class Logins:
    """What people of a ledger prove and hold: `botd.agent.people.desk.People`.

    Whoever asks for a session or token brings what it is to be; only its hash is kept. No failure is counted for an
    address that many share: `proxies` are addresses and nets of such.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        passwords: Passwords,
        pam: Pam | None = None,
        proxies: tuple[str, ...] = (),
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._passwords = passwords
        self._pam = pam
        self._proxies = proxies

    # ---- proofs ----

    def log_in(self, login: str, password: str, code: str, *, token: str, address: str) -> Holder:
        """A session for who gives name, password and code. Raises LockedOut, ProofRefused."""
        _check_token(token)
        person = self._unlocked(login, address)
        fits = self._password_fits(person, login, password)
        now = self._clock()
        with self._ledger.write() as db:
            # Looked at again: it may have been locked, removed or given another password meanwhile.
            if self._now_locked(db, login, address) or self._ledger.people.get(db, login) != person:
                fits = False
            why = self._use_code(db, person, code, now) if fits and person else WRONG
            if not why:
                self._ledger.lockouts.drop(db, f"login {login}")
                self._make_room(db, login)
                held = self._ledger.holdings.add_session(db, token_hash(token), login, address, now, now + LONGEST)
                self._record(db, Event("login", login, address))
                return _holder(held)
            if why == WRONG:
                self._count(db, login, address, "login-failed", person is not None)
        raise ProofRefused(why)

    def check_code(self, login: str, code: str, address: str = "") -> None:
        """Uses up a code of a person. Raises LockedOut, ProofRefused."""
        person = self._unlocked(login, address)
        with self._ledger.write() as db:
            why = self._use_code(db, person, code, self._clock()) if person else WRONG
            if not why:
                self._ledger.lockouts.drop(db, f"login {login}")
                self._record(db, Event("proof-used", login, "otp"))
                return
            if why == WRONG:
                self._count(db, login, address, "proof-refused", person is not None)
        raise ProofRefused("this is not the code of the moment" if why == WRONG else why)

    def _unlocked(self, login: str, address: str) -> Known | None:
        """The person of a login, None where there is none. Raises LockedOut for who is locked, there or not."""
        with self._ledger.read() as db:
            if (left := self._now_locked(db, login, address)) is not None:
                raise LockedOut(f"there were too many wrong passwords or codes: {_patience(left)}")
            return self._ledger.people.get(db, login)

    def _now_locked(self, db: Transaction, login: str, address: str) -> float | None:
        counted = [] if is_shared(address, self._proxies) else [f"address {address}"]
        subjects = [f"login {login[:64]}", *counted]
        left = [seconds_locked(self._ledger.lockouts.get(db, subject), self._clock()) for subject in subjects]
        return max((seconds for seconds in left if seconds is not None), default=None)

    def _password_fits(self, person: Known | None, login: str, password: str) -> bool:
        """Whether it is the person's. It takes as long for nobody, and who has none here is asked of PAM."""
        if person and not person.password_hash and self._pam:
            return self._pam.fits(login, password)
        return self._passwords.fits(person.password_hash if person else "", password)

    def _use_code(self, db: Transaction, person: Known | None, code: str, now: datetime) -> str:
        """Uses up a code; why it does not count, empty where it does."""
        if person is None or person.locked_at or not person.otp_secret:
            return WRONG
        steps = matching_steps(person.otp_secret, code, now)
        if not steps:
            return WRONG
        if any(self._ledger.people.use_step(db, person.login, person.otp_secret, step) for step in steps):
            return ""
        return f"this code was used already: next in {seconds_left(now)} s"

    def _count(self, db: Transaction, login: str, address: str, kind: str, is_known: bool) -> None:
        """Counts a failure. A login that nobody has is not written down: people type passwords there."""
        now, about = self._clock(), login if is_known else ""
        after = login_failed(self._ledger.lockouts.get(db, f"login {login[:64]}"), now)
        self._ledger.lockouts.put(db, after, now)
        if not is_shared(address, self._proxies):
            tried = address_failed(self._ledger.lockouts.get(db, f"address {address}"), now)
            self._ledger.lockouts.put(db, tried, now)
        self._record(db, Event(kind, "", about, detail={"address": address, "failures": after.count}))
        if after.until_at:
            left = "until somebody unlocks it" if after.is_held else f"for {_words(after.until_at - now)}"
            self._record(db, Event("locked-out", "agent", about, left))

    # ---- sessions and tokens ----

    def find(self, token: str) -> Holder | None:
        """The session or token that somebody shows, None where it is none, or not any more. It is used by that."""
        if not is_token(token):
            return None
        with self._ledger.read() as db:
            held = self._ledger.holdings.find(db, token_hash(token))
            known = self._ledger.people.get(db, held.login) if held else None
        now = self._clock()
        if held is None or known is None or known.locked_at or not is_good(held, now):
            return None
        if held.used_at is None or now - held.used_at >= TOUCH:
            with self._ledger.write() as db:
                self._ledger.holdings.touch(db, held.kind, held.id, now)
            held = replace(held, used_at=now)
        return _holder(held)

    def prove(self, holder: Holder, code: str, address: str) -> None:
        """Uses up a code within a session, which then serves for soft actions. Raises LockedOut, ProofRefused."""
        self.check_code(holder.login, code, address)
        with self._ledger.write() as db:
            self._ledger.holdings.touch(db, holder.kind, holder.id, self._clock(), proved=True)

    def is_proved(self, holder: Holder, address: str) -> bool:
        """Whether a code was given in this session, and from this address, a moment ago."""
        with self._ledger.read() as db:
            held = self._ledger.holdings.get(db, holder.kind, holder.id)
        since = held.proved_at if held and held.address == address else None
        return since is not None and since <= self._clock() < since + PROVED

    def give_token(self, login: str, name: str, scope: str, hours: float, *, token: str) -> Holder:
        """A token for scripts. Raises BadRequest for a scope or a time that there is none of, NotFound for nobody."""
        _check_token(token)
        if scope not in SCOPES:
            raise BadRequest(f'a token is for {" or ".join(SCOPES)}, not for "{scope[:60]}"')
        if not 0 < hours <= MOST_HOURS:
            raise BadRequest(f"a token is good for at most {MOST_HOURS:.0f} hours")
        now = self._clock()
        with self._ledger.write() as db:
            known = self._ledger.people.get(db, login)
            if known is None or known.locked_at:
                raise NotFound(f'there is no person "{login[:60]}" who may hold a token')
            self._make_room(db, login)
            until = now + timedelta(hours=hours)
            held = self._ledger.holdings.add_token(db, token_hash(token), login, name[:60], scope, now, until)
            detail: dict[str, str | int] = {"id": held.id, "scope": scope, "hours": f"{hours:g}"}
            self._record(db, Event("token-made", login, name, detail=detail))
        return _holder(held)

    def end(self, holder: Holder, by: str) -> None:
        """Ends a session or token; one that is over already stays so."""
        kind = "logout" if (holder.kind, holder.login) == ("session", by) else f"{holder.kind}-revoked"
        with self._ledger.write() as db:
            if self._ledger.holdings.end(db, holder.kind, holder.id):
                self._record(db, Event(kind, by, holder.login, holder.name, {"id": holder.id}))

    def holders(self) -> Mapping[str, Holder]:
        """All sessions and tokens that are good now, by the hash of their token. The others are taken away."""
        self.end_old()
        now = self._clock()
        with self._ledger.read() as db:
            locked = {person.login for person in self._ledger.people.all(db) if person.locked_at}
            held = self._ledger.holdings.all(db)
        return {each.hash: _holder(each) for each in held if each.login not in locked and is_good(each, now)}

    def logins(self) -> list[str]:
        """Everybody in the ledger who is not locked."""
        with self._ledger.read() as db:
            return [person.login for person in self._ledger.people.all(db) if not person.locked_at]

    def person(self, login: str) -> Person:
        """Who that is: the groups of this machine, and the roles that the ledger gives. Raises NotAllowed where locked.

        Who is not in the ledger may have groups all the same: ssh and munge vouch for users of this machine.
        """
        with self._ledger.read() as db:
            known = self._ledger.people.get(db, login)
        if known and known.locked_at:
            raise NotAllowed(f"{login} is locked: an administrator unlocks it by `botd user unlock`")
        return Person(login, unix_groups(login), frozenset(known.roles if known else ()))

    def end_old(self) -> int:
        """Takes away what is not good any more; how many those were."""
        now = self._clock()
        with self._ledger.read() as db:
            old = [held for held in self._ledger.holdings.all(db) if not is_good(held, now)]
        if old:
            with self._ledger.write() as db:
                for held in old:
                    self._ledger.holdings.end(db, held.kind, held.id)
        return len(old)

    def _make_room(self, db: Transaction, login: str) -> None:
        """Ends the oldest of too many that a person holds."""
        held = sorted(self._ledger.holdings.all(db, login), key=lambda each: each.made_at)
        for old in held[: max(0, len(held) - MOST_HELD + 1)]:
            self._ledger.holdings.end(db, old.kind, old.id)

    def _record(self, db: Transaction, event: Event) -> None:
        self._ledger.chain.add(db, event, self._clock())


def open_logins(config: Config, ledger: Ledger, clock: Clock) -> Logins:
    """The logins of a ledger as this site has them. Raises ConfigError where PAM is wanted and there is none."""
    pam = None
    if config.access.pam:
        try:
            from botd.agent.people.pam import Pam  # it loads libpam, which not every machine has
        except (ImportError, OSError, AttributeError) as error:
            raise ConfigError(f"[access] pam needs libpam, which cannot be loaded: {error}") from error
        pam = Pam(config.access.pam)
    return Logins(ledger, clock, Passwords(), pam, config.server.proxies)


def is_good(held: Holding, now: datetime) -> bool:
    """Whether a session or token still counts. A clock that was put back makes nothing good that was over."""
    if not held.made_at <= now < held.until_at:
        return False
    return held.kind == "token" or (held.used_at is not None and held.used_at <= now < held.used_at + IDLE)


def unix_groups(login: str) -> frozenset[str]:
    """The groups of a user of this machine, empty where there is no such user."""
    try:
        numbers = os.getgrouplist(login, pwd.getpwnam(login).pw_gid)
    except KeyError:
        return frozenset()
    return frozenset(filter(None, map(_group, numbers)))


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""


def _holder(held: Holding) -> Holder:
    """A session or token as it is handed on. A session that is not used ends sooner."""
    used_at = held.used_at or held.made_at
    until = min(held.until_at, used_at + IDLE) if held.kind == "session" else held.until_at
    scope: Literal["read", "ask"] = "read" if held.scope == "read" else "ask"
    texts = (iso(held.made_at), iso(used_at), iso(until))
    return Holder(held.id, held.kind, held.login, held.name, scope, held.address, *texts)


def _check_token(token: str) -> None:
    """Raises BadRequest for what could be guessed."""
    if not is_token(token):
        raise BadRequest("what is to be known by a token needs one of 256 random bits")


def _patience(seconds: float) -> str:
    if seconds == float("inf"):
        return "ask an administrator to unlock it"
    return f"try again in {math.ceil(seconds / 60)} min"


def _words(left: timedelta) -> str:
    minutes = round(left.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"
