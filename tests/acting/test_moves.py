"""The table of moves: nothing is sent twice, every lock comes back, and a restart knows what to do with everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.acting.actions import ACTIONS, Weight
from botd.acting.moves import (
    BY_ENDS,
    LEFT,
    LOCKING,
    MOVES,
    TERMINAL,
    WAIT_S,
    By,
    Move,
    Restart,
    State,
    Writes,
    after_restart,
    end_of,
    find_move,
    reachable,
)
from botd.audit import KINDS

BEFORE = frozenset({State.REQUESTED, State.QUEUED, State.AWAITING, State.APPROVED})


def test_there_is_one_move_between_two_states() -> None:
    assert len(BY_ENDS) == len(MOVES)


def test_no_way_leads_back_from_sending_to_anything_that_sends() -> None:
    after = reachable([State.SENDING])
    assert State.SENDING not in after
    assert not any(move.source in after | {State.SENDING} for move in MOVES if Writes.SENT_AT in move.writes)
    assert after.isdisjoint(BEFORE | {State.RESERVED, State.ANNOUNCED, State.REREAD})


def test_sending_is_the_only_state_that_sends_and_only_the_reread_leads_there() -> None:
    assert {(move.source, move.target) for move in MOVES if Writes.SENT_AT in move.writes} == {
        (State.REREAD, State.SENDING)
    }
    assert [move.source for move in MOVES if move.target is State.SENDING] == [State.REREAD]


def test_every_state_is_reached_and_every_way_ends() -> None:
    assert reachable([None]) == set(State)
    for state in set(State) - TERMINAL:
        assert reachable([state]) & TERMINAL
    assert {state for state in State if reachable([state]) == set()} == TERMINAL


def test_the_ends_are_these() -> None:
    assert {state.value for state in TERMINAL} == {
        *("succeeded", "failed", "unknown", "would-have", "refused", "expired", "vetoed"),
    }


def test_no_state_comes_twice() -> None:
    assert not any(state in reachable([state]) for state in State)


def test_a_lock_is_held_in_exactly_these_states() -> None:
    for move in MOVES:
        assert (Writes.LOCK in move.writes) == (move.source not in LOCKING and move.target in LOCKING)
        assert (Writes.UNLOCK in move.writes) == (move.source in LOCKING and move.target not in LOCKING)
        assert (Writes.BUDGET in move.writes) == (Writes.LOCK in move.writes)


def test_a_lock_is_given_back_by_an_end_and_by_nothing_else() -> None:
    assert {move.target for move in MOVES if Writes.UNLOCK in move.writes} <= TERMINAL


def test_what_ends_without_success_says_why() -> None:
    silent = {State.SUCCEEDED, State.WOULD_HAVE}
    for move in MOVES:
        assert (Writes.CODE in move.writes) == (move.target in TERMINAL - silent)


def test_a_dry_run_sends_nothing_and_a_real_one_never_ends_as_one() -> None:
    dry = [move for move in MOVES if move.is_dry is not False]
    assert not any(Writes.SENT_AT in move.writes for move in dry)
    assert [move.is_dry for move in MOVES if move.target is State.WOULD_HAVE] == [True]


def test_only_a_second_person_approves_and_only_a_person_asks() -> None:
    assert BY_ENDS[State.AWAITING, State.APPROVED].by == (By.SECOND,)
    assert BY_ENDS[None, State.REQUESTED].by == (By.PERSON,)
    people = {By.PERSON, By.SECOND, By.ANYBODY}
    assert {move.target for move in MOVES if people & set(move.by)} == {
        *(State.REQUESTED, State.APPROVED, State.VETOED, State.REFUSED)
    }


def test_whoever_stops_cannot_stop_what_was_sent() -> None:
    assert not any(By.ANYBODY in move.by for move in MOVES if move.source in reachable([State.SENDING]) | {"sending"})


def test_a_hard_action_is_announced_and_no_other() -> None:
    for weight in Weight:
        is_hard = weight is Weight.HARD
        announced = find_move(State.RESERVED, State.ANNOUNCED, By.AGENT, weight, is_dry=False)
        straight = find_move(State.RESERVED, State.REREAD, By.AGENT, weight, is_dry=False)
        assert ((announced is not None), (straight is not None)) == (is_hard, not is_hard)


def test_every_move_has_its_kind_in_the_audit() -> None:
    assert {f"action-{state}" for state in State} <= set(KINDS)


# ---- walks ----


@given(st.data())
def test_on_every_walk_the_lock_is_taken_and_given_back_once_and_at_most_one_packet_leaves(data: st.DataObject) -> None:
    weight, is_dry = data.draw(st.sampled_from(list(Weight))), data.draw(st.booleans())
    state: State | None = None
    walked: list[Move] = []
    while state not in TERMINAL:
        there = [
            move for move in MOVES if move.source == state for by in [move.by[0]] if _may(move, by, weight, is_dry)
        ]
        assert there, f"a {weight} action cannot leave {state}"
        walked.append(data.draw(st.sampled_from(there)))
        state = walked[-1].target
    written = [each for move in walked for each in move.writes]
    assert written.count(Writes.LOCK) == written.count(Writes.UNLOCK) == written.count(Writes.BUDGET) <= 1
    assert written.count(Writes.SENT_AT) <= (0 if is_dry else 1)
    assert state not in (State.SUCCEEDED, State.UNKNOWN) or written.count(Writes.SENT_AT) == 1


def _may(move: Move, by: By, weight: Weight, is_dry: bool) -> bool:
    return find_move(move.source, move.target, by, weight, is_dry=is_dry) is not None


def test_a_move_of_another_weight_hand_or_run_is_none() -> None:
    assert find_move(State.REREAD, State.SENDING, By.RESTART, Weight.HARD, is_dry=False) is None
    assert find_move(State.REREAD, State.SENDING, By.AGENT, Weight.HARD, is_dry=True) is None
    assert find_move(State.REREAD, State.SENDING, By.AGENT, Weight.HARD, is_dry=False) is not None
    assert find_move(State.REQUESTED, State.QUEUED, By.AGENT, Weight.HARD, is_dry=False) is None
    assert find_move(State.SENT, State.SENDING, By.AGENT, Weight.SOFT, is_dry=False) is None


# ---- restarts ----


def test_a_restart_knows_what_to_do_with_every_state_that_is_no_end() -> None:
    assert set(LEFT) == set(State) - TERMINAL


def test_a_restart_makes_only_moves_that_there_are() -> None:
    for state, left in LEFT.items():
        if left.target is not state:
            assert By.RESTART in BY_ENDS[state, left.target].by


def test_a_restart_reserves_and_sends_nothing() -> None:
    for move in MOVES:
        if By.RESTART in move.by:
            assert not {Writes.BUDGET, Writes.LOCK, Writes.SENT_AT} & set(move.writes)


def test_what_was_reserved_and_not_sent_is_given_up_and_what_was_sent_is_read_back() -> None:
    assert {state for state, left in LEFT.items() if left.restart is Restart.GIVE_UP} == LOCKING - {
        *(State.SENDING, State.SENT, State.VERIFYING)
    }
    assert {state for state, left in LEFT.items() if left.restart is Restart.READ_BACK} == {
        *(State.SENDING, State.SENT, State.VERIFYING)
    }


@pytest.mark.parametrize(
    ("state", "age_s", "is_proof_good", "target"),
    [
        (State.REQUESTED, 59, True, None),
        (State.REQUESTED, 60, True, State.EXPIRED),
        (State.REQUESTED, 10, False, State.EXPIRED),
        (State.REQUESTED, -1, True, State.EXPIRED),
        (State.QUEUED, 90, True, State.EXPIRED),
        (State.AWAITING, 1799, False, None),
        (State.AWAITING, 1800, True, State.EXPIRED),
        (State.APPROVED, 61, True, State.EXPIRED),
        (State.RESERVED, 1, True, State.FAILED),
        (State.SENDING, 1, True, State.VERIFYING),
    ],
)
def test_what_a_restart_makes_of_it(state: State, age_s: float, is_proof_good: bool, target: State | None) -> None:
    left = after_restart(state, age_s, is_proof_good=is_proof_good)
    assert (left.target if left else None) == target


def test_nothing_is_taken_up_that_had_its_time_while_the_agent_ran() -> None:
    for state, wait_s in WAIT_S.items():
        assert (LEFT[state].within_s or 0) <= wait_s


@pytest.mark.parametrize(
    ("seen", "is_certain", "state"),
    [
        (True, True, State.SUCCEEDED),
        (True, False, State.SUCCEEDED),
        (False, True, State.FAILED),
        (False, False, State.UNKNOWN),
        (None, True, State.UNKNOWN),
        (None, False, State.UNKNOWN),
    ],
)
def test_what_was_not_answered_and_is_not_seen_may_have_happened(
    seen: bool | None, is_certain: bool, state: State
) -> None:
    assert end_of(seen, is_certain=is_certain) is state


def test_actions_are_of_softening_order_and_each_has_its_time() -> None:
    weights = list(Weight)
    order = [weights.index(action.weight) for action in ACTIONS]
    assert order == sorted(order)
    assert all(action.deadline_s > 0 and (action.grace_s >= 5) is (action.weight is Weight.HARD) for action in ACTIONS)
