"""The agent, for real: processes, signals, and that a second agent spoils nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from botd.agent.loop import LIST_GAP_S, TOO_LONG, Agent
from botd.agent.sweeps import Sweeps
from botd.app import create_app
from botd.board.waiting import wait_for_sweep
from botd.config import load_config
from botd.errors import ConfigError, StoreDamaged, StoreUnavailable
from botd.model import SweepState, utc_now
from botd.store import Store
from botd.sweep import make_plan
from tests.agent.conftest import PATIENCE_S, SINFO, Lone, SilentServer, tried
from tests.conftest import need_program
from tests.program import wait_until
from tests.store.conftest import noise


def test_it_sweeps_its_groups_on_its_interval_however_many_nodes_a_request_may_name(tmp_path: Path, run_agent) -> None:
    need_program("fping")
    lone = Lone(tmp_path, interval=0.5)
    lone.path.write_text(lone.path.read_text().replace("[server]", "[server]\nmax_nodes = 2"))
    lone.config = load_config(str(lone.path))
    run_agent(lone)
    wait_until(lambda: (lone.store.sweeps.figures().by_state.get("done") or 0) >= 2)
    assert set(lone.store.readings.since(0)) == {"n1", "n2", "n3"}


def test_what_stays_wrong_in_each_sweep_is_logged_once(tmp_path: Path, run_agent, caplog) -> None:
    lone = Lone(tmp_path, interval=0.05)
    lone.path.write_text(lone.path.read_text().replace("[sweep]", '[sweep]\ngroups = ["rack9", "sinfo"]'))
    lone.config = load_config(str(lone.path))
    run_agent(lone)
    wait_until(lambda: (lone.store.sweeps.figures().by_state.get("done") or 0) >= 3)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    (told,) = (text for text in warnings if TOO_LONG not in text)  # which comes and goes on a busy machine
    assert "rack9" in told


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


def test_fifty_clients_asking_at_once_share_one_sweep(tmp_path: Path, run_agent, monkeypatch) -> None:
    waiting: list[int] = []

    def wait(store: Store, sweep: int, *more: Any) -> None:
        waiting.append(sweep)
        wait_for_sweep(store, sweep, *more)

    monkeypatch.setattr("botd.board.board.wait_for_sweep", wait)
    with ThreadPoolExecutor(50) as pool:
        with SilentServer() as server:  # so that the sweep lasts until the last of them waits
            lone = Lone(tmp_path, port=server.port)
            run_agent(lone)
            app = create_app(lone.config)
            url = f"/api/v1/status?groups=all&checks=ssh&max_age=0&wait={PATIENCE_S}"
            asked = [pool.submit(app.test_client().get, url) for _ in range(50)]
            wait_until(lambda: len(waiting) == 50)
        bodies = [each.result().get_json() for each in asked]
    assert {(body["complete"], body["count"]) for body in bodies} == {(True, 5)}
    assert len(set(waiting)) == sum(lone.store.sweeps.figures().by_state.values()) == 1


def test_a_request_is_answered_from_what_another_sweep_is_reading(tmp_path: Path, run_agent, monkeypatch) -> None:
    waiting: list[int] = []
    wait_for_others = Sweeps._wait_for_others

    def wait(sweeps: Sweeps, running: Any) -> None:
        waiting.append(running.sweep.id)
        wait_for_others(sweeps, running)

    monkeypatch.setattr(Sweeps, "_wait_for_others", wait)
    with SilentServer() as server:
        lone = Lone(tmp_path, port=server.port)
        run_agent(lone)
        client = create_app(lone.config).test_client()

        def ask(question: str) -> Any:
            return client.get(f"/api/v1/status?max_age=3600&{question}").get_json()

        first = ask("groups=all&checks=ping,ssh&wait=0")["sweep"]
        wait_until(lambda: len(server.taken) == 5)
        second = ask("groups=others&checks=ssh&wait=0")["sweep"]
        wait_until(lambda: waiting == [second])  # it would be waiting for the server itself, had it asked again
    wait_until(lambda: lone.store.sweeps.get(second).state is SweepState.DONE)
    assert first != second
    body = ask("groups=others&checks=ssh")
    assert body["complete"] is True
    assert [node["readings"]["ssh"]["value"] for node in body["nodes"]] == ["refused", "refused"]
    assert len(server.taken) == 5


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


def test_it_keeps_readings_that_cannot_be_written_and_writes_them_later(tmp_path: Path, run_agent) -> None:
    with SilentServer() as server:
        lone = Lone(tmp_path, port=server.port)
        agent = run_agent(lone)
        sweep = lone.store.sweeps.request(["n1"], ["ping", "ssh"], 0, agent._clock(), queue_limit=9)
        wait_until(lambda: server.taken)
        other = sqlite3.connect(tmp_path / "botd.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    wait_until(agent._sweeps.ended)
    other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: lone.store.sweeps.get(sweep).state is SweepState.DONE)
    assert set(lone.store.readings.since(0)) == {"n1"}


def test_a_sweep_cut_by_kill_is_marked_and_earlier_readings_stay(tmp_path: Path) -> None:
    need_program("fping")
    with SilentServer() as server:
        lone = Lone(tmp_path, port=server.port)
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
            again.wait(PATIENCE_S)


def test_it_stops_when_it_is_told_to(lone: Lone) -> None:
    lone.store.create()
    agent = lone.process()
    wait_until(lambda: lone.store.pulse().agent_beat_at)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(PATIENCE_S) == 0
    assert b"agent stopped" in agent.stderr.read()


def test_a_second_agent_says_so_and_stops(lone: Lone, run_agent) -> None:
    run_agent(lone)
    second = lone.process()
    _, told = second.communicate(timeout=PATIENCE_S)
    # The first one lives in this process, and so may the second: only another living process counts.
    assert second.returncode == 2
    assert f"process {os.getpid()}".encode() in told


def test_a_wrong_check_in_the_configuration_stops_it_at_the_start(lone: Lone) -> None:
    lone.path.write_text(lone.path.read_text().replace('["ping"]', '["pong"]'))
    agent = lone.process()
    _, told = agent.communicate(timeout=PATIENCE_S)
    assert agent.returncode == 2
    assert b'did you mean "ping"' in told


def test_a_secret_that_cannot_be_read_stops_it_at_the_start(lone: Lone) -> None:
    lone.path.write_text(lone.path.read_text().replace("[bmc]", '[bmc]\npassword_file = "missing"'))
    with pytest.raises(ConfigError, match="missing"):
        Agent(load_config(str(lone.path)))


def test_however_often_the_node_list_is_wanted_anew_slurm_has_its_pause(
    lone: Lone, run_agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by somebody who presses again and again on evidence that is not so any more."""
    agent, readings = run_agent(lone), list[tuple[float, float]]()
    refresh = agent._list.refresh

    def noted() -> None:
        began_s = time.monotonic()
        refresh()
        readings.append((began_s, time.monotonic()))

    def wanted() -> bool:
        agent._list_due.set()
        return len(readings) > 2

    monkeypatch.setattr(agent._list, "refresh", noted)
    wait_until(wanted)
    assert all(later[0] - earlier[1] >= 0.9 * LIST_GAP_S for earlier, later in pairwise(readings))


