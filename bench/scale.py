"""What a cluster of 100,000 nodes costs: the real agent, store and page, with probers that only hand on answers.

    python -m bench.scale [--nodes N] [--json FILE]

The answers are those of the demo's nodes, recorded in one sweep of it and given again for every node of the cluster,
at most 1,000 nodes in a second. One node in a hundred is out of service in Slurm's list and ill, and about one in five
has a finding and so a row in the round. The agent is a process of its own with an SQLite file, as under `botd agent`;
the round is that of a web process, from the request to its bytes, each time after a reading changed, counted in CPU.

The agent's CPU is that of its first sweep of all nodes. The first row is there when the web part tells a reading of the
first node that answered, counted from the start of the sweep.
"""

from __future__ import annotations

import json
import multiprocessing
import pickle
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil
from flask.testing import FlaskClient

from bench import cost, room, web
from bench.table import Figure, Options, at_most, at_most_times, note
from botd.agent.loop import Agent
from botd.answers import Deliver, Delivery
from botd.app import create_app
from botd.board.board import RECHECK_S
from botd.checks import site_checks
from botd.config import load_config
from botd.demo.cluster import DemoCluster
from botd.inventory.slurm import SlurmReader
from botd.model import Reading, State, utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.store import Store
from botd.sweep import Plan, Prober, make_plan, run_sweep
from tests.program import wait_until

SIZES = (10_000, 30_000, 100_000)

RECORDED = 40
"""Nodes of the demo whose answers are given again."""

OUT_EVERY = 100
A_SECOND = 1000
TURNS = 3
PATIENCE_S = 900.0

SETTINGS = """\
[server]
max_nodes = 200000
[sweep]
interval = 86400
groups = ["all"]
deadline = 900
[slurm]
sinfo = "{folder}/sinfo"
squeue = "false"
scontrol = "false"
sacct = ""
[groups]
directories = []
"""

Answers = dict[str, list[Delivery]]
"""What each node of the demo has answered, and under "" one that is ill."""

ROUNDS = (("/", {"Accept": "text/html", "User-Agent": "Mozilla/5.0"}), ("/api/v1/round", {}))
"""The round as a page and as JSON: path and headers."""


def measure(options: Options) -> list[Figure]:
    """The figures of each size, and the largest beside the smallest."""
    recorded = _record()
    cpu, figures = dict[int, float](), list[Figure]()
    for count in (options.nodes,) if options.nodes else SIZES:
        note(f"{count} nodes")
        cpu[count], found = _measure(count, recorded)
        figures += found
    if len(cpu) > 1:
        small, large = min(cpu), max(cpu)
        name = f"CPU per node, {large} nodes beside {small}"
        figures.append(at_most_times("scale", name, cpu[large], 1.2, cpu[small], "ms", who=f"that of {small}"))
    return figures


def _measure(count: int, recorded: Answers) -> tuple[float, list[Figure]]:
    with _site(count, recorded) as config:
        store = Store(config)
        store.create()
        client = create_app(config).test_client()
        with _agent(config) as agent:
            wait_until(lambda: store.sweeps.running(), PATIENCE_S)
            began_s, before_s = time.monotonic(), _cpu_s(agent)
            wait_until(lambda: store.readings.nodes_since(0), PATIENCE_S)
            first = min(store.readings.nodes_since(0))
            wait_until(lambda: b'"ok"' in client.get(f"/api/v1/status/{first}?wait=0").data, PATIENCE_S)
            first_s = time.monotonic() - began_s
            wait_until(lambda: store.sweeps.get(1).is_over, PATIENCE_S)
            if (total := store.sweeps.get(1).total) != count:
                raise RuntimeError(f"the sweep was of {total} nodes")
            cpu_ms, peak = (_cpu_s(agent) - before_s) * 1000 / count, _peak(agent.pid)
        start_s, held = _round_s(client, *ROUNDS[0]), cost.rss()
        rounds = _rounds(store, client)
        size = sum(path.stat().st_size for path in Path(config.path).parent.glob("botd.db*"))
        store.close()
    figures = [
        ("agent's CPU per node", cpu_ms, "ms"),
        ("agent's peak memory", peak / 2**20, "MiB"),
        ("memory of a web process", held / 2**20, "MiB"),
        ("first row", first_s, "s"),
        ("database", size / 2**20, "MiB"),
        ("first round of a web process, CPU", start_s, "s"),
    ]
    return cpu_ms, [
        *(Figure("scale", f"{count} nodes, {what}", value, unit) for what, value, unit in figures),
        at_most("scale", f"{count} nodes, round as page, CPU", median(page for page, _ in rounds), 2, "s"),
        at_most("scale", f"{count} nodes, round as JSON, CPU", median(text for _, text in rounds), 2, "s"),
    ]


