"""A web process that was taken over tries to act: it has the tokens of all who are logged in, every code that was
typed, every sealed letter that lay there, and it writes what it likes into the shared database.

The agent is a real one in parts, with its ledger, its desk and the real helper for Slurm; a code that a person types
is worth one press, and what is sent beyond that would be seen at scontrol.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PublicKey, SealedBox

from botd.access.letters import ACTION_KINDS, Letter, write_letter
from botd.access.roles import parse_roles
from botd.agent.people.desk import Desk
from botd.agent.people.roles_file import RolesState
from botd.documents import iso
from botd.errors import BadRequest
from botd.store import Store
from tests.agent.actions.works import DRAINED, NODES, Works, works
from tests.agent.people.parts import HOME
from tests.conftest import Site
from tests.press.living import answered
from tests.press.site import LONG
from tests.press.truth import Caps, Figures, Order, figures, read_ledger

LETTERS = 4000 if LONG else 250
FORGED_PROOFS = (
    {},
    {"otp": ""},
    {"otp": "000000"},
    {"ssh": {"login": "kmf", "signature": "-----BEGIN SSH SIGNATURE-----"}},
    {"munge": "MUNGE:AwQFAAC:"},
    {"otp": ["123456"]},
)


@dataclass
class Thief:
    """What has fallen into his hands. `letters` are sealed ones with their nonces, as they lay in the database."""

    works: Works
    desk: Desk
    store: Store
    letters: list[tuple[str, str, bytes]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    tried: int = 0

    # ---- what people do ----

    def press(self, login: str, node: str, action: str = "drain") -> dict[str, Any]:
        """A person presses with a code, through this web process: he sees all of it."""
        self.works.token(login)
        code = self.works.code(login)
        self.codes.append(code)
        says = {"text": self.works.text(action, [node]), "proof": {"otp": code}}
        answer = self.send("act", self.works.held[login], says)
        self.works.drive()
        return answer

    def later(self, **span: float) -> None:
        self.works.hall.later(**span)

    # ---- what he does ----

    def send(self, kind: str, token: str, says: dict[str, Any], *, nonce: str = "", age_s: float = 0) -> dict[str, Any]:
        """The answer to a letter that he seals himself."""
        nonce = nonce or secrets.token_urlsafe(9)
        letter = Letter(kind, nonce, self.works.clock().timestamp() - age_s, token, HOME, says)
        key = PublicKey(bytes.fromhex((self.works.site.folder / "ledger-seal.pub").read_text().strip()))
        return self.put(nonce, kind, SealedBox(key).encrypt(write_letter(letter)))

    def put(self, nonce: str, kind: str, sealed: bytes) -> dict[str, Any]:
        """The answer to an ask that he puts there, in the place of any that had this nonce."""
        self.tried += 1
        with self.store._db.write() as db:
            db.exec_driver_sql("DELETE FROM asks WHERE nonce = ?", (nonce,))
        self.letters.append((nonce, kind, sealed))
        try:
            self.store.asks.put(nonce, kind, sealed, self.works.clock())
        except BadRequest as error:
            return {"ok": False, "code": error.code}
        return answered(self.desk, self.store, nonce)

    def forge(self, kind: str, key: str, document: object) -> None:
        """A row of the copies as he likes it."""
        self.tried += 1
        with self.store._db.write() as db:
            db.exec_driver_sql("INSERT OR REPLACE INTO copies VALUES (?, ?, ?)", (kind, key, json.dumps(document)))

    def clear(self, kind: str) -> None:
        """All copies of a kind are gone."""
        self.tried += 1
        self.store.copies.clear(kind)

    # ---- the truth ----

    def orders(self) -> list[Order]:
        """What scontrol and the BMCs were told."""
        return self.works.orders()

    def figures(self, caps: Caps | None = None) -> Figures:
        self.works.drive()
        return figures(self.tried, self.orders(), read_ledger(self.works.hall.ledger.path), caps or Caps())


@pytest.fixture
def thief(tmp_path: Path, make_site: Callable[..., Site]) -> Iterator[Thief]:
    with works(tmp_path, make_site) as made:
        made.hall.ledger.state(made.clock())  # which publishes the key
        keys = made.hall.ledger.keys()
        desk = Desk(
            made.site.store,
            keys.open,
            made.hall.logins,
            lambda: RolesState(parse_roles(made.roles), made.roles, "digest"),
            made.clock,
            counter=made.acting.answer,
        )
        his = Thief(made, desk, Store(made.site.config))
        for login in ("anna", "bert", "kmf"):
            made.token(login)
        his.later(minutes=6)  # no code of a login is good for anything any more
        yield his
        his.store.close()


def test_tokens_and_old_codes_move_nothing(thief: Thief, found: dict[str, Figures]) -> None:
    thief.press("anna", NODES[0])
    thief.later(minutes=6)
    for login in ("anna", "bert", "kmf"):
        for proof in (*FORGED_PROOFS, *({"otp": code} for code in thief.codes)):
            says = {"text": thief.works.text("drain", [NODES[1]]), "proof": proof}
            answer = thief.send("act", thief.works.held[login], says)
            assert not answer["ok"], (login, proof)
    figures = thief.figures()
    found["taken over: tokens and old codes"] = figures
    assert (figures.is_clean, figures.sent) == (True, 1)


def test_a_letter_that_was_sent_is_that_action_and_no_other(thief: Thief, found: dict[str, Figures]) -> None:
    first = thief.press("anna", NODES[0])
    ((nonce, kind, sealed),) = thief.letters
    again = thief.put(nonce, kind, sealed)
    assert (again["new"], again["actions"][0]["id"]) == (False, first["actions"][0]["id"])
    for other_nonce, other_kind in ((nonce, "approve"), ("other", kind), ("other", "stop"), ("x" * 64, kind)):
        assert not thief.put(other_nonce, other_kind, sealed)["ok"]
    thief.works.helper.put(NODES[0], "idle|Unknown|Unknown|none")  # somebody took it back
    assert not thief.put(nonce, kind, sealed).get("new")
    thief.later(seconds=61)
    assert not thief.put(nonce, kind, sealed)["ok"]
    figures = thief.figures()
    found["taken over: letters sent again and moved"] = figures
    assert (figures.is_clean, figures.sent) == (True, 1)


def test_a_code_is_worth_one_press_whatever_it_is_put_on(thief: Thief, found: dict[str, Figures]) -> None:
    """He may put the code that somebody types on another node: that is all that it buys him."""
    code = thief.works.code("anna")
    for node in NODES[:4]:
        thief.send("act", thief.works.held["anna"], {"text": thief.works.text("drain", [node]), "proof": {"otp": code}})
    for login in ("bert", "kmf"):
        text = thief.works.text("drain", [NODES[4]])
        assert not thief.send("act", thief.works.held[login], {"text": text, "proof": {"otp": code}})["ok"]
    figures = thief.figures()
    found["taken over: one code on four nodes"] = figures
    assert (figures.is_clean, figures.sent) == (True, 1)


def test_budgets_and_states_that_are_written_back_count_for_nothing(thief: Thief, found: dict[str, Figures]) -> None:
    """bert may drain two an hour."""
    for node in NODES[:2]:
        assert thief.press("bert", node)["ok"]
    for kind in ("spend", "action", "switches"):
        thief.clear(kind)
    for number in range(1, 20):
        thief.forge("action", f"{number:012d}", {"id": number, "state": "approved", "node": NODES[5], "login": "bert"})
    thief.forge("roles", "file", {"text": thief.works.roles.replace("per_hour = 2", ""), "digest": "", "fault": ""})
    answers = [thief.press("bert", node) for node in NODES[2:6]]
    assert {answer.get("code") for answer in answers} <= {"cap", None}
    figures = thief.figures(Caps({"bert": 2}))
    found["taken over: budgets written back"] = figures
    assert (figures.is_clean, figures.sent) == (True, 2)


def test_nobody_agrees_goes_on_or_closes_the_breaker_without_a_code(thief: Thief, found: dict[str, Figures]) -> None:
    waits = thief.press("carl", NODES[0])["actions"][0]["id"]
    thief.later(minutes=6)
    kmf = thief.works.held["kmf"]
    for proof in (*FORGED_PROOFS, *({"otp": code} for code in thief.codes)):
        text = thief.works.text("drain", [NODES[0]])
        assert not thief.send("approve", kmf, {"id": waits, "text": text, "proof": proof})["ok"]
        assert thief.send("stop", kmf, {"reason": "x"})["ok"]  # stopping is for everybody
        for kind in ("go-on", "close-breaker"):
            text = thief.works.text("re-arm", reason="x")
            assert not thief.send(kind, kmf, {"reason": "x", "text": text, "proof": proof})["ok"]
    assert thief.press("anna", NODES[1])["code"] == "stopped"
    figures = thief.figures()
    found["taken over: agreeing and going on"] = figures
    assert (figures.is_clean, figures.sent) == (True, 0)


def test_whatever_is_written_nothing_is_sent_without_a_code(thief: Thief, found: dict[str, Figures]) -> None:
    thief.press("anna", NODES[0])
    thief.later(minutes=6)
    chance = random.Random(1)
    for _ in range(LETTERS):
        chance.choice((_random_letter, _random_letter, _moved_letter, _random_copy))(thief, chance)
        if chance.random() < 0.05:
            thief.later(seconds=chance.choice((1, 30, 300)))
            thief.works.drive()
    figures = thief.figures()
    found["taken over: anything at all"] = figures
    assert (figures.is_clean, figures.sent) == (True, 1)


def _random_letter(thief: Thief, chance: random.Random) -> None:
    token = chance.choice([*thief.works.held.values(), secrets.token_urlsafe(32), ""])
    proof = chance.choice([*FORGED_PROOFS, *({"otp": code} for code in thief.codes)])
    kind = chance.choice([each for each in ACTION_KINDS if each != "stop"])
    nodes = chance.sample([*NODES, DRAINED, "ALL", "nosuch"], chance.randint(1, 3))
    text = chance.choice(["", "{}", thief.works.text("re-arm", reason="x")])
    if set(nodes) <= set(NODES):
        text = thief.works.text(chance.choice(["drain", "identify", "power-cycle"]), nodes)
    says = {"text": text, "proof": proof, "id": chance.randint(0, 3), "reason": "x"}
    for name in chance.sample(sorted(says), chance.randint(0, 1)):
        says[name] = chance.choice([None, 1, "x" * 70_000 if chance.random() < 0.02 else "x", [], {}])
    thief.send(kind, token, says, age_s=chance.choice([0, 0, 0, -9, 59, 120]))


def _moved_letter(thief: Thief, chance: random.Random) -> None:
    nonce, kind, sealed = chance.choice(thief.letters)
    spoilt = bytearray(sealed)
    if spoilt and chance.random() < 0.3:
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    thief.put(chance.choice([nonce, "other"]), chance.choice([kind, *ACTION_KINDS]), bytes(spoilt))
    thief.letters.pop()


def _random_copy(thief: Thief, chance: random.Random) -> None:
    kind = chance.choice(["action", "switches", "spend", "session", "roles", "person", "audit", "ledger"])
    if chance.random() < 0.1:
        return thief.clear(kind)
    whose = {"id": 1, "kind": "session", "login": "kmf", "scope": "ask", "until": iso(thief.works.clock())}
    document = chance.choice([{}, [], None, whose, {"mode": "on", "stop": "", "breaker": ""}, {"state": "sending"}])
    return thief.forge(kind, chance.choice(["now", "file", f"{chance.randint(1, 9):012d}"]), document)
