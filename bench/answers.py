"""What an answer costs: `GET /api/v1/status` from a store that an agent writes, through gunicorn.

    python -m bench.answers [--nodes N] [--repeat MINUTES] [--json FILE]

- 1,000 nodes with every check, beside a WSGI program that returns the same bytes with the same headers, under the same
  gunicorn with the same workers and threads, both asked in turn by four clients on kept connections: with and without
  gzip, and 304 for who has it already.
- Ten times as many nodes, with gzip, by one client: again and again, and the first time after a reading has changed.
- 100 nodes of those by four clients, at rest and while a sweep of all of them is written within 30 seconds.
- Memory of all workers under a mixture of requests while readings are written, between a warm-up and the end, which
  is a minute later, or as many as `--repeat` says.

The clients work on the same cores as the servers. With less than 100 nodes each time of asking is a moment: to try the
benchmark itself.
"""

from __future__ import annotations

import gzip
import json
import pickle
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

from bench import web
from bench.load import Answers, Clients, clients
from bench.stored import STORED
from bench.table import Figure, Options, all_right, at_most, at_most_times, note, run
from botd.board.board import RECHECK_S
from botd.settings import Config

NODES = 1000
TIMES_MORE = 10
FEW = 100
TURNS = 5
CLIENTS = 4
ALL = "/api/v1/status?groups=all"
MIXTURE = (
    ALL,
    "/api/v1/table?groups=all",
    "/api/v1/status?groups=all&format=csv",
    "/api/v1/status?groups=rack-000&format=table",
    "/nodes?groups=sinfo&format=table",
    "/api/v1/status/" + web.node_name(0),
    "/api/v1/changes",
)
LEAST_RATE = 0.7


@dataclass(frozen=True)
class Plan:
    """How many nodes, and how long each thing is asked, in seconds."""

    nodes: int
    turn_s: float
    rest_s: float
    warm_up_s: float
    memory_s: float


@dataclass(frozen=True)
class Rate:
    """What botd and the stored bytes got done in their turns, and whether every answer was the one that it must be."""

    ours: float
    others: float
    right: bool


def plan_of(options: Options) -> Plan:
    """The plan for these options."""
    if 0 < options.nodes < FEW:
        return Plan(options.nodes, turn_s=0.1, rest_s=0.5, warm_up_s=0.5, memory_s=0.5)
    minutes = options.repeat or 1
    return Plan(options.nodes or NODES, turn_s=2, rest_s=web.SWEEP_S, warm_up_s=30, memory_s=60 * minutes)


def measure(options: Options) -> list[Figure]:
    """The figures of answers."""
    plan = plan_of(options)
    with clients(CLIENTS) as many, clients(1) as one:
        return [*_beside_stored_bytes(plan, many), *_large(plan, many, one), *_memory(plan, many)]


# ---- beside a program that does nothing else ----


def _beside_stored_bytes(plan: Plan, many: Clients) -> list[Figure]:
    note(f"answers: {plan.nodes} nodes beside stored bytes")
    with ExitStack() as stack:
        config = stack.enter_context(web.filled_site(plan.nodes))
        stack.enter_context(web.running_agent(config, plan.nodes))
        ours = stack.enter_context(web.running_web(config))
        answers = {coding: _answer(ours.port, coding) for coding in ("identity", "gzip")}
        path = Path(config.path).with_name("stored")
        path.write_bytes(pickle.dumps(answers))
        others = stack.enter_context(web.running_web(config, "bench.stored:app()", {STORED: str(path)}))

        def rate(coding: str, *, known: bool) -> Rate:
            headers, body = answers[coding]
            asked = {"If-None-Match": headers["ETag"]} if known else {}
            expected = (304, 0) if known else (200, len(body))
            return _rate(many, plan.turn_s, (ours.port, others.port), expected, {"Accept-Encoding": coding, **asked})

        found = {
            "gzip": rate("gzip", known=False),
            "without gzip": rate("identity", known=False),
            "304": rate("gzip", known=True),
        }
    same = _is_of_all(answers["identity"][1], plan.nodes) and gzip.decompress(answers["gzip"][1])
    right = [same == answers["identity"][1], *(each.right for each in found.values())]
    return [
        all_right("answers", f"{plan.nodes} nodes, every answer right", sum(right), len(right)),
        *(_at_least(f"{plan.nodes} nodes, {name}", each) for name, each in found.items()),
    ]


def _answer(port: int, coding: str) -> tuple[dict[str, str], bytes]:
    """Headers of botd itself and the body."""
    status, headers, body = web.get(port, ALL, **{"Accept-Encoding": coding})
    if status != 200:
        raise RuntimeError(f"botd answers with {status}: {body[:200]!r}")
    return {name: text for name, text in headers.items() if name not in ("Server", "Date", "Connection")}, body


