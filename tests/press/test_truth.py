"""The figures count: each of them on a record in which exactly that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.press.truth import Action, Caps, Figures, Move, Order, Spend, Told, figures

NODE = "n0012.savio2"
WAY = ("requested", "reserved", "re-read", "sending", "sent", "verifying", "succeeded")


def drain(number: int, node: str = NODE, at: float = 0.0, answer: str = "") -> Order:
    return Order(at, "Slurm", node, f"state=drain reason=botd: drain {number} by anna", answer)


def identify(node: str = NODE) -> Order:
    return Order(0, "BMC", node, "identify 15 s", "")


def told(*actions: Action, ways: dict[int, Sequence[str]] | None = None) -> Told:
    """A record in which each action went all the way, or the way given, one after the other."""
    made = [(each.id, target) for each in actions for target in (ways or {}).get(each.id, WAY)]
    moves = [Move(number, target, float(at)) for at, (number, target) in enumerate(made)]
    rows = [{"kind": f"action-{target}", "detail": {"action_id": number}} for number, target in made]
    spent = [Spend(number, "student", float(at)) for at, (number, target) in enumerate(made) if target == "reserved"]
    return Told(actions, moves, spent, rows)


HARD_WAY = ("requested", "reserved", "announced", "re-read", "sending", "sent", "verifying", "succeeded")


def cycled(*more: Order, at: float = 0.0) -> tuple[Order, ...]:
    """A node that was drained and cycled, by the action of that id."""
    first = Order(at, "Slurm", NODE, "state=drain reason=botd: power-cycle 4 by anna", "")
    return (first, Order(at, "BMC", NODE, "power cycle", ""), *more)


CYCLE = Action(4, "d", "anna", "power-cycle", NODE, "succeeded")
BACK = Action(5, "e", "anna", "resume", NODE, "succeeded")
ONE = Action(1, "a", "anna", "drain", NODE, "succeeded")
TWO = Action(2, "b", "anna", "drain", "n0013.savio2", "succeeded")
LED = Action(3, "c", "anna", "identify", NODE, "succeeded")
ALL = (drain(1), drain(2, TWO.node, 1.0), identify())


def found(orders: Sequence[Order], record: Told, caps: Caps | None = None, nonces: Sequence[str] = ()) -> Figures:
    return figures(1, orders, record, caps or Caps(), nonces)


def test_a_record_that_is_true_has_nothing_wrong() -> None:
    by_others = Order(0, "Slurm", NODE, "state=resume", "")
    assert found((*ALL, by_others), told(ONE, TWO, LED), nonces=("a", "b")) == Figures(1, 3)


@pytest.mark.parametrize("extra", [drain(1), drain(1, answer="Invalid node state specified"), identify()])
def test_an_order_that_came_twice_is_seen(extra: Order) -> None:
    assert found((*ALL, extra), told(ONE, TWO, LED)) == Figures(1, 4, double_pulses=1)


def test_a_power_cycle_is_one_order_after_a_drain_and_a_resume_is_one() -> None:
    record = told(CYCLE, BACK, ways={4: HARD_WAY})
    resumed = Order(1.0, "Slurm", NODE, "state=resume", "")
    assert found(cycled(resumed), record) == Figures(1, 1)
    assert found(cycled(), record).false_successes == 1
    assert found(cycled(resumed)[:1], record).false_successes == 2
    assert found(cycled(*cycled()[1:], resumed), record).double_pulses == 1
    assert found(cycled(*cycled()[:1], resumed), record).double_pulses == 1


def test_a_drain_for_a_power_cycle_that_was_refused_then_is_none_too_many() -> None:
    refused = CYCLE._replace(state="refused")
    assert found(cycled()[:1], told(refused, ways={4: (*HARD_WAY[:3], "refused")})) == Figures(1)
    assert found(cycled()[:1], told(refused, ways={4: (*HARD_WAY[:2], "refused")})).strays == 1


def test_more_cycles_than_may_be_are_seen() -> None:
    record = told(CYCLE, CYCLE._replace(id=5), ways={4: HARD_WAY, 5: HARD_WAY})
    again = Order(21599.0, "BMC", NODE, "power cycle", "")
    assert found(cycled(again), record).caps_broken == 1
    assert found(cycled(again._replace(at=21600.0)), record).caps_broken == 0
    assert found(cycled(again._replace(at=1.0)), record, Caps(cycles_per_hour=1, node_cycles_per_6h=2)).caps_broken == 1


def test_a_slurmd_that_nobody_has_started_anew_is_a_false_success() -> None:
    restart = ONE._replace(action="restart-slurmd")
    assert found((), told(restart)).false_successes == 1
    assert found((Order(0, "ssh", NODE, "sudo systemctl restart slurmd", ""),), told(restart)) == Figures(1, 1)


def test_an_order_of_no_action_and_one_of_an_action_that_sent_nothing_are_seen() -> None:
    refused = ONE._replace(state="refused")
    assert found((drain(9),), told()).strays == 1
    assert found((drain(1),), told(refused)).strays == 1
    assert found((drain(1, "n0099.savio2"),), told(ONE)).strays == 1
    assert found((drain(1),), told(ONE, ways={1: ("requested", "reserved", "failed")})).strays == 1


def test_a_cap_that_was_broken_is_seen() -> None:
    record = told(ONE, TWO)
    orders = (drain(1), drain(2, TWO.node, 3599.0))
    assert found(orders, record, Caps({"anna": 2})).caps_broken == 0
    assert found(orders, record, Caps({"anna": 1})).caps_broken == 1
    assert found((drain(1), drain(2, TWO.node, 3600.0)), record, Caps({"anna": 1})).caps_broken == 0
    assert found((drain(1), drain(2, NODE, 3600.0)), record, Caps(node_per_day=1)).caps_broken == 1


def test_what_is_sent_and_not_counted_and_a_role_that_spent_too_much_are_seen() -> None:
    record = told(ONE, TWO)
    assert found(ALL[:2], replace(record, spent=record.spent[1:])).caps_broken == 1
    assert found(ALL[:2], record, Caps({"student": 2})).caps_broken == 0
    assert found(ALL[:2], record, Caps({"student": 1})).caps_broken == 1


def test_two_actions_that_had_one_node_and_too_many_at_once_are_seen() -> None:
    same = TWO._replace(node=NODE)
    moves = [Move(1, "reserved", 0), Move(2, "reserved", 1), Move(1, "succeeded", 2), Move(2, "succeeded", 3)]
    for actions, caps in (((ONE, same), Caps()), ((ONE, TWO), Caps(at_once=1))):
        assert found((), replace(told(*actions), moves=moves), caps).caps_broken == 1


def test_a_line_that_is_lost_or_too_many_is_seen() -> None:
    record = told(ONE)
    assert found((drain(1),), replace(record, rows=record.rows[1:])).lost_lines == 1
    assert found((drain(1),), replace(record, rows=[*record.rows, record.rows[0]])).lost_lines == 1
    assert found((drain(1),), replace(record, broken=True)).lost_lines == 1
    assert found((drain(1),), record, nonces=("a", "gone")).lost_lines == 1


def test_a_success_that_was_none_is_seen() -> None:
    assert found((), told(ONE)).false_successes == 1
    assert found((drain(1, answer="Invalid node state specified"),), told(ONE)).false_successes == 1
    assert found((), told(LED)).false_successes == 1
