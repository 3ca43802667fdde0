"""Sweeps on record: who asks for the same shares one, whatever the timing. On both databases."""

from __future__ import annotations

import threading

import pytest

from botd.errors import TooMany, UnknownSweep
from botd.model import SweepState, utc_now
from botd.store import Store
from botd.store.sweeps import KEPT_SWEEPS

NOW = utc_now()


def test_two_requests_for_the_same_share_one_sweep(store: Store) -> None:
    first = store.sweeps.request(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9)
    assert store.sweeps.request(["n2", "n1"], ["ping"], 0, NOW, queue_limit=9) == first
    store.sweeps.claim(NOW)
    assert store.sweeps.request(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9) == first
    store.sweeps.end(first, SweepState.DONE, [], NOW)
    assert store.sweeps.request(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9) != first


@pytest.mark.parametrize(
    ("nodes", "checks", "max_age_s"), [(["n1"], ["ping"], 0), (["n1", "n2"], ["ssh"], 0), (["n1", "n2"], ["ping"], 5)]
)
def test_requests_for_something_else_share_none(store: Store, nodes, checks, max_age_s) -> None:
    first = store.sweeps.request(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9)
    assert store.sweeps.request(nodes, checks, max_age_s, NOW, queue_limit=9) != first


def test_many_at_once_share_one_sweep(store: Store) -> None:
    found: list[int] = []

    def ask() -> None:
        found.append(store.sweeps.request(["n1"], ["ping"], 0, NOW, queue_limit=9))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1


def test_it_refuses_more_sweeps_than_may_wait(store: Store) -> None:
    store.sweeps.request(["n1"], ["ping"], 0, NOW, queue_limit=1)
    with pytest.raises(TooMany):
        store.sweeps.request(["n2"], ["ping"], 0, NOW, queue_limit=1)


def test_sweeps_are_taken_up_in_their_order(store: Store) -> None:
    ids = [store.sweeps.request([node], ["ping"], 0, NOW, queue_limit=9) for node in ("n1", "n2")]
    taken = [store.sweeps.claim(NOW), store.sweeps.claim(NOW), store.sweeps.claim(NOW)]
    assert [sweep.id if sweep else None for sweep in taken] == [*ids, None]


def test_a_sweep_that_is_done_has_done_all_its_nodes(store: Store) -> None:
    sweep = store.sweeps.start(["n1", "n2"], ["ping"], NOW)
    store.sweeps.progress(sweep.id, 1)
    assert (store.sweeps.get(sweep.id).done, store.sweeps.get(sweep.id).total) == (1, 2)
    store.sweeps.end(sweep.id, SweepState.DONE, ["squeue failed"], NOW)
    ended = store.sweeps.get(sweep.id)
    assert (ended.state, ended.done, ended.errors) == (SweepState.DONE, 2, ("squeue failed",))


def test_sweeps_of_a_dead_agent_are_cut_and_waiting_ones_still_wait(store: Store) -> None:
    running = store.sweeps.start(["n1"], ["ping"], NOW)
    waiting = store.sweeps.request(["n2"], ["ping"], 0, NOW, queue_limit=9)
    assert store.sweeps.cut(NOW) == 1
    assert store.sweeps.get(running.id).state is SweepState.CUT
    assert store.sweeps.get(waiting).state is SweepState.QUEUED


def test_an_unknown_sweep_is_said_to_be_unknown(store: Store) -> None:
    with pytest.raises(UnknownSweep, match="77"):
        store.sweeps.get(77)


def test_old_sweeps_are_forgotten(store: Store) -> None:
    old = store.sweeps.start(["n1"], ["ping"], NOW)
    store.sweeps.end(old.id, SweepState.DONE, [], NOW)
    for _ in range(KEPT_SWEEPS):
        newest = store.sweeps.start(["n1"], ["ping"], NOW)
    store.sweeps.end(newest.id, SweepState.DONE, [], NOW)
    with pytest.raises(UnknownSweep):
        store.sweeps.get(old.id)


def test_a_follower_sees_how_far_a_sweep_is_without_its_nodes(store: Store) -> None:
    sweep = store.sweeps.start(["n1", "n2", "n3"], ["ping"], NOW).id
    store.sweeps.progress(sweep, 2)
    assert store.sweeps.stage(sweep) == (SweepState.RUNNING, 2, store.pulse().revision)
    with pytest.raises(UnknownSweep, match="no sweep 999"):
        store.sweeps.stage(999)


def test_its_nodes_stay_text_and_only_who_asks_for_now_asks_for_a_full_login(store: Store) -> None:
    store.sweeps.request(["n1", "n2", "n3"], ["ping"], 0, NOW, queue_limit=9)
    store.sweeps.request(["n1"], ["ping"], 60, NOW, queue_limit=9)
    found = [store.sweeps.start(["n4", "n5"], ["ping"], NOW), store.sweeps.claim(NOW), store.sweeps.claim(NOW)]
    assert [(sweep.nodeset, sweep.fresh) for sweep in found if sweep] == [
        ("n[4-5]", False),
        ("n[1-3]", True),
        ("n1", False),
    ]
