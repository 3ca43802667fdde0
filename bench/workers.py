"""What workers cost: the same nodes asked by the agent itself, and by workers behind a broker.

    python -m bench.workers [--nodes N] [--json FILE]

The nodes are those of bench/sweep.py: the demo's, one in twenty of them dead. Redis, the workers, the agent's side and
the demo have two cores together. CPU is that of the agent's side and of all workers, without the broker's. What is
found of `ssh` must be right for every node. `--nodes` measures one size only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from bench import cost, room, sweep
from bench.cost import Cost
from bench.table import Figure, Options, all_right, at_most_times, note
from botd.checks import site_checks
from botd.config import load_config
from botd.inventory.networks import networks_of
from botd.model import utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import make_plan, run_sweep
from botd.workers.broker import Post
from botd.workers.keys import signing_key
from botd.workers.letters import public_of
from botd.workers.office import Office

SIZES = ((1000, 1), (1000, 4), (10_000, 4))
"""Nodes and workers."""

PORT = 6399


def measure(options: Options) -> list[Figure]:
    """The figures of workers beside those of the agent alone."""
    figures = list[Figure]()
    for count, workers in [(options.nodes, 1)] if options.nodes else SIZES:
        note(f"{count} nodes, {workers} workers")
        figures += _measure(count, workers)
    return figures


def _measure(count: int, workers: int) -> list[Figure]:
    dead = max(1, count // sweep.DEAD_EVERY)
    name = f"{count} nodes, {workers} worker{'s' if workers > 1 else ''}"
    with sweep._running_site(count - dead, dead) as site:
        probes = Probes(site.config)
        alone, _ = sweep._sweep(site, probes)
        probes.close()
        with _broker(), _office(site.config, workers) as (office, processes):
            there, readings = _sweep(site, office, processes)
    return [
        all_right("workers", f"{name}, every answer right", int(sweep._is_right(site, readings)), 1),
        at_most_times(
            "workers", f"{name}, CPU per node", there.cpu_ms_per(count), 1.3, alone.cpu_ms_per(count), "ms", who="alone"
        ),
        Figure("workers", f"{name}, wall", there.wall_s, "s", beside=alone.wall_s),
        Figure("workers", f"{name}, peak memory of the agent's side", there.peak / 2**20, "MiB"),
    ]


def _sweep(site: sweep.Site, office: Office, workers: Sequence[psutil.Process]) -> tuple[Cost, sweep.Readings]:
    checks = site_checks(site.config)
    plan = make_plan(site.names, checks, checks, site.slurm)
    own, readings = Probes(site.config), sweep.Readings()
    before = _cpu_s(workers)

    def run() -> list[str]:
        probers = office.probers(plan, own.probers, sweep.DEADLINE_S)
        return run_sweep(plan, probers, readings.__setitem__, deadline_s=sweep.DEADLINE_S, clock=utc_now)

    made, problems = cost.of_call(run)
    own.close()
    if problems:
        raise RuntimeError(f"the sweep had problems: {problems}")
    return dataclasses.replace(made, cpu_s=made.cpu_s + _cpu_s(workers) - before), readings


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


@contextlib.contextmanager
def _broker() -> Iterator[None]:
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not installed")
    words = [program, "--port", str(PORT), "--bind", "127.0.0.1", "--save", ""]
    broker = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    yield
    broker.kill()
    broker.wait()


@contextlib.contextmanager
def _office(config: Config, count: int) -> Iterator[tuple[Office, list[psutil.Process]]]:
    """An office, and so many workers of one network that has all nodes, each with a key of its own."""
    folder = Path(config.path).parent
    base = Path(config.path).read_text().replace('command = "fping"', f'command = "{config.ping.command}"')
    (folder / "broker").write_text(f"redis://127.0.0.1:{PORT}/0")
    (folder / "broker").chmod(0o600)
    names = ["agent", *(f"worker{number}" for number in range(count))]
    keys = {name: public_of(signing_key(_write(folder, name, base, ""))) for name in names}
    network = (
        f'agent_key = "{keys["agent"]}"\n[[network]]\nname = "a"\nnodes = ["all"]\nkeys = {list(keys.values())[1:]}\n'
    )
    configs = {name: _write(folder, name, base, network) for name in names}
    post = Post(configs["agent"])
    office = Office(configs["agent"], networks_of(configs["agent"]), signing_key(configs["agent"]), post, clock=utc_now)
    post.listen(office)
    words = [sys.executable, "-m", "botd", "--log-level", "error", "worker", "--network", "a", "--config"]
    started = [subprocess.Popen([*words, configs[name].path]) for name in names[1:]]
    try:
        while len(office.there("a")) < count:
            time.sleep(0.1)
        yield office, [psutil.Process(process.pid) for process in started]
    finally:
        post.close()
        for process in started:
            process.kill()
            process.wait()


def _write(folder: Path, name: str, base: str, network: str) -> Config:
    path = folder / f"{name}.toml"
    path.write_text(f'{base}\n[workers]\nbroker_file = "broker"\nkey_file = "{name}.key"\n{network}')
    return load_config(str(path))


if __name__ == "__main__":
    sys.exit(room.main(measure, __doc__, "bench.workers"))
