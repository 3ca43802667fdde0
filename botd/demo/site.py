"""Builds the simulated site: nodes in their groups, the sick ones among them, running jobs and ended ones.

The same count, seed and time give the same site.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from botd.demo.machine import DemoJob, Node, Standing
from botd.demo.scenarios import JOB_NAMES, KINDS, QUIET, SHARED_PARTITION, USERS, Kind, Scenario, sick_scenarios

HOUR = 3600.0
BUSY_SHARE = 0.6
"""Which part of the sound nodes runs jobs."""

RACK = 40
"""Nodes in one rack."""

OLDEST_RUNNING_H = 11.0
"""Running jobs are younger than this, and the jobs before them older."""

USUAL_ENDS = ("COMPLETED",) * 9 + ("FAILED", "TIMEOUT")

FIRST_JOB = 44_000


@dataclass(frozen=True, slots=True)
class Site:
    """All nodes, in the order of Slurm's configuration, and all jobs."""

    nodes: list[Node]
    jobs: list[DemoJob]


def build_site(count: int, seed: int, now: float) -> Site:
    """A site of this many nodes; of the usual 320, 31 are down, drained or draining."""
    rng = random.Random(seed)
    nodes = [_sound_node(kind, number, index, rng, now) for index, (kind, number) in enumerate(_places(count))]
    free = list(range(count))
    rng.shuffle(free)
    sick = {_take(free, nodes, scenario.group): scenario for scenario in sick_scenarios(count)}
    for index, scenario in sick.items():
        nodes[index] = _afflict(nodes[index], scenario, now)
    for health in QUIET if len(free) > 4 * len(QUIET) else ():
        index = free.pop()
        nodes[index] = replace(nodes[index], health=health)
    return Site(nodes, [*_running_jobs(nodes, sick, rng, now), *_ended_jobs(nodes, sick, rng, now)])


def racks(nodes: list[Node]) -> dict[str, list[str]]:
    """Rack names and the nodes in each, as the site's pdsh groups have them."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        found.setdefault(f"rack-{node.index // RACK + 1:02d}", []).append(node.name)
    return found


def _places(count: int) -> Iterator[tuple[Kind, int]]:
    """For each node its kind and its number in the group."""
    sizes = [int(kind.share * count) for kind in KINDS]
    sizes[0] += count - sum(sizes)
    for kind, size in zip(KINDS, sizes, strict=True):
        for number in range(size):
            yield kind, number


def _sound_node(kind: Kind, number: int, index: int, rng: random.Random, now: float) -> Node:
    shared = (SHARED_PARTITION,) if kind is KINDS[0] and number < 20 else ()
    return Node(
        name=f"n{number:04d}.{kind.name}",
        index=index,
        cores=kind.cores,
        memory_mb=kind.memory_mb,
        partitions=(kind.name, *shared),
        features=kind.features,
        gres=kind.gres,
        booted_at=now - rng.uniform(3 * 24, 90 * 24) * HOUR,
    )


def _take(free: list[int], nodes: list[Node], group: str) -> int:
    """The next free node of the group, or of any group where it has none left."""
    place = next((i for i, index in enumerate(free) if group in ("", nodes[index].partitions[0])), 0)
    return free.pop(place)


def _afflict(node: Node, scenario: Scenario, now: float) -> Node:
    since = now - scenario.since_h * HOUR
    standing = Standing(
        down=scenario.state.startswith("down"),
        drain=scenario.state.startswith("drain"),
        responding=scenario.health.powered and scenario.state != "down*",
        reason=scenario.reason,
        reason_by=scenario.by,
        reason_at=since,
    )
    booted_at = node.booted_at if scenario.up_h is None else now - scenario.up_h * HOUR
    up = scenario.health.powered
    return replace(node, up=up, booted_at=booted_at, health=scenario.health, standing=standing)


def _running_jobs(nodes: list[Node], sick: dict[int, Scenario], rng: random.Random, now: float) -> list[DemoJob]:
    """One on each draining node, and jobs of one to eight nodes on most of the sound ones."""
    draining = [(nodes[index],) for index, scenario in sick.items() if scenario.state == "draining"]
    taken = [*draining, *_busy_nodes([node for node in nodes if node.index not in sick], rng)]
    return [_running_job(each, FIRST_JOB + len(nodes) + i, rng, now) for i, each in enumerate(taken)]


def _busy_nodes(sound: list[Node], rng: random.Random) -> Iterator[tuple[Node, ...]]:
    for kind in KINDS:
        members = [node for node in sound if node.partitions[0] == kind.name]
        busy = members[: int(len(members) * BUSY_SHARE)]
        while busy:
            size = min(len(busy), rng.choice((1, 1, 1, 2, 4, 8)))
            yield tuple(busy[:size])
            busy = busy[size:]


def _ended_jobs(nodes: list[Node], sick: dict[int, Scenario], rng: random.Random, now: float) -> list[DemoJob]:
    """For each node the job before."""
    jobs = []
    for node in nodes:
        scenario = sick.get(node.index)
        state = scenario.last_job if scenario else rng.choice(USUAL_ENDS)
        hours_ago = rng.uniform(OLDEST_RUNNING_H, 22)
        if scenario and scenario.state != "draining":
            hours_ago = min(scenario.since_h, hours_ago)
        jobs.append(_ended_job(node, state, rng, now - hours_ago * HOUR))
    return jobs


def _running_job(nodes: tuple[Node, ...], job_id: int, rng: random.Random, now: float) -> DemoJob:
    whole = len(nodes) > 1 or rng.random() < 0.7
    cores = nodes[0].cores if whole else max(1, nodes[0].cores // 4)
    started = now - rng.uniform(0.1, OLDEST_RUNNING_H) * HOUR
    names = tuple(node.name for node in nodes)
    user = rng.choice([user for user in USERS if user not in nodes[0].health.left_over])
    return DemoJob(job_id, user, rng.choice(JOB_NAMES), nodes[0].partitions[0], names, cores, started)


def _ended_job(node: Node, state: str, rng: random.Random, ended_at: float) -> DemoJob:
    code = {"FAILED": "1:0", "NODE_FAIL": "1:0", "COMPLETED": "0:0"}.get(state, "0:15")
    started_at = ended_at - rng.uniform(0.1, 12) * HOUR
    user, name = rng.choice(USERS), rng.choice(JOB_NAMES)
    job_id = FIRST_JOB + node.index
    return DemoJob(job_id, user, name, node.partitions[0], (node.name,), node.cores, started_at, state, ended_at, code)
