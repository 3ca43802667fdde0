"""What the ledger says of hard actions becomes notices: each move once, whoever made it, and none of long ago."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from botd.acting.moves import State
from botd.agent.announcer import Announcer
from botd.config import load_config, parse_config
from botd.errors import LedgerUnavailable
from botd.ledger import Ledger
from botd.ledger.actions import Said, Stored
from botd.model import utc_now
from tests.agent.conftest import Lone
from tests.ledger.test_actions import NOW, ask, go, reserve
from tests.program import wait_until

S = State
SENT = (S.REREAD, S.SENDING, S.SENT, S.VERIFYING)


class Told:
    """Notices that are kept as the names of what they tell."""

    are_wanted = True

    def __init__(self) -> None:
        self.got: list[tuple[Any, ...]] = []

    def announced(self, action: Stored, grace_s: float) -> None:
        self.got.append((action.node, action.state, grace_s))

    def ended(self, action: Stored) -> None:
        self.got.append((action.node, action.state, action.code))


@pytest.fixture
def ledger(tmp_path: Any) -> Any:
    made = Ledger(parse_config({}, path=str(tmp_path / "botd.toml")))
    assert made.state(NOW, None).is_usable
    yield made
    made.close()


def announcer(ledger: Ledger, told: Told, now: datetime = NOW) -> Announcer:
    return Announcer(ledger, told, lambda: now)  # type: ignore[arg-type]


def reserved(ledger: Ledger, node: str = "n1", **more: Any) -> Stored:
    stored, _ = ask(ledger, f"nonce-{node}", node, **more)
    assert reserve(ledger, stored) == ""
    return stored


def test_a_hard_action_is_announced_once_and_ends_once(ledger: Ledger) -> None:
    told = Told()
    agent = announcer(ledger, told)
    stored = reserved(ledger)
    agent.step()
    assert told.got == []
    go(ledger, stored, S.ANNOUNCED)
    agent.step()
    agent.step()
    assert told.got == [("n1", "announced", 5)]
    go(ledger, stored, *SENT)
    agent.step()
    go(ledger, stored, S.SUCCEEDED)
    agent.step()
    agent.step()
    assert told.got == [("n1", "announced", 5), ("n1", "succeeded", "")]


def test_what_passed_between_two_looks_is_told_in_order(ledger: Ledger) -> None:
    told = Told()
    agent = announcer(ledger, told)
    go(ledger, reserved(ledger), S.ANNOUNCED, *SENT, S.FAILED, said=Said("not-seen", "no boot"))
    agent.step()
    assert told.got == [("n1", "announced", 5), ("n1", "failed", "not-seen")]


def test_one_that_is_stopped_in_its_grace_has_ended(ledger: Ledger) -> None:
    told = Told()
    go(ledger, reserved(ledger), S.ANNOUNCED, S.REFUSED, said=Said("stopped", "by anna"))
    announcer(ledger, told).step()
    assert told.got[-1] == ("n1", "refused", "stopped")


def test_what_was_never_announced_does_not_end_either(ledger: Ledger) -> None:
    told = Told()
    agent = announcer(ledger, told)
    go(ledger, reserved(ledger), S.REFUSED)
    agent.step()
    assert told.got == []


def test_dry_runs_and_softer_actions_are_not_told(ledger: Ledger) -> None:
    told = Told()
    agent = announcer(ledger, told)
    go(ledger, reserved(ledger, is_dry=True), S.ANNOUNCED, S.REREAD, S.WOULD_HAVE)
    go(ledger, reserved(ledger, "n2", action="drain"), *SENT, S.SUCCEEDED)
    agent.step()
    assert told.got == []


def test_an_agent_that_starts_tells_what_it_settles_and_nothing_of_before(ledger: Ledger) -> None:
    told, later = Told(), NOW + timedelta(minutes=1)
    go(ledger, reserved(ledger), S.ANNOUNCED, *SENT, S.SUCCEEDED)
    left = go(ledger, reserved(ledger, "n2"), S.ANNOUNCED)
    go(ledger, left, S.FAILED, now=later, said=Said("left", "the agent ended"))
    announcer(ledger, told, later).step()
    assert told.got == [("n2", "failed", "left")]


def test_a_ledger_that_cannot_be_read_is_asked_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    agent = announcer(ledger, told)
    go(ledger, reserved(ledger), S.ANNOUNCED)

    def broken() -> None:
        raise LedgerUnavailable("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "read", broken)
        agent.step()
    agent.step()
    assert told.got == [("n1", "announced", 5)]


def test_the_agent_tells_by_the_ways_of_its_configuration(lone: Lone, run_agent: Any) -> None:
    told = lone.path.parent / "told"
    lone.path.write_text(f'{lone.path.read_text()}\n[notify]\ncommand = "tee -a {told}"\n')
    lone.config = load_config(str(lone.path))
    agent = run_agent(lone)
    ledger, now = agent._record.ledger, utc_now() + timedelta(seconds=1)
    wait_until(lambda: lone.store.copies.get("ledger", "state"))
    stored, _ = ask(ledger, "nonce", now=now)
    assert reserve(ledger, stored, now) == ""
    go(ledger, stored, S.ANNOUNCED, S.REFUSED, now=now, said=Said("stopped", "by anna"))
    lines = wait_until(lambda: told.exists() and len(told.read_text().splitlines()) == 2 and told.read_text())
    assert [json.loads(line)["kind"] for line in lines.splitlines()] == ["announced", "ended"]
    assert "stopped: by anna" in lines