def _is_of_all(body: bytes, count: int) -> bool:
    document = json.loads(body)
    nodes = [node["node"] for node in document["nodes"]]
    return document["complete"] and nodes == [web.node_name(number) for number in range(count)]


def _rate(
    many: Clients, seconds: float, ports: tuple[int, int], expected: tuple[int, int], asked: dict[str, str]
) -> Rate:
    found: dict[int, list[Answers]] = {port: [] for port in ports}
    for _ in range(TURNS):
        for port in ports:
            found[port].append(many.ask(port, [ALL], seconds, **asked))
    ours, others = (median(each.rate for each in found[port]) for port in ports)
    return Rate(ours, others, all(each.seen == {expected} for turns in found.values() for each in turns))


def _at_least(name: str, rate: Rate) -> Figure:
    target = f"at least {LEAST_RATE} of the stored bytes"
    return Figure("answers", name, rate.ours, "1/s", rate.others, target, rate.ours >= LEAST_RATE * rate.others)


# ---- many nodes ----


def _large(plan: Plan, many: Clients, one: Clients) -> list[Figure]:
    count, few = plan.nodes * TIMES_MORE, min(FEW, plan.nodes)
    note(f"answers: {count} nodes")
    path = f"/api/v1/status?nodes={quote(f'n[{0:05d}-{few - 1:05d}].big')}"
    asked = {"Accept-Encoding": "gzip"}
    with (
        web.filled_site(count) as config,
        web.running_agent(config, count) as agent,
        web.running_web(config) as server,
    ):
        first = median(_after_a_change(config, server.port, turn) for turn in range(TURNS))
        again = one.ask(server.port, [ALL], plan.turn_s * TURNS, **asked)
        _, body = _answer(server.port, "gzip")
        many.ask(server.port, [path], plan.turn_s, **asked)
        rest = many.ask(server.port, [path], plan.rest_s, **asked)
        note(f"answers: {few} of them in a sweep")
        agent.sweeping.set()
        swept = many.ask(server.port, [path], plan.rest_s, **asked)
    right = [
        _is_of_all(gzip.decompress(body), count) and again.seen == {(200, len(body))},
        {status for status, _ in rest.seen | swept.seen} == {200} and len(swept.seen) > 1,
    ]
    return [
        all_right("answers", f"{count} nodes, every answer right", sum(right), len(right)),
        at_most("answers", f"{count} nodes, gzip, median", again.median_ms, 50, "ms"),
        Figure("answers", f"{count} nodes, gzip, first after a change", first * 1000, "ms"),
        Figure("answers", f"{count} nodes, gzip, size", len(body) / 1e6, "MB"),
        at_most_times("answers", f"{few} nodes in a sweep of {count}, 99th percentile", swept.p99_ms, 3, rest.p99_ms,
                      "ms", who="that at rest"),
        Figure("answers", f"{few} nodes in a sweep of {count}, median", swept.median_ms, "ms", rest.median_ms),
    ]  # fmt: skip


def _after_a_change(config: Config, port: int, turn: int) -> float:
    """How long the answer of all nodes takes after one of them has changed, in seconds."""
    web.write_one(config, turn)
    time.sleep(2 * RECHECK_S)  # until the web process looks again by itself
    began_s = time.perf_counter()
    _answer(port, "gzip")
    return time.perf_counter() - began_s


# ---- memory ----


def _memory(plan: Plan, many: Clients) -> list[Figure]:
    note(f"answers: memory for {plan.memory_s:.0f} s")
    with (
        web.filled_site(plan.nodes) as config,
        web.running_agent(config, plan.nodes) as agent,
        web.running_web(config) as server,
    ):
        agent.sweeping.set()
        warm = many.ask(server.port, MIXTURE, plan.warm_up_s, **{"Accept-Encoding": "gzip"})
        before = server.memory()
        asked = many.ask(server.port, MIXTURE, plan.memory_s, **{"Accept-Encoding": "gzip"})
        after = server.memory()
    right = {status for status, _ in warm.seen | asked.seen} == {200}
    return [
        all_right("answers", "mixture of requests, every answer right", int(right), 1),
        at_most("answers", f"memory of all workers, growth in {plan.memory_s:.0f} s", (after - before) / 1e6, 10, "MB"),
        Figure("answers", "memory of all workers", after / 1e6, "MB"),
        Figure("answers", "mixture of requests while readings are written", asked.rate, "1/s"),
    ]


if __name__ == "__main__":
    raise SystemExit(run(measure, __doc__))
