"""The desk: the agent answers what web processes ask of it, and tells them who is logged in and which roles there are.

What is asked is believed for what stands inside its seal and for nothing else. What is told lies in the shared
database, where others can forge it: it lets somebody read, and the agent asks its own ledger.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Protocol, cast

from botd.access.judge import Person, rights_of
from botd.access.letters import (
    PEOPLE_KINDS,
    HolderDocument,
    Letter,
    PersonDocument,
    RolesDocument,
    read_letter,
    said,
)
from botd.access.tokens import is_token
from botd.agent.copies import set_copies
from botd.agent.people.holders import Holder
from botd.agent.people.roles_file import RolesState
from botd.errors import (
    BadRequest,
    BotdError,
    LedgerUnavailable,
    LoginRequired,
    NotAllowed,
    StoreUnavailable,
)
from botd.model import Clock
from botd.store import Store
from botd.store.asks import GOOD_FOR, MAX_WAITING, Ask
from botd.text import is_number

log = logging.getLogger(__name__)

SKEW = timedelta(seconds=10)
"""How far the clock of a web process may be ahead of the agent's."""

MOST_HOURS = 12.0
HOURS = 8.0
"""How long a token is good: at most, and where nothing is said."""

SCOPES = ("read", "ask")

Counter = Callable[[Letter, Holder | None], dict[str, Any]]
"""What answers a letter that has to do with nodes. Called from several threads. Raises BotdError, ValueError."""

PRESSES_AT_ONCE = 4
"""Presses that are looked at together: each waits for Slurm, and for a BMC."""

TAKES_LONG = frozenset({"act", "approve", "go-on", "close-breaker"})
"""What looks at nodes, or asks a program about a proof: in threads of their own. A stop never waits behind one."""

Open = Callable[[bytes, datetime], bytes]
"""What was sealed to the agent, in clear. Raises ValueError."""


class People(Protocol):
    """The ledger's people, as far as the desk asks them. Each may raise LedgerUnavailable."""

    def log_in(self, login: str, password: str, code: str, *, token: str, address: str) -> Holder:
        """A new session, known by this token. Raises ProofRefused or LockedOut, and has counted that."""

    def give_token(self, login: str, name: str, scope: str, hours: float, *, token: str) -> Holder:
        """A new token for scripts."""

    def find(self, token: str) -> Holder | None:
        """The session or token that is good now and known by this token, which is in use from now on."""

    def end(self, holder: Holder, by: str) -> None:
        """Ends a session or token."""

    def holders(self) -> Mapping[str, Holder]:
        """All sessions and tokens that are good now, by the hash of their token."""

    def logins(self) -> Iterable[str]:
        """Everybody in the ledger who is not locked."""

    def person(self, login: str) -> Person:
        """Who that is: the groups of this machine and the roles that the ledger gives."""


