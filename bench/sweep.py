"""What a whole sweep costs: every check of every node, for 100, 1,000 and 10,000 nodes.

    python -m bench.sweep [--nodes N] [--json FILE]

The nodes are the demo cluster's: ssh servers, BMCs and stand-ins for Slurm's commands in one process beside botd, with
the share of sick nodes that the demo has. One node in twenty is dead: packets to it and to its BMC vanish. ping is the
real fping. Each size begins with no connection open, and does a second sweep on those that were kept. `ssh` of every
node must be what the demo gave the node, and the dead must be found dead by ping, ssh and BMC.

The demo, which is Python as well, works about as hard as botd does and has one of the two cores: the wall times are
those of both together. `--nodes` measures one size only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import cost, room
from bench.cost import Cost
from bench.table import Figure, Options, all_right, at_most, at_most_times, note
from botd.checks import site_checks
from botd.config import load_config
from botd.demo.cluster import DemoCluster
from botd.demo.machine import Node, Sshd
from botd.demo.site import build_site
from botd.inventory.slurm import SlurmReader
from botd.model import Reading, SlurmNode, utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import make_plan, run_sweep

SIZES = (100, 1000, 10_000)
DEAD_EVERY = 20
SEED = 1
DEADLINE_S = 3600.0

LIMITS = {(1000, "first sweep, wall"): 15.0, (10_000, "peak memory"): 1024.0}
"""The most that the figures of a size should be."""

SSH_OF = {Sshd.REFUSED: "refused", Sshd.HUNG: "hung", Sshd.NO_KEY: "auth", Sshd.REINSTALLED: "host-key"}
"""What the `ssh` check must find where a node's sshd is not up."""

Readings = dict[str, Mapping[str, Reading]]


@dataclass(frozen=True)
class Site:
    """The nodes of the demo and the dead ones; `ssh` is what must be found of each."""

    config: Config
    slurm: Mapping[str, SlurmNode]
    ssh: Mapping[str, str]
    dead: Sequence[str]

    @property
    def names(self) -> tuple[str, ...]:
        """All nodes, in the order of a sweep."""
        return tuple(sorted(self.ssh))


@dataclass(frozen=True)
class Result:
    """The first sweep and a later one over so many nodes."""

    count: int
    first: Cost
    later: Cost
    right: int


def measure(options: Options) -> list[Figure]:
    """The figures of whole sweeps."""
    results = [_measure_size(count) for count in ((options.nodes,) if options.nodes else SIZES)]
    figures = [figure for result in results for figure in _figures(result)]
    by_size = {result.count: result for result in results}
    if {1000, 10_000} <= by_size.keys():
        small, large = by_size[1000], by_size[10_000]
        name, walls = "first sweep, wall, 10000 nodes beside 1000", (large.first.wall_s, small.first.wall_s)
        figures.append(at_most_times("sweep", name, walls[0], 11, walls[1], "s", who="that of 1000"))
    return figures


def _figures(result: Result) -> list[Figure]:
    count, first, later = result.count, result.first, result.later
    found = (
        ("first sweep, wall", first.wall_s, "s"),
        ("first sweep, CPU per node", first.cpu_ms_per(count), "ms"),
        ("later sweep, wall", later.wall_s, "s"),
        ("later sweep, CPU per node", later.cpu_ms_per(count), "ms"),
        ("peak memory", max(first.peak, later.peak) / 2**20, "MiB"),
    )
    return [
        all_right("sweep", f"{count} nodes, every answer right", result.right, 2),
        *(_figure(count, what, value, unit) for what, value, unit in found),
    ]


def _figure(count: int, what: str, value: float, unit: str) -> Figure:
    name, limit = f"{count} nodes, {what}", LIMITS.get((count, what))
    return at_most("sweep", name, value, limit, unit) if limit else Figure("sweep", name, value, unit)


def _measure_size(count: int) -> Result:
    dead = max(1, count // DEAD_EVERY)
    note(f"starting a cluster of {count} nodes")
    with _running_site(count - dead, dead) as site:
        probes = Probes(site.config)
        try:
            note("first sweep")
            first, first_answers = _sweep(site, probes)
            note("later sweep")
            later, later_answers = _sweep(site, probes)
        finally:
            probes.close()
    return Result(count, first, later, _is_right(site, first_answers) + _is_right(site, later_answers))


@contextlib.contextmanager
def _running_site(living: int, dead: int) -> Iterator[Site]:
    names = [f"n{number:04d}.dead" for number in range(dead)]
    with DemoCluster(living, seed=SEED) as cluster:
        config = load_config(str(cluster.config_path))
        _add_names(Path(config.nodes.hosts_file), names)
        slurm = {node.node: node for node in SlurmReader(config.slurm, resolve=Path).read()}
        ssh = {node.name: _ssh_of(node) for node in build_site(living, SEED, 0.0).nodes}
        ping = dataclasses.replace(config.ping, command=cost.program("fping") or config.ping.command)
        yield Site(dataclasses.replace(config, ping=ping), slurm, {**ssh, **dict.fromkeys(names, "timeout")}, names)


def _add_names(hosts: Path, dead: Sequence[str]) -> None:
    """Adds the dead nodes and their BMCs to the names that botd knows."""
    lines = [
        f"{room.dead(2 * at)} {name}\n{room.dead(2 * at + 1)} {name.replace('.', '-ipmi.')}\n"
        for at, name in enumerate(dead)
    ]
    with hosts.open("a") as file:
        file.writelines(lines)


def _ssh_of(node: Node) -> str:
    return SSH_OF.get(node.health.sshd, "up") if node.answers else "timeout"


def _sweep(site: Site, probes: Probes) -> tuple[Cost, Readings]:
    checks = site_checks(site.config)
    plan = make_plan(site.names, checks, checks, site.slurm)
    readings: Readings = {}

    def run() -> list[str]:
        return run_sweep(plan, probes.probers(plan), readings.__setitem__, deadline_s=DEADLINE_S, clock=utc_now)

    made, problems = cost.of_call(run)
    if problems:
        raise RuntimeError(f"the sweep had problems: {problems}")
    return made, readings


def _is_right(site: Site, readings: Readings) -> bool:
    found = {node: each["ssh"].value for node, each in readings.items()}
    silent = [readings[node] for node in site.dead]
    return found == site.ssh and all(not each["ipmi_reachable"].value and each["ping"].value is None for each in silent)


if __name__ == "__main__":
    sys.exit(room.main(measure, __doc__, "bench.sweep"))
