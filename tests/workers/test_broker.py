"""Workers in processes of their own, behind a real broker, asked by the agent's office.

A worker that is "held" has taken its order and waits for its nodes until the test lets it go on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import redis

from botd.model import Reading, State
from botd.workers.letters import ORDER
from tests.program import wait_until
from tests.workers.conftest import Cluster

A, B = ("a1", "a2", "a3", "a4"), ("b1", "b2", "b3", "b4")

Make = Callable[..., Cluster]


def states(found: dict[str, Reading]) -> dict[str, State]:
    return {node: reading.state for node, reading in found.items()}


def all_ok(*nodes: str) -> dict[str, State]:
    return dict.fromkeys(nodes, State.OK)


def begin(cluster: Cluster, *nodes: str) -> Future[tuple[dict[str, Reading], list[str]]]:
    """A sweep in a thread of its own, once every slice of it has been taken by a worker."""
    pool = ThreadPoolExecutor(1)
    swept = pool.submit(cluster.sweep, *nodes)
    pool.shutdown(wait=False)
    wait_until(lambda: cluster.office._open and all(one.worker for one in list(cluster.office._open.values())))
    return swept


def test_nodes_of_two_networks_are_read_by_the_workers_of_each(make_cluster: Make) -> None:
    cluster = make_cluster()
    cluster.work("a")
    cluster.work("b")
    found, errors = cluster.sweep(*A, *B)
    assert (states(found), errors) == (all_ok(*A, *B), [])


def test_what_a_killed_worker_had_begun_another_one_does(make_cluster: Make) -> None:
    cluster = make_cluster(silent=8)
    with cluster.held("a"):
        first = cluster.work("a")
        swept = begin(cluster, *A)
        cluster.work("a", "a2")
        first.kill()
        found, errors = swept.result()
    assert (states(found), errors) == (all_ok(*A), [])


def test_a_worker_that_is_cut_off_in_mid_sweep_costs_what_it_had_begun_and_no_more_time(make_cluster: Make) -> None:
    """SIGSTOP is a partition: the connection stays, and nothing comes."""
    cluster = make_cluster(silent=8)
    worker = cluster.work("a")
    with cluster.held("a"):
        swept = begin(cluster, *A)
        worker.send_signal(signal.SIGSTOP)
        found, errors = swept.result()
    assert states(found) == dict.fromkeys(A, State.UNKNOWN)
    assert errors[0].startswith("no worker for a since ")
    worker.send_signal(signal.SIGCONT)
    wait_until(lambda: cluster.office.there("a"))
    assert states(cluster.sweep(*A)[0]) == all_ok(*A)


def test_a_broker_that_is_killed_and_comes_back_empty_loses_nothing(make_cluster: Make) -> None:
    cluster = make_cluster()
    cluster.work("a")
    with cluster.held("a"):
        swept = begin(cluster, *A)
        cluster.broker.kill()
        wait_until(lambda: cluster.office._lost)
        cluster.broker.start()
    found, errors = swept.result()
    assert (states(found), errors) == (all_ok(*A), [])
    assert states(cluster.sweep(*A)[0]) == all_ok(*A)


def test_two_workers_of_a_network_share_a_sweep(make_cluster: Make) -> None:
    cluster = make_cluster(slice=1, parallel=2)
    with cluster.held("a"), cluster.held("a2"):
        cluster.work("a")
        cluster.work("a", "a2")
        swept = begin(cluster, *A)
        shares = [one.worker for one in cluster.office._open.values()]
    assert sorted(shares.count(worker) for worker in set(shares)) == [2, 2]
    assert states(swept.result()[0]) == all_ok(*A)


def test_a_slow_worker_delays_no_other_and_ends_at_the_deadline(make_cluster: Make) -> None:
    cluster = make_cluster()
    cluster.work("a")
    cluster.work("b")
    with cluster.held("b"):
        found, _ = cluster.sweep("a1", "b1", deadline_s=10)
    assert states(found) == {"a1": State.OK, "b1": State.UNKNOWN}
    assert found["b1"].detail.startswith("no answer")
    assert states(cluster.sweep(*B)[0]) == all_ok(*B)


def test_a_node_is_out_before_the_last_one_of_its_network(make_cluster: Make) -> None:
    cluster = make_cluster(slice=1, parallel=2)
    cluster.work("a")
    with cluster.held("a2"):
        cluster.work("a", "a2")
        early = threading.Event()
        swept = ThreadPoolExecutor(1).submit(cluster.sweep, *A, emit=lambda _: early.set())
        assert early.wait(60)
    assert states(swept.result()[0]) == all_ok(*A)


def test_an_order_that_the_agent_did_not_sign_is_not_done(make_cluster: Make) -> None:
    cluster = make_cluster()
    worker = cluster.work("a")
    asked = cluster.office._key
    try:
        cluster.office._key = type(asked).generate()
        found, _ = cluster.sweep("a1", deadline_s=5)
    finally:
        cluster.office._key = asked
    assert found["a1"].state is State.UNKNOWN
    assert f"{ORDER} refused" in (cluster.folder / "a.log").read_text()
    assert worker.poll() is None
    assert states(cluster.sweep("a1")[0]) == all_ok("a1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_when_it_is_told_to(make_cluster: Make, number: int) -> None:
    worker = make_cluster().work("a")
    worker.send_signal(number)
    assert worker.wait(60) == 0


def test_what_nobody_should_have_put_there_stops_nobody(make_cluster: Make) -> None:
    cluster = make_cluster()
    cluster.work("a")
    url = (cluster.folder / "broker").read_text().strip()
    with redis.Redis.from_url(url) as client:
        for rubbish in (b"\x80", b"{}", b'{"body": 1}'):
            client.lpush("botd.answers", rubbish)
    assert states(cluster.sweep(*A)[0]) == all_ok(*A)