def test_slurm_is_asked_at_most_once_in_the_least_age(lone: Lone) -> None:
    times = [utc_now()]
    sweep = replace(lone.config.sweep, least_age=5)
    agent = Agent(replace(lone.config, sweep=sweep), clock=lambda: times[-1])
    asked = []
    for later_s in (0, 0, 4, 0, 2, 3, -3600):  # the last: somebody set the clock back
        times.append(times[-1] + timedelta(seconds=later_s))
        lone.store.want_node_list(times[-1] + timedelta(milliseconds=len(times)))
        asked.append(agent._list_wanted())
        if asked[-1]:
            agent._list.refresh()
    assert asked == [True, False, False, False, True, False, True]
    assert not agent._list_wanted()


def test_of_agents_that_start_together_one_works_and_the_others_say_so(tmp_path: Path) -> None:
    need_program("fping")
    lone = Lone(tmp_path)
    agents = [lone.process() for _ in range(3)]
    try:
        wait_until(lambda: sum(agent.poll() is not None for agent in agents) == 2, 60)
        ended = [agent for agent in agents if agent.poll() is not None]
        for agent in ended:
            assert b"an agent is running already" in agent.stderr.read()
            assert agent.returncode == 2
        wait_until(lambda: lone.store.pulse().list_tried_at)
    finally:
        for agent in agents:
            agent.terminate()
            agent.wait(PATIENCE_S)


