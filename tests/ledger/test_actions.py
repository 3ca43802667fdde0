"""Actions in the ledger: one for a nonce, one lock for a node, no cap broken and no line of the audit lost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from botd.acting.actions import WEIGHTS, Weight
from botd.acting.caps import LONGEST, Cluster, gauges, why_capped
from botd.acting.limits import Caps
from botd.acting.moves import BY_ENDS, LEFT, LOCKING, MOVES, TERMINAL, Move, State, Writes, after_restart
from botd.audit import verify
from botd.config import parse_config
from botd.errors import LedgerUnavailable, MovedOn, NodeBusy, SameNonce
from botd.ledger import Ledger
from botd.ledger.actions import NOTHING, Asked, Budget, Said, Spent, Stored
from botd.ledger.chain import read_chain

NOW = datetime(2026, 11, 26, 10, 4, tzinfo=UTC)
CAPS = Caps(
    node_hard_per_6h=1,
    node_hard_per_7d=2,
    node_soft_per_24h=2,
    hard_per_hour="3",
    group_hard_per_hour="2",
    at_once=2,
    soft_at_once=3,
)
GROUPS = {"rack": ("n1", "n2", "n3")}
COUNTED = Budget()
NODES = ("n1", "n2", "n3", "n4", "n5")


def asked(nonce: str, node: str = "n1", action: str = "power-cycle", login: str = "anna", **more: Any) -> Asked:
    made = Asked(nonce, f"{action} {node}", login, action, str(WEIGHTS[action]), node, "hangs", "7f3a", "otp", False)
    return replace(made, **more)


def ask(ledger: Ledger, *args: Any, now: datetime = NOW, **more: Any) -> tuple[Stored, bool]:
    with ledger.write() as db:
        return ledger.actions.ask(db, BY_ENDS[None, State.REQUESTED], asked(*args, **more), now)


def go(ledger: Ledger, stored: Stored, *states: State, now: datetime = NOW, said: Said = NOTHING) -> Stored:
    for state in states:
        with ledger.write() as db:
            stored = ledger.actions.get(db, stored.id)
            stored = ledger.actions.move(db, stored, BY_ENDS[State(stored.state), state], "agent", now, said)
    return stored


def reserve(ledger: Ledger, stored: Stored, now: datetime = NOW, caps: Caps = CAPS, budget: Budget = COUNTED) -> str:
    """The words of the cap that refuses; empty where it was reserved."""

    def why_not(spent: Any, locked: Any) -> Said | None:
        groups = {name: nodes for name, nodes in GROUPS.items() if stored.node in nodes}
        cluster = Cluster(100, groups, [each.weight for each in locked])
        found = gauges(caps, Weight(stored.weight), stored.node, spent, cluster, now, free=budget.is_free)
        return Said("cap", why) if (why := why_capped(found)) else None

    with ledger.write() as db:
        step = BY_ENDS[State(stored.state), State.RESERVED]
        said = ledger.actions.reserve(
            db, stored, step, "agent", now, budget=budget, since=now - LONGEST, why_not=why_not
        )
    return said.words if said else ""


def get(ledger: Ledger, id: int) -> Stored:
    with ledger.read() as db:
        return ledger.actions.get(db, id)


def stands(ledger: Ledger, stored: Stored) -> Stored:
    return get(ledger, stored.id)


def locked(ledger: Ledger) -> list[str]:
    with ledger.read() as db:
        return [each.node for each in ledger.actions.locked(db)]


# ---- one at a time ----


def test_an_action_goes_its_way_and_each_move_is_recorded(ledger: Ledger, path: Path) -> None:
    stored, is_new = ask(ledger, "nonce-1")
    assert is_new
    assert reserve(ledger, stored) == ""
    assert locked(ledger) == ["n1"]
    sent = go(ledger, stored, State.ANNOUNCED, State.REREAD, State.SENDING)
    assert (sent.sent_at, sent.is_certain) == (NOW, None)
    sent = go(ledger, stored, State.SENT, said=Said(is_certain=True))
    assert sent.is_certain is True
    assert go(ledger, stored, State.VERIFYING, State.SUCCEEDED).state == "succeeded"
    assert locked(ledger) == []
    with ledger.read() as db:
        targets = [made.target for made in ledger.actions.moves(db, stored.id)]
        spent = ledger.actions.spent(db, NOW - LONGEST, is_dry=False)
    assert targets == [
        *("requested", "reserved", "announced", "re-read", "sending", "sent", "verifying", "succeeded"),
    ]
    assert spent == [Spent("n1", "power-cycle", "hard", "anna", "", "", False, True, NOW, stored.id)]
    assert verify(read_chain(path)).size == 1 + len(targets)


def test_the_same_nonce_is_the_same_action_and_with_another_body_it_is_refused(ledger: Ledger) -> None:
    first, _ = ask(ledger, "nonce-1")
    assert ask(ledger, "nonce-1") == (first, False)
    for other in ({"node": "n2"}, {"login": "kmf"}, {"action": "drain"}):
        with pytest.raises(SameNonce):
            ask(ledger, "nonce-1", **other)
    with ledger.read() as db:
        assert len(ledger.actions.moves(db, first.id)) == 1


def test_twenty_presses_of_one_nonce_at_the_same_moment_are_one_action(ledger: Ledger) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: ask(ledger, "nonce-1"), range(20)))
    assert sum(is_new for _, is_new in found) == 1
    assert {stored.id for stored, _ in found} == {found[0][0].id}


def test_one_node_has_one_lock_whoever_comes_together(ledger: Ledger) -> None:
    both = [ask(ledger, f"nonce-{i}", login=login, action="drain")[0] for i, login in enumerate(["anna", "kmf"] * 4)]

    def press(stored: Stored) -> str:
        try:
            return reserve(ledger, stored, caps=Caps(node_soft_per_24h=100))
        except NodeBusy as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        words = list(pool.map(press, both))
    assert words.count("") == 1
    assert sum("has drain" in each and "under way on n1" in each for each in words) == 7
    with ledger.read() as db:
        assert len(ledger.actions.spent(db, NOW - LONGEST, is_dry=False)) == 1


def test_presses_together_do_not_break_a_cap_together(ledger: Ledger) -> None:
    many = [ask(ledger, f"nonce-{i}", node=f"m{i}")[0] for i in range(12)]
    with ThreadPoolExecutor(8) as pool:
        words = list(pool.map(lambda stored: reserve(ledger, stored, caps=replace(CAPS, at_once=9)), many))
    assert words.count("") == 3
    assert sum("hard actions in an hour: 3 of at most 3" in each for each in words) == 9


def test_dry_runs_and_real_ones_are_counted_apart(ledger: Ledger) -> None:
    dry, _ = ask(ledger, "nonce-1", is_dry=True)
    assert reserve(ledger, dry) == ""
    go(ledger, dry, State.ANNOUNCED, State.REREAD, State.WOULD_HAVE)
    real, _ = ask(ledger, "nonce-2")
    assert reserve(ledger, real) == ""
    go(ledger, real, State.ANNOUNCED, State.REREAD, State.REFUSED, said=Said("live-job", "812"))
    for nonce, is_dry in (("nonce-3", True), ("nonce-4", False)):
        assert "on the node in 6 h: 1 of at most 1" in reserve(ledger, ask(ledger, nonce, is_dry=is_dry)[0])
    with ledger.read() as db:
        assert [s.was_sent for s in ledger.actions.spent(db, NOW - LONGEST, is_dry=True)] == [False]


@pytest.mark.parametrize("hours", [165, -5])
def test_a_week_is_counted_to_its_end_and_so_is_a_time_to_come(ledger: Ledger, hours: int) -> None:
    stored, _ = ask(ledger, "nonce-1")
    reserve(ledger, stored, NOW - timedelta(hours=hours))
    go(ledger, stored, State.FAILED)
    words = reserve(ledger, ask(ledger, "nonce-2")[0], caps=replace(CAPS, node_hard_per_6h=9, node_hard_per_7d=1))
    assert "hard actions on the node in 7 days: 1 of at most 1" in words


def test_a_dry_run_cannot_be_sent(ledger: Ledger) -> None:
    dry, _ = ask(ledger, "nonce-1", is_dry=True)
    reserve(ledger, dry)
    go(ledger, dry, State.ANNOUNCED, State.REREAD)
    with pytest.raises(MovedOn):
        go(ledger, dry, State.SENDING)
    assert stands(ledger, dry).state == "re-read"


def test_nothing_is_reserved_past_the_caps_and_nothing_spent_without_being_reserved(ledger: Ledger) -> None:
    stored, _ = ask(ledger, "nonce-1")
    with pytest.raises(MovedOn, match="by way of the caps only"):
        go(ledger, stored, State.RESERVED)
    refuse = BY_ENDS[State.REQUESTED, State.REFUSED]
    with ledger.write() as db, pytest.raises(MovedOn):
        ledger.actions.reserve(
            db, stored, refuse, "agent", NOW, budget=Budget(), since=NOW, why_not=lambda spent, locked: None
        )
    assert (stands(ledger, stored).state, locked(ledger)) == ("requested", [])


def test_a_move_that_is_not_recorded_did_not_happen(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    stored, _ = ask(ledger, "nonce-1")

    def full(*_: Any) -> None:
        raise LedgerUnavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(ledger.chain, "add", full)
        with pytest.raises(LedgerUnavailable):
            reserve(ledger, stored)
    assert (stands(ledger, stored).state, locked(ledger)) == ("requested", [])
    with ledger.read() as db:
        assert ledger.actions.spent(db, NOW - LONGEST, is_dry=False) == []


def test_what_may_have_happened_is_told_until_a_person_has_looked(ledger: Ledger) -> None:
    stored, _ = ask(ledger, "nonce-1")
    reserve(ledger, stored)
    go(ledger, stored, State.ANNOUNCED, State.REREAD, State.SENDING, State.VERIFYING, State.UNKNOWN)
    with ledger.write() as db:
        unknown = ledger.actions.unseen(db, "n1")
        assert unknown is not None
        assert unknown.id == stored.id
        ledger.actions.see(db, unknown, "kmf", "it runs", NOW)
        assert ledger.actions.unseen(db, "n1") is None
        with pytest.raises(MovedOn):
            ledger.actions.see(db, unknown, "kmf", "again", NOW)


def test_a_stop_and_the_breaker_stay_until_a_person_says_so(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    with ledger.write() as db:
        ledger.switches.stop(db, "anna", "smoke", NOW)
        ledger.switches.stop(db, "kmf", "me too", NOW)
        ledger.switches.open_breaker(db, "9 hard actions in 60 min", NOW)
        ledger.switches.open_breaker(db, "", NOW)
    again = open_ledger()
    again.open(NOW)
    with again.write() as db:
        assert again.switches.stopped(db) == "anna, since 2026-11-26T10:04:00.000Z: smoke"
        assert again.switches.breaker(db) == "9 hard actions in 60 min, at 2026-11-26T10:04:00.000Z"
        assert again.switches.closed_at(db) is None
        again.switches.end_stop(db, "kmf", "no fire", NOW)
        again.switches.close_breaker(db, "kmf", "looked", NOW)
        again.switches.close_breaker(db, "kmf", "looked", NOW + timedelta(hours=1))
        assert (again.switches.stopped(db), again.switches.breaker(db)) == ("", "")
        assert again.switches.closed_at(db) == NOW
        kinds = [row.document.split('"kind":"')[1].split('"')[0] for row in again.chain.after(db, 0, 99)]
    assert kinds[1:] == ["stopped", "breaker-opened", "stop-ended", "breaker-closed"]


def test_a_time_of_a_spend_that_cannot_be_read_is_damage(ledger: Ledger) -> None:
    stored, _ = ask(ledger, "nonce-1")
    reserve(ledger, stored)
    with ledger.write() as db:
        db.execute(sa.text("UPDATE budgets SET at = 1e300"))
    with pytest.raises(LedgerUnavailable), ledger.read() as db:
        ledger.actions.spent(db, NOW - LONGEST, is_dry=False)


# ---- all of it, against what is true ----


class Ended(Exception):
    """The agent ends in the middle of a transaction."""


@dataclass
class Truth:
    """What an action really is."""

    id: int
    nonce: str
    login: str
    node: str
    action: str
    is_dry: bool
    state: State
    changed_at: datetime
    reserved_at: datetime | None = None
    sends: int = 0

    @property
    def weight(self) -> Weight:
        return WEIGHTS[self.action]


class Machine(RuleBasedStateMachine):
    """People press, the agent goes on, ends, comes back, the clock moves; what is true is kept beside the ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ledger" / "ledger.db"
        self.config = parse_config({}, path=str(self.folder / "botd.toml"))
        self.now = NOW
        self.true: dict[str, Truth] = {}
        self.rows = 1
        self.ledger = Ledger(self.config)
        self.ledger.open(self.now)

    def teardown(self) -> None:
        verdict = verify(read_chain(self.path))
        self.ledger.close()
        shutil.rmtree(self.folder)
        assert (verdict.broken_at, verdict.size) == (None, self.rows)

    @initialize()
    def begin(self) -> None:
        """There is something to go on with."""
        self.press("anna", "n1", "power-cycle", 0, False)

    def going(self, *states: State) -> list[Truth]:
        return [each for each in self.true.values() if each.state in (states or set(State) - TERMINAL)]

    # ---- what people do ----

    @rule(
        login=st.sampled_from(["anna", "kmf", "bo"]),
        node=st.sampled_from(NODES),
        action=st.sampled_from(sorted(WEIGHTS)),
        number=st.integers(0, 40),
        is_dry=st.booleans(),
    )
    def press(self, login: str, node: str, action: str, number: int, is_dry: bool) -> None:
        nonce = f"nonce-{number}"
        there = self.true.get(nonce)
        is_same = there is not None and (there.login, there.node, there.action) == (login, node, action)
        try:
            stored, is_new = ask(self.ledger, nonce, node, action, login, is_dry=is_dry, now=self.now)
        except SameNonce:
            assert there is not None
            assert not is_same
            return
        assert is_new == (there is None)
        if there is not None:
            assert is_same
            assert stored.id == there.id
            return
        self.rows += 1
        self.true[nonce] = Truth(stored.id, nonce, login, node, action, is_dry, State.REQUESTED, self.now)

    # ---- what the agent does ----

    def moves(self, true: Truth) -> list[Move]:
        return [
            m for m in MOVES if m.source is true.state and true.weight in m.weights and m.is_dry in (None, true.is_dry)
        ]

    @precondition(lambda self: self.going())
    @rule(data=st.data(), ends=st.booleans())
    def go_on(self, data: st.DataObject, ends: bool) -> None:
        true = data.draw(st.sampled_from(self.going()), label="action")
        step = data.draw(st.sampled_from(self.moves(true)), label="move")
        if step.target is State.RESERVED:
            return self.reserve(true, ends)
        try:
            with self.ledger.write() as db:
                stored = self.ledger.actions.get(db, true.id)
                self.ledger.actions.move(db, stored, step, "agent", self.now, Said("why", "words", True))
                if ends:
                    raise Ended
        except Ended:
            return self.come_back()
        return self.moved(true, step)

    @precondition(lambda self: self.going())
    @rule(data=st.data(), steps=st.integers(1, 7))
    def straight_on(self, data: st.DataObject, steps: int) -> None:
        """Some steps with nothing in the way, which chance alone seldom takes as far as to something that is sent."""
        true = data.draw(st.sampled_from(self.going()), label="action")
        for _ in range(steps):
            on = [move for move in self.moves(true) if Writes.CODE not in move.writes]
            if not on:
                return
            if State.RESERVED in [move.target for move in on]:
                self.reserve(true, False)
                if true.state is not State.RESERVED:
                    return
                continue
            with self.ledger.write() as db:
                stored = self.ledger.actions.get(db, true.id)
                self.ledger.actions.move(db, stored, on[0], "agent", self.now, Said(is_certain=True))
            self.moved(true, on[0])

    @precondition(lambda self: self.going(State.REQUESTED, State.QUEUED, State.APPROVED))
    @rule(data=st.data(), ends=st.booleans())
    def reserve_one(self, data: st.DataObject, ends: bool) -> None:
        true = data.draw(st.sampled_from(self.going(State.REQUESTED, State.QUEUED, State.APPROVED)))
        self.reserve(true, ends)

    def reserve(self, true: Truth, ends: bool) -> None:
        is_full, is_held = self.is_full(true), any(each.node == true.node for each in self.going(*LOCKING))
        ledger = self.ledger
        stored = get(ledger, true.id)
        try:
            if ends:
                with pytest.MonkeyPatch.context() as patched:
                    patched.setattr(ledger.actions, "_record", _end)
                    words = reserve(ledger, stored, self.now)
            else:
                words = reserve(ledger, stored, self.now)
        except Ended:
            assert not is_full
            return self.come_back()
        except NodeBusy:
            assert is_held
            return None
        if words:
            assert is_full, words
            return None
        assert not is_full
        assert not is_held
        true.reserved_at = self.now
        return self.moved(true, BY_ENDS[true.state, State.RESERVED])

    @precondition(lambda self: self.true)
    @rule(data=st.data())
    def go_where_no_way_leads(self, data: st.DataObject) -> None:
        """A step that begins elsewhere, is of another weight or run, or reserves without the caps, changes nothing."""
        true = data.draw(st.sampled_from(list(self.true.values())))
        wrong = [m for m in MOVES if m.source is not None and (m not in self.moves(true) or Writes.LOCK in m.writes)]
        step = data.draw(st.sampled_from(wrong))
        with pytest.raises(MovedOn), self.ledger.write() as db:
            self.ledger.actions.move(db, self.ledger.actions.get(db, true.id), step, "agent", self.now)

    @rule()
    def come_back(self) -> None:
        """The agent ends, and another one begins."""
        self.ledger.close()
        self.ledger = Ledger(self.config)
        self.ledger.open(self.now)
        for true in self.going():
            age_s = (self.now - true.changed_at).total_seconds()
            left = after_restart(true.state, age_s, is_proof_good=True)
            if left is None or left.target is true.state:
                continue
            step = BY_ENDS[true.state, LEFT[true.state].target]
            with self.ledger.write() as db:
                stored = self.ledger.actions.get(db, true.id)
                self.ledger.actions.move(db, stored, step, "agent", self.now, Said("restart", left.words))
            self.moved(true, step)

    @rule(minutes=st.sampled_from([1, 20, 61, 400, 1500, 6000, 11000, -5, -200]))
    def the_clock_moves(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    # ---- what is true ----

    def moved(self, true: Truth, step: Move) -> None:
        self.rows += 1
        true.state, true.changed_at = step.target, self.now
        true.sends += step.target is State.SENDING

    def is_full(self, true: Truth) -> bool:
        """Whether one more would be too much, counted from what is true."""
        kin = [t for t in self.true.values() if t.reserved_at and t.weight is true.weight and t.is_dry == true.is_dry]
        under_way = [t for t in self.going(*LOCKING) if t.weight is true.weight]

        def count(hours: int, nodes: tuple[str, ...]) -> int:
            begin = self.now - timedelta(hours=hours)
            return sum(1 for t in kin if t.node in nodes and t.reserved_at and t.reserved_at > begin)

        if true.weight is Weight.HARMLESS:
            return False
        if true.weight is Weight.SOFT:
            return count(24, (true.node,)) >= 2 or len(under_way) >= 3
        rack = GROUPS["rack"]
        return (
            count(6, (true.node,)) >= 1
            or count(168, (true.node,)) >= 2
            or count(1, NODES) >= 3
            or (true.node in rack and count(1, rack) >= 2)
            or len(under_way) >= 2
        )

    @invariant()
    def the_ledger_says_what_is_true(self) -> None:
        with self.ledger.read() as db:
            found = {row.nonce: (row.id, row.state) for row in self.ledger.actions.under(db, *State)}
            held = {row.node: row.id for row in self.ledger.actions.locked(db)}
            spent = [len(self.ledger.actions.spent(db, NOW - 99 * LONGEST, is_dry=dry)) for dry in (False, True)]
            last = self.ledger.chain.last(db)
        assert found == {nonce: (true.id, true.state) for nonce, true in self.true.items()}
        assert held == {true.node: true.id for true in self.going(*LOCKING)}
        assert len(held) == len(self.going(*LOCKING))
        assert spent == [
            sum(1 for t in self.true.values() if t.reserved_at and t.is_dry is dry) for dry in (False, True)
        ]
        assert last is not None
        assert last.number == self.rows

    @invariant()
    def nothing_is_sent_twice_and_no_dry_run_at_all(self) -> None:
        assert all(true.sends <= (0 if true.is_dry else 1) for true in self.true.values())
        with self.ledger.read() as db:
            sent = {row.nonce for row in self.ledger.actions.sent(db, NOW - 99 * LONGEST)}
        assert sent == {nonce for nonce, true in self.true.items() if true.sends}


def _end(*_: Any) -> None:
    raise Ended


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
