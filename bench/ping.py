"""What pinging every node costs: botd beside `fping -i0 -r1 -t500` itself on the same addresses.

    python -m bench.ping [--nodes N] [--repeat TIMES] [--json FILE]

10,000 addresses of loopback, of which one in twenty swallows every packet. botd runs as it comes: three packets to each
node, half a second of patience, through the same fping; its CPU includes fping's and all of its own, up to the answers.
fping with `-r1` sends one packet, and a second one to who did not answer. Both run in turn, ten times; each time every
address that is there must be found, with no packet lost, and no other.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from bench import cost, room
from bench.cost import Cost
from bench.table import Figure, Options, all_right, at_most, at_most_times, note
from botd.answers import Delivery, PingAnswer
from botd.settings import PingSettings
from botd.transport.ping import ping_nodes

NODES = 10_000
REPEAT = 10
DEAD_EVERY = 20
LIMIT_S = 120.0
LIMIT_MS = 0.025
FPING = ("-i0", "-r1", "-t500")


def measure(options: Options) -> list[Figure]:
    """The figures of ping."""
    count, repeat = options.nodes or NODES, options.repeat or REPEAT
    targets = {f"n{n:05}": room.dead(n) if node_is_dead(n) else room.live(n) for n in range(count)}
    ours, others, right, others_right = [], [], 0, 0
    for turn in range(repeat):
        note(f"ping: turn {turn + 1} of {repeat}")
        made, answers = _botd(targets)
        ours.append(made)
        right += all(_is_right(answers.get(node), node_is_dead(number)) for number, node in enumerate(targets))
        if other := _fping(list(targets.values())):
            others.append(other[0])
            others_right += other[1] == sum(map(node_is_dead, range(count)))
    wall_s, other_wall_s = _pair(ours, others, "wall_s")
    return [
        all_right("ping", f"{count} nodes, every answer right", right, repeat),
        Figure("ping", "fping alone, every answer right", others_right, f"of {repeat} runs"),
        at_most_times("ping", "wall", wall_s, 1.2, other_wall_s, "s", who="fping itself"),
        _per_node(ours, others, count),
        Figure("ping", "peak memory of the sweeping process", max(each.peak for each in ours) / 1e6, "MB"),
    ]


def node_is_dead(number: int) -> bool:
    """Whether the node of this number swallows packets."""
    return number % DEAD_EVERY == 0


def _is_right(answer: PingAnswer | None, dead: bool) -> bool:
    return answer is not None and answer.sent > 0 and answer.received == (0 if dead else answer.sent)


def _botd(targets: dict[str, str]) -> tuple[Cost, dict[str, PingAnswer]]:
    """What one round costs, and its answers."""
    answers: dict[str, PingAnswer] = {}

    def deliver(delivery: Delivery) -> None:
        answers[delivery.node] = delivery.answer

    made, _ = cost.of_call(lambda: ping_nodes(targets, PingSettings(), deliver, timeout_s=LIMIT_S))
    return made, answers


def _fping(addresses: Sequence[str]) -> tuple[Cost, int] | None:
    """What fping costs, and how many addresses it found dead. None where it is not installed."""
    path = cost.program("fping")
    if path is None:
        return None
    made, said = cost.of_program([path, *FPING], stdin="".join(f"{each}\n" for each in addresses))
    return made, sum(line.endswith("is unreachable") for line in said.splitlines())


def _pair(ours: Sequence[Cost], others: Sequence[Cost], what: str) -> tuple[float, float | None]:
    """The medians of botd and of the other tool."""
    mine, theirs = ([getattr(each, what) for each in costs] for costs in (ours, others))
    return median(mine), median(theirs) if theirs else None


def _per_node(ours: Sequence[Cost], others: Sequence[Cost], count: int) -> Figure:
    mine, theirs = _pair(ours, others, "cpu_s")
    each_ms = mine * 1000 / count
    limit = at_most("ping", "CPU per node, 3 packets to each", each_ms, LIMIT_MS, "ms")
    return replace(limit, beside=None if theirs is None else theirs * 1000 / count)


if __name__ == "__main__":
    sys.exit(room.main(measure, __doc__, "bench.ping"))