def _rounds(store: Store, client: FlaskClient) -> list[tuple[float, float]]:
    """The CPU of the round as a browser gets it and as JSON, each after a reading has changed."""
    readings = store.readings.since(0)[web.node_name(0)]

    def change(turn: int) -> None:
        ping = {**readings["ping"], "detail": f"turn {turn}"}
        store.readings.write({web.node_name(0): {**readings, "ping": ping}}, utc_now())
        time.sleep(2 * RECHECK_S)  # the web part looks for what is new so often

    made = list[tuple[float, float]]()
    for turn in range(TURNS):
        change(2 * turn)
        page_s = _round_s(client, *ROUNDS[0])
        change(2 * turn + 1)
        made.append((page_s, _round_s(client, *ROUNDS[1])))
    return made


def _round_s(client: FlaskClient, path: str, headers: dict[str, str]) -> float:
    """The CPU of a round, which must be right."""
    before_s = time.process_time()
    answer = client.get(path, headers=headers)
    took_s = time.process_time() - before_s
    if answer.status_code != 200 or web.node_name(0).encode() not in answer.data:
        raise RuntimeError(f"the round was wrong: {answer.status_code}")
    return took_s


def _cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _peak(pid: int) -> int:
    match = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


# ---- the cluster ----


def _record() -> Answers:
    """What the nodes of a demo answer: those that are well, and one that is not."""
    with DemoCluster(RECORDED) as cluster:
        config = load_config(str(cluster.config_path))
        slurm = {node.node: node for node in SlurmReader(config.slurm, resolve=Path).read()}
        checks, probes, heard = site_checks(config), Probes(config), Answers()
        readings: dict[str, Mapping[str, Reading]] = {}
        plan = make_plan(tuple(slurm), checks, checks, slurm)
        probers = [replace(prober, run=partial(_heard, prober.run, heard)) for prober in probes.probers(plan)]
        run_sweep(plan, probers, readings.__setitem__, deadline_s=60, clock=utc_now)
        probes.close()
    well = [node for node, each in readings.items() if all(one.state is State.OK for one in each.values())]
    ill = next(node for node, each in readings.items() if each["ssh"].state is not State.OK)
    return {**{node: heard[node] for node in well}, "": heard[ill]}


def _heard(run: Callable[[Deliver], None], heard: Answers, deliver: Deliver) -> None:
    def take(delivery: Delivery) -> None:
        heard.setdefault(delivery.node, []).append(delivery)
        deliver(delivery)

    run(take)


@contextmanager
def _site(count: int, recorded: Answers) -> Iterator[Config]:
    """The folder of an agent with so many nodes."""
    with TemporaryDirectory(prefix="botd-bench-") as name:
        folder = Path(name)
        (folder / "nodes.json").write_text(json.dumps({"nodes": list(map(_listed, range(count)))}))
        (folder / "sinfo").write_text(f"#!/bin/sh\nexec cat {folder}/nodes.json\n")
        (folder / "sinfo").chmod(0o755)
        (folder / "answers").write_bytes(pickle.dumps(recorded))
        (folder / "botd.toml").write_text(SETTINGS.format(folder=folder))
        yield load_config(str(folder / "botd.toml"))


def _listed(number: int) -> dict[str, object]:
    """A node as `sinfo --json` of Slurm 22.05 lists it."""
    out = {"state_flags": ["DRAIN"], "reason": "Kill task failed", "reason_set_by_user": "root"}
    node = {"name": web.node_name(number), "state": "idle", "partitions": ["big"], "real_memory": 65536, "cpus": 24}
    return {**node, **out} if number % OUT_EVERY == 0 else node


# ---- the agent ----


@contextmanager
def _agent(config: Config) -> Iterator[psutil.Process]:
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    child = context.Process(target=_work, args=(config.path, over))
    child.start()
    try:
        yield psutil.Process(child.pid)
    finally:
        over.set()
        child.join(30)
        child.kill()


def _work(path: str, over: Event) -> None:
    agent = Agent(load_config(path))
    agent._sweeps._asking = _Stub(pickle.loads((Path(path).parent / "answers").read_bytes()))  # type: ignore[assignment]
    agent.run(over)  # type: ignore[arg-type]


class _Stub:
    """In place of ssh, ping and BMC: gives out what was recorded, at its own pace."""

    def __init__(self, recorded: Answers) -> None:
        self._ill = recorded.pop("")
        self._well = list(recorded.values())

    def probers(self, plan: Plan, deadline_s: float) -> list[Prober]:
        """One for all."""
        return [Prober("recorded", frozenset(plan.sources), partial(self._give, plan.nodes))]

    def close(self) -> None:
        """Nothing is open."""

    def _give(self, nodes: Sequence[str], deliver: Deliver) -> None:
        began_s = time.monotonic()
        for number, node in enumerate(nodes):
            for delivery in self._ill if number % OUT_EVERY == 0 else self._well[number % len(self._well)]:
                deliver(replace(delivery, node=node))
            if number % 100 == 99:
                time.sleep(max(0.0, began_s + number / A_SECOND - time.monotonic()))


if __name__ == "__main__":
    sys.exit(room.main(measure, __doc__, "bench.scale"))