def test_an_agent_whose_database_was_taken_stops(lone: Lone) -> None:
    agent = lone.process()
    try:
        wait_until(lambda: tried(lone, None), 30)

        def has_stopped_for_the_other() -> bool:
            lone.store.claim(1, "elsewhere", utc_now(), lambda _: True)
            return agent.poll() is not None

        wait_until(has_stopped_for_the_other)
        assert agent.returncode == 2
        assert b"another agent works on this database now" in agent.stderr.read()
    finally:
        agent.kill()
        agent.wait(PATIENCE_S)


def test_a_damaged_database_is_kept_aside_at_the_start(lone: Lone, tmp_path: Path) -> None:
    lone.store.create()
    lone.store.readings.write({f"n{i}": noise(3000) for i in range(100)}, utc_now())
    lone.store.close()
    path = tmp_path / "botd.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50_000] = b"\xff" * 50_000
    path.write_bytes(data)
    agent = lone.process()
    try:
        wait_until(lambda: tried(lone, None), 30)
        assert "is kept as botd.db.damaged-" in (lone.store.pulse().note or "")
        assert len([kept for kept in tmp_path.glob("botd.db.damaged-*") if kept.suffix != "-wal"]) >= 1
    finally:
        agent.terminate()
        agent.wait(PATIENCE_S)
    assert b"is kept as botd.db.damaged-" in agent.stderr.read()


def remove(path: Path) -> None:
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink()


def remove_main_file(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    with sqlite3.connect(path) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        for (table,) in tables.fetchall():
            database.execute(f"DROP TABLE {table}")
    database.close()


@pytest.mark.parametrize("lose", [remove, remove_main_file, empty])
def test_a_database_that_is_removed_or_emptied_comes_back_by_itself(
    lone: Lone, run_agent, lose: Callable[[Path], None]
) -> None:
    run_agent(lone)
    client = create_app(lone.config).test_client()
    assert client.get("/api/v1/status?groups=all&checks=ping&max_age=0").get_json()["complete"] is True
    lose(lone.path.parent / "botd.db")

    def note() -> str | None:
        try:
            return lone.store.pulse().note
        except StoreUnavailable:
            return None

    def is_back() -> bool:
        body = client.get("/api/v1/status?groups=all&checks=ping").get_json()
        return body.get("complete") is True and body["count"] == 5

    assert "removed or emptied" in wait_until(note, 60)
    wait_until(is_back, 60)
    assert client.get("/api/v1/status?groups=all&checks=ping&max_age=0").get_json()["complete"] is True


def test_readings_that_are_damaged_while_it_runs_are_written_anew_from_memory(
    lone: Lone, run_agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botd.agent.loop.MEND_S", 0.1)
    run_agent(lone)
    client = create_app(lone.config).test_client()
    assert client.get("/api/v1/status?groups=all&checks=ping&max_age=0").get_json()["complete"] is True
    before = lone.store.readings.since(0)
    with lone.store._db.write() as db:
        db.exec_driver_sql("UPDATE latest SET readings = x'00'")

    def is_mended() -> bool:
        try:
            return lone.store.readings.since(0) == before
        except StoreDamaged:
            return False

    wait_until(is_mended)
