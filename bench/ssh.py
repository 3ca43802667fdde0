"""What logging in to every node costs: botd's ssh round beside `clush` and `pdsh` on the same nodes.

    python -m bench.ssh [--nodes N] [--json FILE]

1,000 addresses of loopback, all answered by one OpenSSH server. botd runs every remote check it has, in one command
per node; clush and pdsh run one `uptime`, 64 at once as botd does: once as they are shipped, which here means OpenSSH's
post-quantum key exchange, once with curve25519, which botd uses. botd is measured twice: with no connection open, and
on the connections that it kept. CPU is the client's alone, clush's and pdsh's ssh processes included. Server and
client share the machine, so wall times say more of sshd than of its clients.

Then the connections are left alone for five seconds, and at last one node in ten is dead: packets to it vanish.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

from bench import cost, room
from bench.cost import Cost
from bench.nodes import Nodes, running_nodes
from bench.table import Figure, Options, all_right, at_most, at_most_times, note
from botd.answers import Source
from botd.checks import Checks, site_checks
from botd.model import Reading, State, utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import make_plan, run_sweep

NODES = 1000
IDLE_S = 5.0
DEAD_SHARE = 0.1
PARALLEL = "64"

SHIPPED: tuple[str, ...] = ()
CURVE25519 = ("KexAlgorithms=curve25519-sha256",)

Readings = dict[str, Mapping[str, Reading]]


class Sweeper:
    """botd's own sweep of remote checks, from the process that keeps the connections."""

    def __init__(self, config: Config) -> None:
        self.probes = Probes(config)
        self._config = config
        self._checks: Checks = site_checks(config)
        self._names = [name for name, check in self._checks.items() if check.source is Source.COMMAND]

    def sweep(self, nodes: Sequence[str], *, fresh: bool = False) -> tuple[Cost, Readings]:
        """What one sweep costs, and its readings."""
        plan = make_plan(nodes, self._checks, self._names, fresh=fresh)
        readings: Readings = {}
        made, _ = cost.of_call(
            lambda: run_sweep(plan, self.probes.probers(plan), readings.__setitem__, deadline_s=3600, clock=utc_now)
        )
        return made, readings


def measure(options: Options) -> list[Figure]:
    """The figures of the ssh round."""
    count = options.nodes or NODES
    with running_nodes([room.live(number) for number in range(count)]) as nodes:
        return [*_beside_others(nodes), *_with_dead_nodes(nodes)]


def _beside_others(nodes: Nodes) -> list[Figure]:
    count = len(nodes.addresses)
    sweeper = Sweeper(nodes.config)
    try:
        before = cost.rss()
        note(f"botd: first sweep of {count} nodes")
        first, first_answers = sweeper.sweep(nodes.addresses)
        kept_kb = (cost.rss() - before) / count / 1000
        note("botd: later sweeps")
        later, later_answers = min((sweeper.sweep(nodes.addresses) for _ in range(3)), key=lambda each: each[0].cpu_s)
        note(f"botd: {IDLE_S:g} s of rest")
        idle, _ = cost.of_call(lambda: time.sleep(IDLE_S))
    finally:
        sweeper.probes.close()
    right = sum(_all_up(answers, nodes.addresses) for answers in (first_answers, later_answers))
    return [
        all_right("ssh", "first and later sweep, every answer right", right, 2),
        *_ratios(nodes, first, later),
        at_most("ssh", "idle connections, CPU", idle.cpu_s / idle.wall_s * 100, 1, "% of a core"),
        at_most("ssh", "memory per kept connection", kept_kb, 200, "kB"),
    ]