class Desk:
    """Answers asks, and keeps the copies in the store true."""

    def __init__(
        self,
        store: Store,
        open_seal: Open,
        people: People,
        roles: Callable[[], RolesState],
        clock: Clock,
        *,
        tells_people: bool = False,
        counter: Counter | None = None,
    ) -> None:
        self._store = store
        self._open = open_seal
        self._people = people
        self._roles = roles
        self._clock = clock
        self._tells_people = tells_people  # only where a proxy may say a name
        self._counter = counter
        self._pool = ThreadPoolExecutor(max_workers=PRESSES_AT_ONCE, thread_name_prefix="press")
        self._handed_on = dict[int, Future[None]]()

    def answer(self) -> int:
        """Answers what waits; how many that were. What takes a look at nodes is handed on. Raises StoreUnavailable."""
        rounds = (self._answer_next() for _ in range(MAX_WAITING))
        return sum(takewhile(bool, rounds))

    def _answer_next(self) -> int:
        """Answers every stop and the like, and one login, which may take long; how many that were."""
        waiting = self._store.asks.waiting(self._clock(), MAX_WAITING)
        self._hand_on([ask for ask in waiting if ask.kind in TAKES_LONG])
        here = [ask for ask in waiting if ask.kind not in TAKES_LONG]
        people = [ask for ask in here if ask.kind in PEOPLE_KINDS]
        answers = [(ask, self._answer(ask)) for ask in [ask for ask in here if ask not in people] + people[:1]]
        if answers:  # told before it is answered: who has logged in is known at the next request
            with suppress(LedgerUnavailable):
                self._tell_holders()
        for ask, answer in answers:
            self._store.asks.answer(ask, answer, self._clock())
        return len(answers)

    def _hand_on(self, asks: Sequence[Ask]) -> None:
        """Has these answered in threads of their own, each once: nobody's login waits for a BMC."""
        waiting = {ask.id for ask in asks}
        self._handed_on = {
            number: future
            for number, future in self._handed_on.items()
            if number in waiting or not future.done()  # one that was answered since the asks were read is not new
        }
        for ask in asks:
            if ask.id not in self._handed_on:
                self._handed_on[ask.id] = self._pool.submit(self._answer_later, ask)

    def _answer_later(self, ask: Ask) -> None:
        answer = self._answer(ask)
        try:
            self._store.asks.answer(ask, answer, self._clock())
        except StoreUnavailable as error:
            log.error("an answer was lost kind=%s error=%s", ask.kind, error)

    def tell(self, faults: Mapping[str, str]) -> None:
        """Tells who is logged in and which roles there are, as the ledger has it. Raises StoreUnavailable."""
        state = self._roles()
        told: RolesDocument = {
            "text": state.text,
            "digest": state.digest,
            "fault": state.fault,
            "faults": dict(faults),
        }
        set_copies(self._store, "roles", {"file": told})
        set_copies(self._store, "person", self._known_people(state) if self._tells_people else {})
        self._tell_holders()

    def _known_people(self, state: RolesState) -> dict[str, PersonDocument]:
        """Whom the ledger or the roles file knows, without who is locked."""
        named = {login for role in state.roles.roles for login in role.users}
        known: dict[str, PersonDocument] = {}
        for login in named.union(self._people.logins()):
            with suppress(NotAllowed):  # locked
                known[login] = self._rights(login, state)
        return known

    def _tell_holders(self) -> None:
        state = self._roles()
        told: dict[str, HolderDocument] = {}
        for key, holder in self._people.holders().items():
            with suppress(NotAllowed):  # locked a moment ago
                told[key] = self._told(holder, state)
        set_copies(self._store, "session", told)

    def _told(self, holder: Holder, state: RolesState) -> HolderDocument:
        return cast(HolderDocument, {**asdict(holder), **self._rights(holder.login, state)})

    def _rights(self, login: str, state: RolesState) -> PersonDocument:
        named = {group for role in state.roles.roles for group in role.unix_groups}
        person = self._people.person(login)
        return {"groups": sorted(person.unix_groups & named), "roles": sorted(person.roles)}

    # ---- one ask ----

    def _answer(self, ask: Ask) -> dict[str, Any]:
        try:
            letter = self._letter(ask)
            return {"ok": True, **self._handle(letter)}
        except ValueError as error:
            return _refused(BadRequest(str(error)))
        except BotdError as error:
            return _refused(error)
        except Exception:  # the next ask must be answered, and the fault must be seen
            log.exception("ask failed kind=%s", ask.kind[:16])
            return _refused(BotdError("the agent failed; its log says how"))

    def _letter(self, ask: Ask) -> Letter:
        """The letter in an ask: of this kind and nonce, written a moment ago. Raises ValueError."""
        now = self._clock()
        letter = read_letter(self._open(ask.sealed, now))
        if (letter.kind, letter.nonce) != (ask.kind, ask.nonce):
            raise ValueError("it was sealed as another request; send it again")
        if not now - GOOD_FOR <= datetime.fromtimestamp(letter.at, now.tzinfo) <= now + SKEW:
            raise ValueError("it was sealed too long ago, or the clocks differ; send it again")
        return letter

    def _handle(self, letter: Letter) -> dict[str, Any]:
        if letter.kind == "login":
            return self._log_in(letter)
        holder = self._people.find(letter.token)
        if letter.kind not in PEOPLE_KINDS:
            if self._counter is None:
                raise NotAllowed("this agent does nothing to nodes")
            return self._counter(letter, holder)
        if holder is None:
            raise LoginRequired("that session or token is over; log in again")
        handle = {"logout": self._log_out, "used": self._use, "token": self._give_token, "end": self._end}[letter.kind]
        return handle(letter, holder)

    def _log_in(self, letter: Letter) -> dict[str, Any]:
        login, password, code = (said(letter, name) for name in ("login", "password", "code"))
        holder = self._people.log_in(login, password, code, token=letter.token, address=letter.address)
        return {"id": holder.id, "until": holder.until}

    def _log_out(self, letter: Letter, holder: Holder) -> dict[str, Any]:
        self._people.end(holder, holder.login)
        return {}

    def _use(self, letter: Letter, holder: Holder) -> dict[str, Any]:
        return {}

    def _give_token(self, letter: Letter, holder: Holder) -> dict[str, Any]:
        if holder.kind != "session":
            raise NotAllowed("a token makes no tokens: log in")
        name, scope, token = (said(letter, part) for part in ("name", "scope", "token"))
        hours = letter.says.get("hours", HOURS)
        if not is_number(hours) or not 0 < hours <= MOST_HOURS:
            raise ValueError(f"hours must be above 0 and at most {MOST_HOURS:g}")
        if scope not in SCOPES or not is_token(token) or not name.strip():
            raise ValueError("a token needs a name, and the scope read or ask")
        given = self._people.give_token(holder.login, name.strip(), scope, hours, token=token)
        return {"id": given.id, "until": given.until}

    def _end(self, letter: Letter, holder: Holder) -> dict[str, Any]:
        """Ends one of one's own, or with the right `people` anybody's."""
        if holder.scope != "ask":
            raise NotAllowed("this token is for reading only")
        wanted = said(letter, "kind"), letter.says.get("id")
        found = next((each for each in self._people.holders().values() if (each.kind, each.id) == wanted), None)
        if found is None or found.login != holder.login:
            self._check_people(holder)
        if found is not None:
            self._people.end(found, holder.login)
        return {}

    def _check_people(self, holder: Holder) -> None:
        """Raises NotAllowed unless they have the right `people` by a roles file that is whole."""
        state = self._roles()
        if "people" not in rights_of(state.roles, self._people.person(holder.login)):
            raise NotAllowed("that is none of your sessions and tokens; ending others' takes the right `people`")
        if state.fault:
            raise NotAllowed(f"the right `people` counts for nothing now: {state.fault}; else `botd user lock`")


def _refused(error: BotdError) -> dict[str, Any]:
    return {"ok": False, "code": error.code, "words": str(error)}
