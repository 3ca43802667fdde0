"""The whole program on the simulated cluster: real processes, real protocols, as a client sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from botd.demo import DemoCluster
from tests.program import DemoProgram, free_port, is_gone, wait_until

NODES = 48


@pytest.fixture(scope="module")
def program() -> Iterator[DemoProgram]:
    port = free_port()
    with DemoCluster(NODES, f"127.0.0.1:{port}", boot_s=0.5, slurmd_timeout_s=0.5) as cluster:
        running = DemoProgram(cluster, port)
        try:
            wait_until(running.is_well, 60)
            yield running
        finally:
            running.stop()


def state(body: Any, node: str, check: str) -> str:
    found = next(entry for entry in body["nodes"] if entry["node"] == node)
    return str(found["readings"][check]["state"])


def test_the_round_of_all_nodes_is_complete_and_mostly_well(program: DemoProgram) -> None:
    body = program.json("/api/v1/status?groups=all&max_age=0")
    assert (body["count"], body["complete"], body["problems"]) == (NODES, True, [])
    states = [reading["state"] for node in body["nodes"] for reading in node["readings"].values()]
    assert states.count("ok") > 0.8 * len(states)
    values = {node["readings"]["ssh"]["value"] for node in body["nodes"]}
    assert "up" in values
    assert len(values) > 1


def test_the_list_is_what_sinfo_says(program: DemoProgram) -> None:
    listed = program.tool("sinfo", "-h", "-R", "-N", "--format=%N").split()
    body = program.json("/api/v1/sinfo?max_age=0")
    assert [node["node"] for node in body["nodes"]] == [
        node["node"] for node in program.json("/api/v1/status")["nodes"]
    ]
    assert {node["node"] for node in body["nodes"]} == set(listed)


def test_a_drain_and_its_end_are_seen(program: DemoProgram) -> None:
    node = next(n["node"] for n in program.json("/api/v1/status?groups=all")["nodes"] if n["slurm"]["state"] == "idle")
    program.tool("scontrol", "update", f"nodename={node}", "state=drain", 'reason=it\'s "odd" | <b>')
    body = program.json("/api/v1/sinfo?max_age=0")
    assert {entry["node"]: entry["reason"] for entry in body["nodes"]}[node] == 'it\'s "odd" | <b>'
    assert node in [entry["node"] for entry in program.json("/api/v1/status?max_age=0&checks=ping")["nodes"]]
    program.tool("scontrol", "update", f"nodename={node}", "state=resume")
    assert node not in [entry["node"] for entry in program.json("/api/v1/sinfo?max_age=0")["nodes"]]


SEED = (
    "/api/v1/status?groups=sinfo&checks=ping,ssh",
    "/api/v1/status/{node}",
    "/api/v1/status/ssh?g=savio2",
    "/api/v1/status/cmd/uptime?g=savio2",
    "/api/v1/status/cmd/df/scratch?g=savio2",
    "/api/v1/status-ping?g=savio2",
    "/api/v1/status-ssh?g=savio2",
    "/api/v1/status-uptime?g=savio2",
    "/api/v1/status-ipmi-reachable?g=savio2",
    "/api/v1/status-ipmi-state?g=savio2",
    "/api/v1/df?g=savio2",
    "/api/v1/df/scratch?g=savio2",
    "/api/v1/hostinfo?h={node}",
)


@pytest.mark.parametrize("path", SEED)
def test_every_reading_route_answers_with_nodes(program: DemoProgram, path: str) -> None:
    body = program.json(path.format(node="n0000.savio2"))
    assert "n0000.savio2" in [node["node"] for node in body["nodes"]]


@pytest.mark.parametrize("path", ["/api/v1/group-list", "/api/v1/checks", "/api/v1/openapi.json", "/healthz"])
def test_every_other_route_answers(program: DemoProgram, path: str) -> None:
    assert program.json(path)


def test_the_metrics_count_the_nodes(program: DemoProgram) -> None:
    program.json("/api/v1/status?groups=all&checks=ping&max_age=600")
    _, text = program.get("/metrics")
    counts = [float(line.split()[-1]) for line in text.splitlines() if line.startswith('botd_nodes{check="ping"')]
    assert sum(counts) == NODES


def test_a_sweep_can_be_followed_to_its_end(program: DemoProgram) -> None:
    sweep = program.json("/api/v1/status?groups=savio3&checks=ssh,uptime&max_age=0&wait=0")["sweep"]
    _, text = program.get(f"/api/v1/sweeps/{sweep}/events?format=ndjson")
    events = [json.loads(line) for line in text.splitlines()]
    assert events[-1]["event"] == "end"
    assert events[-1]["done"] == events[-1]["total"] > 0
    assert program.json(f"/api/v1/sweeps/{sweep}")["state"] == "done"


def test_the_web_process_holds_no_secret(program: DemoProgram) -> None:
    for process in program.web():
        opened = {Path(file.path).name for file in process.open_files()}
        assert not any("key" in name or "password" in name for name in opened)


def test_the_same_answer_comes_on_the_command_line_without_a_server(program: DemoProgram) -> None:
    words = [
        sys.executable,
        "-m",
        "botd",
        "--log-level",
        "error",
        "sweep",
        "--config",
        str(program.cluster.config_path),
    ]
    done = subprocess.run(
        [*words, "--groups", "sinfo", "--checks", "ssh,df", "--format", "json"], capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    served = program.json("/api/v1/status?groups=sinfo&checks=ssh,df&max_age=600")
    assert body["checks"] == served["checks"]
    assert [node["node"] for node in body["nodes"]] == [node["node"] for node in served["nodes"]]
    assert [n["readings"]["ssh"]["value"] for n in body["nodes"]] == [
        n["readings"]["ssh"]["value"] for n in served["nodes"]
    ]


def test_the_command_line_draws_a_table(program: DemoProgram) -> None:
    words = [
        sys.executable,
        "-m",
        "botd",
        "--log-level",
        "error",
        "sweep",
        "--config",
        str(program.cluster.config_path),
    ]
    done = subprocess.run(
        [*words, "-g", "n[0000-0001].savio2", "-c", "ping"], capture_output=True, text=True, timeout=60
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NODE", "n0000.savio2", "n0001.savio2", "#"]
    assert done.stderr == ""


def test_an_agent_that_dies_is_started_again(program: DemoProgram) -> None:
    first = program.json("/healthz")["agent"]["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: program.is_well() and program.json("/healthz")["agent"]["pid"] != first, 60)


def test_a_taken_port_is_a_clear_message(program: DemoProgram) -> None:
    words = [sys.executable, "-m", "botd", "demo", "--nodes", "8", "--listen", program.base.removeprefix("http://")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "cannot listen on" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("send", "number"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGKILL)])
def test_whatever_ends_the_demo_everything_that_it_started_ends(send: Callable[[int, int], None], number: int) -> None:
    words = [sys.executable, "-m", "botd", "demo", "--nodes", "8", "--listen", f"127.0.0.1:{free_port()}"]
    demo = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    directory = Path(read_until(demo, "8 simulated nodes").split()[-1])
    url = read_until(demo, "botd is at").split()[3]
    wait_until(lambda: answers(url + "healthz"), 60)
    assert "since yesterday" in text_of(url)  # there is a record, older than the demo
    family = [psutil.Process(demo.pid), *psutil.Process(demo.pid).children(recursive=True)]
    assert len(family) >= 5
    send(demo.pid, number)
    demo.wait(30)
    wait_until(lambda: all(map(is_gone, family)), 30)
    wait_until(lambda: not directory.exists())


def read_until(process: subprocess.Popen[str], words: str) -> str:
    for line in process.stdout:
        if line.startswith(words):
            return line
    pytest.fail("the demo ended before it said where it is")


def text_of(url: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": "text/plain"}), timeout=60) as response:
        return response.read().decode()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False