def _ratios(nodes: Nodes, first: Cost, later: Cost) -> list[Figure]:
    """botd beside each other tool in each way."""
    count = len(nodes.addresses)
    figures = []
    ways = (("as shipped", SHIPPED, 1 / 15, 1 / 50), ("curve25519", CURVE25519, 1 / 3, 1 / 10))
    for tool, run in (("clush", _clush), ("pdsh", _pdsh)):
        for way, more, first_factor, later_factor in ways:
            other = run(nodes, more)
            who = f"{tool} {way}"
            per_node = other.cpu_ms_per(count) if other else None
            figures += [
                at_most_times(
                    "ssh", f"{which} sweep, CPU per node", made.cpu_ms_per(count), factor, per_node, "ms", who=who
                )
                for which, made, factor in (("first", first, first_factor), ("later", later, later_factor))
            ]
            if way == "as shipped":
                figures += [
                    Figure("ssh", f"first sweep, wall, beside {who}", first.wall_s, "s", other and other.wall_s),
                    Figure("ssh", f"peak memory, beside {who}", first.peak / 1e6, "MB", other and other.peak / 1e6),
                ]
    return [*figures, Figure("ssh", "later sweep, wall", later.wall_s, "s")]


def _with_dead_nodes(nodes: Nodes) -> list[Figure]:
    """How much longer new logins take when one node in ten is dead: the same live ones, without and with the dead."""
    count = len(nodes.addresses)
    live = nodes.addresses[: count - max(1, int(count * DEAD_SHARE))]
    dead = [room.dead(number) for number in range(count - len(live))]
    mixed = [*live]
    for at, address in enumerate(dead):
        mixed.insert(at * count // len(dead), address)
    sweeper = Sweeper(nodes.config)
    try:
        sweeper.sweep(live)
        without, with_dead = [], []
        right = 0
        for _ in range(2):
            note("botd: sweeps without and with dead nodes")
            without.append(sweeper.sweep(live)[0].wall_s)
            made, answers = sweeper.sweep(mixed)
            with_dead.append(made.wall_s)
            right += _all_up(answers, live) and all(answers[each]["ssh"].value == "timeout" for each in dead)
    finally:
        sweeper.probes.close()
    limit_s = nodes.config.ssh.connect_timeout
    grown_s = min(with_dead) - min(without)
    return [
        all_right("ssh", f"{len(dead)} of {count} nodes dead, every answer right", right, 2),
        Figure("ssh", "wall without dead nodes", min(without), "s"),
        at_most("ssh", "wall added by dead nodes", grown_s, limit_s, "s"),
    ]


def _all_up(answers: Readings, addresses: Sequence[str]) -> bool:
    """Whether each of these nodes was found up, and said how long it has been."""
    found = [answers[address] for address in addresses]
    return all(each["ssh"].value == "up" and each["uptime"].state is State.OK for each in found)


def _clush(nodes: Nodes, more: Sequence[str]) -> Cost | None:
    options = " ".join(nodes.ssh_options(*more))
    return _run("clush", ["-S", "-f", PARALLEL, "-l", "root", "-o", options, "-w", ",".join(nodes.addresses)], nodes)


def _pdsh(nodes: Nodes, more: Sequence[str]) -> Cost | None:
    # pdsh takes ssh's options from the environment, where its own "-2 -a -x -l%u %h" stands otherwise (pdsh(1)).
    args = " ".join([*nodes.ssh_options(*more), "-a", "-x", "-l%u", "%h"])
    options = ["-R", "ssh", "-f", PARALLEL, "-l", "root", "-w", ",".join(nodes.addresses)]
    return _run("pdsh", options, nodes, {"PDSH_SSH_ARGS": args})


def _run(tool: str, options: Sequence[str], nodes: Nodes, env: Mapping[str, str] | None = None) -> Cost | None:
    """What one `uptime` on every node costs with this tool, or None where it is not installed.

    Raises RuntimeError when it did not reach every node: that would be no comparison.
    """
    path = cost.program(tool)
    if path is None:
        return None
    note(f"{tool}: {len(nodes.addresses)} nodes")
    made, said = cost.of_program([path, *options, "uptime"], env=env)
    answered = sum("load average" in line for line in said.splitlines())
    if answered != len(nodes.addresses):
        raise RuntimeError(f"{tool} reached {answered} of {len(nodes.addresses)} nodes: {said[:500]}")
    return made


if __name__ == "__main__":
    sys.exit(room.main(measure, __doc__, "bench.ssh"))
