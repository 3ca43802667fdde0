"""Workers in processes of their own, behind a real broker, asked by the agent's office. `test_apart` has more of them.

A worker that is "held" has taken its order and waits for its nodes until the test lets it go on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from nacl.signing import SigningKey

from botd.model import Reading, State, utc_now
from botd.workers.letters import Order, write_order
from tests.program import wait_until
from tests.workers.conftest import Cluster

A, B = ("a1", "a2", "a3", "a4"), ("b1", "b2", "b3", "b4")


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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A worker of each network. Each test leaves them at work."""
    made = Cluster(tmp_path_factory.mktemp("cluster"), slice=1, parallel=2)
    for network in "ab":
        made.work(network)
    yield made
    made.close()


def test_a_worker_that_is_cut_off_in_mid_sweep_costs_what_it_had_begun_and_no_more_time(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP is a partition: the connection stays, and nothing comes."""
    with cluster.held("b"):
        swept = begin(cluster, *B[:2])
        cluster.workers["b"].send_signal(signal.SIGSTOP)
        monkeypatch.setattr(cluster.office, "_settings", replace(cluster.config.workers, silent=3))
        found, errors = swept.result()
    monkeypatch.undo()
    assert states(found) == dict.fromkeys(B[:2], State.UNKNOWN)
    assert errors[0].startswith("no worker for b since ")
    cluster.workers["b"].send_signal(signal.SIGCONT)
    assert states(cluster.sweep(*B)[0]) == all_ok(*B)


def test_a_slow_worker_delays_no_other_and_ends_at_the_deadline(cluster: Cluster) -> None:
    with cluster.held("b"):
        found, _ = cluster.sweep("a1", "b1", deadline_s=10)
    assert states(found) == {"a1": State.OK, "b1": State.UNKNOWN}
    assert found["b1"].detail.startswith("no answer")
    assert states(cluster.sweep(*B)[0]) == all_ok(*B)


def test_a_node_is_out_before_the_last_one_of_its_network(cluster: Cluster) -> None:
    with cluster.held("a2"):
        cluster.work("a", "a2")
        early = threading.Event()
        swept = ThreadPoolExecutor(1).submit(cluster.sweep, *A, emit=lambda _: early.set())
        assert early.wait(60)
    assert states(swept.result()[0]) == all_ok(*A)


def test_an_order_that_the_agent_did_not_sign_is_not_done(cluster: Cluster) -> None:
    order = Order("0" * 32, "a", ("a1",), ("ping",), {}, False, utc_now() + timedelta(hours=1))
    cluster.post.send("a", write_order(order, SigningKey.generate()), 60)
    wait_until(lambda: any("order refused" in log.read_text() for log in cluster.folder.glob("a*.log")))
    assert states(cluster.sweep("a1")[0]) == all_ok("a1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_when_it_is_told_to(cluster: Cluster, number: int) -> None:
    worker = cluster.work("a", "a2")
    worker.send_signal(number)
    assert worker.wait(60) == 0


def test_what_nobody_should_have_put_there_stops_nobody(cluster: Cluster) -> None:
    url = (cluster.folder / "broker").read_text().strip()
    with redis.Redis.from_url(url) as client:
        for rubbish in (b"\x80", b"{}", b'{"body": 1}'):
            client.lpush("botd.answers", rubbish)
    assert states(cluster.sweep(*A)[0]) == all_ok(*A)
