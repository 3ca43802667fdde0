"""The protocol of an action under everything that can happen to it, by courses of events that hypothesis finds.

The agent is a process that is ended and killed; presses reach it as sealed letters in the shared database. What
scontrol and the BMCs were told lies in files that no part of botd reads, and is held against the ledger at the end.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from nacl.public import PublicKey, SealedBox

from botd.access.letters import Letter, write_letter
from tests.agent.actions.works import DRAINED, NODES
from tests.agent.people.parts import HOME, PASSWORD
from tests.libexec.helper import IDLE
from tests.press.living import Agent, make_world, open_works
from tests.press.site import LONG
from tests.press.truth import ENDS, Caps, Figures, figures, read_ledger
from tests.program import wait_until

EXAMPLES, STEPS = (60, 40) if LONG else (5, 25)
PEOPLE = ("anna", "bert", "kmf")
FEW = tuple(node for node in NODES if node != DRAINED)[:6]
CAPS = Caps({"few": 2})
"""bert may drain two an hour, and a node is drained three times a day at most."""

TROUBLES = ("mute-before", "mute-after", "bmc-mute")
POINTS = ("requested", "reserved", "re-read", "sending", "sent", "verifying")
JUMPS_S = (-7200, -90, 40, 400, 5400)


@dataclass
class Sent:
    """A press that was sent, and the actions that it was told to be."""

    login: str
    nonce: str
    says: dict[str, Any]
    at: float
    ids: set[int] = field(default_factory=set)


class Protocol(RuleBasedStateMachine):
    """People, an agent, and what may happen to both."""

    total: ClassVar[Figures] = Figures()
    ended: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="botd-press-"))
        make_world(self.folder)
        self.works = open_works(self.folder)
        self.agent = Agent(self.folder)
        self.presses: list[Sent] = []
        self.codes: list[str] = []
        self.tried = 0
        self.is_stopped = False

    @initialize()
    def people_log_in(self) -> None:
        for login in PEOPLE:
            self.works.hall.person(login)
            self.works.hall.later(seconds=30)
            code = self.works.hall.code(login)
            self.works.held[login] = self.works.hall.log_in(login, PASSWORD, code)
        self.agent.start()

    # ---- letters ----

    def ask(self, kind: str, login: str, says: dict[str, Any]) -> dict[str, Any]:
        """What the agent answers to a letter; that it is not there, where no agent is."""
        if not self.agent.process:
            return {"ok": False, "code": "no-agent"}
        nonce, store = secrets.token_urlsafe(9), self.works.site.store
        letter = Letter(kind, nonce, self.works.clock().timestamp(), self.works.held[login], HOME, says)
        key = PublicKey(bytes.fromhex((self.folder / "ledger-seal.pub").read_text().strip()))
        store.asks.put(nonce, kind, SealedBox(key).encrypt(write_letter(letter)), self.works.clock())
        answer: dict[str, Any] = wait_until(lambda: store.asks.answer_to(nonce) or not self.agent.is_alive())
        assert self.agent.is_alive(), "the agent ended by itself"
        return answer

    def send(self, press: Sent) -> dict[str, Any]:
        """The answer to a press, which is always the same action."""
        self.tried += 1
        answer = self.ask("act", press.login, press.says)
        if answer["ok"]:
            ids = {each["id"] for each in answer["actions"]}
            assert press.ids in (set(), ids), (press, answer)
            press.ids = ids
        return answer

    def code(self, login: str) -> str:
        """A code that nobody has used, as far as the clock is not set back."""
        self.works.hall.later(seconds=30)
        self.codes.append(self.works.hall.code(login))
        return self.codes[-1]

    # ---- what people do ----

    @rule(login=st.sampled_from(PEOPLE), action=st.sampled_from(["drain", "identify"]), node=st.sampled_from(FEW))
    def press(self, login: str, action: str, node: str) -> None:
        self.works.refresh()
        proof, nonce = {"otp": self.code(login)}, secrets.token_urlsafe(18)
        text = self.works.text(action, [node], nonce=nonce)
        self.presses.append(Sent(login, nonce, {"text": text, "proof": proof}, time.monotonic()))
        self.send(self.presses[-1])

    @rule(login=st.sampled_from(PEOPLE))
    def press_on_all(self, login: str) -> None:
        self.works.refresh()
        nonce = secrets.token_urlsafe(18)
        says = {"text": self.works.text("drain", FEW, nonce=nonce), "proof": {"otp": self.code(login)}}
        self.presses.append(Sent(login, nonce, says, time.monotonic()))
        self.send(self.presses[-1])

    @precondition(lambda self: self.presses)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        self.send(data.draw(st.sampled_from(self.presses)))

    @precondition(lambda self: self.presses)
    @rule(data=st.data(), node=st.sampled_from(FEW))
    def send_another_under_the_same_nonce(self, data: st.DataObject, node: str) -> None:
        press = data.draw(st.sampled_from(self.presses))
        text = self.works.text("drain", [node], "quite another reason", nonce=press.nonce)
        self.tried += 1
        answer = self.ask("act", press.login, {"text": text, "proof": {"otp": self.code(press.login)}})
        assert not (answer["ok"] and press.ids), answer
        if answer["ok"]:  # the first one had never arrived
            press.says, press.ids = {**press.says, "text": text}, {each["id"] for each in answer["actions"]}

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), node=st.sampled_from(FEW))
    def use_a_code_again(self, data: st.DataObject, node: str) -> None:
        code = data.draw(st.sampled_from(self.codes))
        self.tried += 1
        answer = self.ask("act", "anna", {"text": self.works.text("drain", [node]), "proof": {"otp": code}})
        assert not answer["ok"], answer

    @rule(goes_on=st.booleans())
    def stop_everything(self, goes_on: bool) -> None:
        self.is_stopped |= bool(self.ask("stop", "anna", {"reason": "smoke"})["ok"])
        if goes_on:
            self.go_on()

    @rule()
    def go_on(self) -> None:
        text = self.works.text("re-arm", reason="no smoke")
        says = {"reason": "no smoke", "text": text, "proof": {"otp": self.code("kmf")}}
        self.is_stopped &= not self.ask("go-on", "kmf", says)["ok"]

    @rule(node=st.sampled_from(FEW), drains=st.booleans())
    def somebody_drains_or_takes_back(self, node: str, drains: bool) -> None:
        at = self.works.clock()
        self.works.helper.put(node, f"drained|{at:%Y-%m-%dT%H:%M:%S}|jd|bad fan" if drains else IDLE)

    # ---- what goes wrong ----

    @rule(trouble=st.sampled_from(TROUBLES))
    def trouble_begins_or_ends(self, trouble: str) -> None:
        path = self.works.helper.directory / trouble
        path.unlink() if path.exists() else path.touch()

    @rule(seconds=st.sampled_from(JUMPS_S))
    def the_clock_moves(self, seconds: int) -> None:
        self.works.hall.later(seconds=seconds)

    @rule(number=st.sampled_from([signal.SIGTERM, signal.SIGKILL]))
    def the_agent_ends_and_begins(self, number: signal.Signals) -> None:
        self.agent.end(number)
        self.agent.start()

    @rule(point=st.sampled_from(POINTS), node=st.sampled_from(FEW))
    def the_agent_is_killed_on_the_way(self, point: str, node: str) -> None:
        """A press, and SIGKILL as soon as its action is somewhere, twice: the second time while it settles that."""
        self._press_on_a_fresh(node, "drain")
        self._wait_a_moment(point)
        for _ in range(2):
            self.agent.end(signal.SIGKILL)
            self.agent.start()

    @rule(trouble=st.sampled_from(TROUBLES), node=st.sampled_from(FEW))
    def a_press_meets_trouble(self, trouble: str, node: str) -> None:
        (self.works.helper.directory / trouble).touch()
        self._press_on_a_fresh(node, "identify" if trouble == "bmc-mute" else "drain")
        self._wait_a_moment("verifying")

    def _press_on_a_fresh(self, node: str, action: str) -> None:
        """A press that nothing is in the way of, as far as this test can see to it."""
        if self.is_stopped:
            self.go_on()
        self.works.helper.put(node, IDLE)
        self.press("kmf", action, node)

    def _wait_a_moment(self, point: str) -> None:
        until = time.monotonic() + 1
        with closing(sqlite3.connect(f"{self.works.hall.ledger.path.as_uri()}?mode=ro", uri=True)) as db:
            while time.monotonic() < until:
                with suppress(sqlite3.OperationalError):
                    if db.execute("SELECT 1 FROM moves ORDER BY id DESC LIMIT 1").fetchone():
                        (last,) = db.execute("SELECT target FROM moves ORDER BY id DESC LIMIT 1").fetchone()
                        if last == point or last in ENDS:
                            return

    # ---- what came of it ----

    def teardown(self) -> None:
        try:
            if self.works.held:
                self._settle()
                told, orders = read_ledger(self.works.hall.ledger.path), self.works.orders()
                nonces = [press.nonce for press in self.presses if press.ids]
                found = figures(self.tried, orders, told, CAPS, nonces)
                Protocol.total += found
                Protocol.ended |= {each.state for each in told.actions}
                assert found.is_clean, found
        finally:
            self.agent.end(signal.SIGKILL)
            self.works.site.store.close()
            self.works.hall.ledger.close()
            shutil.rmtree(self.folder)

    def _settle(self) -> None:
        """Every action ends, with an agent that is well and time that goes on."""
        for trouble in TROUBLES:
            (self.works.helper.directory / trouble).unlink(missing_ok=True)
        self.agent.start()

        def are_over() -> bool:
            states = {each.state for each in read_ledger(self.works.hall.ledger.path).actions}
            if "verifying" in states:
                self.works.hall.later(seconds=120)
            return states <= set(ENDS)

        wait_until(are_over, 120)


# A course that fails is told as it is: to make it shorter would take minutes, with an agent of its own for each try.
Protocol.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, phases=(Phase.explicit, Phase.generate)
)


class TestProtocol(Protocol.TestCase):  # type: ignore[misc, name-defined]
    """The courses of events."""


def test_the_courses_had_all_that_matters_in_them(found: dict[str, Figures]) -> None:
    """After TestProtocol, whose figures these are."""
    found["courses of events"] = Protocol.total
    assert Protocol.total.tried > EXAMPLES
    assert {"succeeded", "refused"} <= Protocol.ended
