"""The agent, for real: fping on loopback, group files, a saved sinfo list, SQLite, processes and signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from botd.agent.loop import Agent
from botd.app import create_app
from botd.config import load_config
from botd.errors import ConfigError
from botd.model import SweepState
from botd.store import Store
from botd.sweep import make_plan
from tests.conftest import need_program
from tests.program import wait_until

SINFO = """NODELIST STATE TIMESTAMP USER REASON
n[1-3] drain 2026-11-23T20:16:37 root bad GPU 3, RMA open
"""
CONFIG = """
[slurm]
sinfo_file = "sinfo.txt"
squeue = "./squeue"
sacct = ""
refresh = {refresh}
[sweep]
interval = {interval}
checks = ["ping"]
deadline = 20
[groups]
directories = ["groups"]
[nodes]
hosts_file = "hosts"
[ssh]
port = {port}
known_hosts = "/dev/null"
connect_timeout = 3
[bmc]
port = 1
timeout = 0.3
"""


class Lone:
    """A folder with everything that an agent of five loopback nodes needs."""

    def __init__(self, folder: Path, *, interval: float = 0, port: int = 1, refresh: float = 3600) -> None:
        self.path = folder / "botd.toml"
        self.path.write_text(CONFIG.format(interval=interval, port=port, refresh=refresh))
        (folder / "sinfo.txt").write_text(SINFO)
        (folder / "hosts").write_text("".join(f"127.0.9.{i} n{i}\n" for i in range(1, 6)))
        (folder / "groups").mkdir()
        (folder / "groups" / "others").write_text("n[4-5]\n")
        self.config = load_config(str(self.path))
        self.store = Store(self.config)

    def process(self) -> subprocess.Popen[bytes]:
        """The agent as a process of its own."""
        words = [sys.executable, "-m", "botd", "agent", "--config", str(self.path)]
        return subprocess.Popen(words, stderr=subprocess.PIPE)


@pytest.fixture
def lone(tmp_path: Path) -> Lone:
    need_program("fping")
    return Lone(tmp_path)


@pytest.fixture
def run_agent() -> Iterator[Callable[[Lone], Agent]]:
    """Runs agents in threads of this process until the test is over."""
    stop, threads = threading.Event(), []

    def run(lone: Lone) -> Agent:
        agent = Agent(lone.config)
        threads.append(threading.Thread(target=agent.run, args=(stop,)))
        threads[-1].start()
        wait_until(lambda: lone.store.pulse().list_tried_at)
        return agent

    yield run
    stop.set()
    for thread in threads:
        thread.join(20)


def test_it_sweeps_its_groups_on_its_interval(tmp_path: Path, run_agent) -> None:
    need_program("fping")
    lone = Lone(tmp_path, interval=0.5)
    run_agent(lone)
    wait_until(lambda: (lone.store.sweeps.figures().by_state.get("done") or 0) >= 2)
    assert set(lone.store.readings.since(0)) == {"n1", "n2", "n3"}


def test_only_who_asks_for_readings_of_now_costs_a_full_login(tmp_path: Path, run_agent, monkeypatch) -> None:
    need_program("fping")
    fresh: list[bool] = []

    def note(*args: Any, **options: Any) -> Any:
        fresh.append(options["fresh"])
        return make_plan(*args, **options)

    monkeypatch.setattr("botd.agent.sweeps.make_plan", note)
    lone = Lone(tmp_path, interval=3600)
    run_agent(lone)
    wait_until(lambda: fresh)
    client = create_app(lone.config).test_client()
    client.get("/api/v1/status?groups=others&checks=ping&max_age=60")
    client.get("/api/v1/status?groups=others&checks=ping&max_age=0")
    assert fresh == [False, False, True]


def test_it_reads_what_a_client_asks_for(lone: Lone, run_agent) -> None:
    run_agent(lone)
    client = create_app(lone.config).test_client()
    body = client.get("/api/v1/status?groups=others&checks=ping&max_age=0").get_json()
    assert body["complete"] is True
    assert [node["readings"]["ping"]["state"] for node in body["nodes"]] == ["ok", "ok"]
    assert all(node["readings"]["ping"]["value"] > 0 for node in body["nodes"])
    assert lone.store.sweeps.get(body["sweep"]).state is SweepState.DONE


def test_fifty_clients_asking_at_once_share_one_sweep(tmp_path: Path, run_agent) -> None:
    need_program("fping")
    with silent_server() as port:  # so that the sweep lasts until the last of them has asked
        lone = Lone(tmp_path, port=port)
        run_agent(lone)
        app = create_app(lone.config)

        def ask(_: int) -> Any:
            return app.test_client().get("/api/v1/status?groups=all&checks=ssh&max_age=0").get_json()

        with ThreadPoolExecutor(50) as pool:
            bodies = list(pool.map(ask, range(50)))
    assert {body["complete"] for body in bodies} == {True}
    assert {body["count"] for body in bodies} == {5}
    assert sum(lone.store.sweeps.figures().by_state.values()) == 1


def test_a_request_is_answered_from_what_another_sweep_is_reading(tmp_path: Path, run_agent) -> None:
    need_program("fping")
    with silent_server() as port:
        lone = Lone(tmp_path, port=port)
        run_agent(lone)
        client = create_app(lone.config).test_client()
        first = client.get("/api/v1/status?groups=all&checks=ping,ssh&max_age=60&wait=0").get_json()["sweep"]
        wait_until(lambda: lone.store.sweeps.get(first).state is SweepState.RUNNING)
        body = client.get("/api/v1/status?groups=others&checks=ssh&max_age=60").get_json()
    assert body["complete"] is True
    assert body["sweep"] != first
    before = lone.store.sweeps.get(first)
    assert body["nodes"][0]["readings"]["ssh"]["value"] == "hung"
    # Had it asked again, it would have waited for the silent server once more after the first sweep.
    assert (lone.store.sweeps.get(body["sweep"]).ended_at - before.ended_at).total_seconds() < 2


def test_it_refreshes_the_node_list_when_a_client_wants_a_younger_one(lone: Lone, run_agent) -> None:
    run_agent(lone)
    client = create_app(lone.config).test_client()
    assert client.get("/api/v1/sinfo").get_json()["count"] == 3
    (lone.path.parent / "sinfo.txt").write_text(SINFO.replace("[1-3]", "[1-2]"))
    assert client.get("/api/v1/sinfo?max_age=0").get_json()["count"] == 2


def test_a_failing_squeue_costs_its_own_cells_and_no_others(lone: Lone, run_agent) -> None:
    run_agent(lone)
    client = create_app(lone.config).test_client()
    node = client.get("/api/v1/status?nodes=n1&checks=ping,jobs&max_age=0").get_json()["nodes"][0]
    assert node["readings"]["ping"]["state"] == "ok"
    assert node["readings"]["jobs"]["state"] == "unknown"
    assert "squeue" in node["readings"]["jobs"]["detail"]


def test_it_keeps_readings_that_cannot_be_written_and_writes_them_later(lone: Lone, run_agent) -> None:
    import sqlite3

    agent = run_agent(lone)
    other = sqlite3.connect(lone.path.parent / "botd.db", isolation_level=None)
    sweep = lone.store.sweeps.request(["n1"], ["ping"], 0, agent._clock(), queue_limit=9)
    wait_until(lambda: lone.store.sweeps.get(sweep).state is SweepState.RUNNING)
    other.execute("BEGIN IMMEDIATE")
    wait_until(agent._sweeps.ended)
    other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: lone.store.sweeps.get(sweep).state is SweepState.DONE)
    assert set(lone.store.readings.since(0)) == {"n1"}


def test_a_sweep_cut_by_kill_is_marked_and_earlier_readings_stay(tmp_path: Path) -> None:
    need_program("fping")
    with silent_server() as port:
        lone = Lone(tmp_path, port=port)
        lone.store.create()
        agent = lone.process()
        try:
            wait_until(lambda: lone.store.pulse().list_tried_at)
            client = create_app(lone.config).test_client()
            assert client.get("/api/v1/status?groups=all&checks=ping&max_age=0").get_json()["complete"] is True
            before = lone.store.readings.since(0)
            cut = client.get("/api/v1/status?groups=all&checks=ssh&max_age=0&wait=0").get_json()["sweep"]
            wait_until(lambda: lone.store.sweeps.get(cut).state is SweepState.RUNNING)
        finally:
            agent.kill()
            agent.wait()
        again = lone.process()
        try:
            wait_until(lambda: lone.store.sweeps.get(cut).state is SweepState.CUT)
            assert lone.store.readings.since(0) == before
            assert client.get("/api/v1/status?nodes=n1&checks=ping").get_json()["complete"] is True
        finally:
            again.terminate()
            again.wait(20)


def test_it_stops_when_it_is_told_to(lone: Lone) -> None:
    lone.store.create()
    agent = lone.process()
    wait_until(lambda: lone.store.pulse().agent_beat_at)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(20) == 0
    assert b"agent stopped" in agent.stderr.read()


def test_a_second_agent_says_so_and_stops(lone: Lone, run_agent) -> None:
    run_agent(lone)
    second = lone.process()
    _, told = second.communicate(timeout=20)
    # The first one lives in this process, and so may the second: only another living process counts.
    assert second.returncode == 2
    assert f"process {os.getpid()}".encode() in told


def test_a_wrong_check_in_the_configuration_stops_it_at_the_start(lone: Lone) -> None:
    lone.path.write_text(lone.path.read_text().replace('["ping"]', '["pong"]'))
    agent = lone.process()
    _, told = agent.communicate(timeout=20)
    assert agent.returncode == 2
    assert b'did you mean "ping"' in told


def test_a_secret_that_cannot_be_read_stops_it_at_the_start(lone: Lone) -> None:
    lone.path.write_text(lone.path.read_text().replace("[bmc]", '[bmc]\npassword_file = "missing"'))
    with pytest.raises(ConfigError, match="missing"):
        Agent(load_config(str(lone.path)))


class silent_server:
    """Accepts ssh connections on every loopback address and says nothing."""

    def __enter__(self) -> int:
        self._socket = socket.socket()
        self._socket.bind(("0.0.0.0", 0))
        self._socket.listen(64)
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._socket.close()
