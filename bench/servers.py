"""gunicorn's kinds of workers under the same attacks and the same load: what holds, and what an answer costs.

    python -m bench.servers [--nodes N] [--json FILE]

`ours` is `botd.commands.worker.Worker`, `gthread` and `gevent` are gunicorn's own, `asgi` is uvicorn's worker with
a2wsgi before the application. Each is one process on a store of 1,000 nodes, or of ten times as many. While clients do
what is slow or takes long, `/healthz` and `/metrics` are asked again and again: the longest of these answers is the
figure, `PATIENCE_S` where there was none. `make bench` installs what is not botd's own beside the environment; a kind
that is not installed is left out.
"""

from __future__ import annotations

import http.client
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from bench import web
from bench.load import Clients, clients
from bench.table import Figure, Options, all_right, at_most, note, run
from botd.settings import Config
from tests.program import free_port, wait_until


@dataclass(frozen=True)
class Kind:
    """A kind of worker: gunicorn's words for it, the module that it needs, and `[server] threads`: half may wait."""

    words: tuple[str, ...]
    needs: str = "gunicorn"
    threads: int = 64
    application: str = "wsgi:app"


KINDS = {
    "ours": Kind(("botd.commands.worker.Worker", "--threads", "64")),
    "gthread": Kind(("gthread", "--threads", "64")),
    "gevent": Kind(("gevent",), "gevent", threads=800),
    "asgi": Kind(("uvicorn_worker.UvicornWorker",), "uvicorn_worker", application="bench.servers:asgi()"),
}
BESIDE = Path(sys.prefix) / "servers"
"""Where `make bench` puts what is not botd's own."""

PATIENCE_S = 10.0
NODES = 1000
TIMES_MORE = 10
CLIENTS = 4
IDLE = 200
HOST = "Host: 127.0.0.1\r\n"
ALL = "/api/v1/status?groups=all"
ASKED = ("/healthz", "/metrics")
SLOW: Mapping[str, tuple[int, str]] = {
    "slow headers": (200, f"GET / HTTP/1.1\r\n{HOST}X-A: "),
    "slow bodies": (200, f"POST /api/v1/status HTTP/1.1\r\n{HOST}Content-Length: 9\r\n\r\n{{"),
    "unread answers": (140, f"GET {ALL} HTTP/1.1\r\n{HOST}\r\n" * 20),
    "waiters": (132, f"GET {ALL}&max_age=0&wait=60 HTTP/1.1\r\n{HOST}\r\n"),
    "slow headers, more than may connect": (1100, f"GET / HTTP/1.1\r\n{HOST}X-A: "),
}
TABLES = "".join(
    f"GET /nodes?groups=all&max_age={86_400 + turn} HTTP/1.1\r\n{HOST}Accept: text/html\r\n\r\n" for turn in range(40)
)
"""Each of these answers is worked out anew."""


@dataclass(frozen=True)
class Plan:
    """Which kinds, how many nodes, what part of the slow clients, and how long each thing lasts, in seconds."""

    kinds: tuple[str, ...]
    nodes: int
    part: float
    turn_s: float
    locked_s: float


def plan_of(options: Options) -> Plan:
    """The plan for these options."""
    if 0 < options.nodes < 100:
        return Plan(("ours",), options.nodes, part=0.05, turn_s=0.1, locked_s=0.1)
    return Plan(tuple(KINDS), options.nodes or NODES, part=1, turn_s=4, locked_s=3)


def asgi() -> object:
    """botd behind an ASGI server."""
    from a2wsgi import WSGIMiddleware

    from wsgi import app

    return WSGIMiddleware(app, workers=64)


def measure(options: Options) -> list[Figure]:
    """The figures of each kind that is installed."""
    sys.path.append(str(BESIDE))
    plan = plan_of(options)
    kinds = {name: KINDS[name] for name in plan.kinds if find_spec(KINDS[name].needs)}
    for name in set(plan.kinds) - kinds.keys():
        note(f"servers: {name} is not installed and left out; `make bench` installs it")
    with clients(CLIENTS) as many:
        found = {name: [*_costs(name, kind, plan, many), *_scenes(name, kind, plan)] for name, kind in kinds.items()}
    return [figure for figures in found.values() for figure in figures]


def _costs(name: str, kind: Kind, plan: Plan, many: Clients) -> Iterator[Figure]:
    """What an answer costs, and what a connection that does nothing."""
    note(f"servers: {name}, cost")
    with site(plan.nodes) as config, running(kind, config) as (port, worker):
        asked = {"Accept-Encoding": "gzip"}
        _, _, body = web.get(port, ALL, **asked)
        before = worker.cpu_times()
        answers = many.ask(port, [ALL], plan.turn_s, **asked)
        after = worker.cpu_times()
        cpu_s = after.user + after.system - before.user - before.system
        right = answers.seen == {(200, len(body))}
        yield all_right("servers", f"{name}, every answer right", int(right), 1)
        yield Figure("servers", f"{name}, CPU per answer", cpu_s / len(answers.took_s) * 1000, "ms")
        memory = worker.memory_full_info().uss
        with attacked(port, IDLE, SLOW["slow headers"][1]):
            longest(port, plan.turn_s)
            grown = worker.memory_full_info().uss - memory
        yield Figure("servers", f"{name}, memory growth for {IDLE} connections", grown / 1e6, "MB")


def _scenes(name: str, kind: Kind, plan: Plan) -> Iterator[Figure]:
    """How long the slowest answer takes to what must always be answered within a second."""

    def figure(what: str, taken_s: float) -> Figure:
        return at_most("servers", f"{name}, {what}", taken_s, 1, "s")

    note(f"servers: {name}, scenes")
    with site(plan.nodes) as config:
        for what, (full, sent) in SLOW.items():
            count = max(1, round(full * plan.part))
            with running(kind, config) as (port, _), attacked(port, count, sent):
                yield figure(f"{count} {what}", longest(port, plan.turn_s))
        with running(kind, config) as (port, _), locked(config, port, plan.locked_s):
            yield figure("the database is locked for who writes", longest(port, plan.locked_s))
    with site(plan.nodes * TIMES_MORE) as config, running(kind, config) as (port, _), attacked(port, 8, TABLES):
        yield figure(f"8 clients want tables of {plan.nodes * TIMES_MORE} nodes", longest(port, plan.turn_s))


@contextmanager
def site(count: int) -> Iterator[Config]:
    """A site whose agent is there and answers nobody: who wants newer readings waits."""
    with web.filled_site(count) as config, web.running_agent(config, count):
        yield config


@contextmanager
def running(kind: Kind, config: Config) -> Iterator[tuple[int, psutil.Process]]:
    """One worker of this kind: its port and its process."""
    port = free_port()
    path = Path(config.path).with_name("servers.toml")
    path.write_text(Path(config.path).read_text().replace("[server]", f"[server]\nthreads = {kind.threads}"))
    words = ["-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--log-level", "critical"]
    words += ["--no-control-socket", "--graceful-timeout", "1", "--worker-class", *kind.words, kind.application]
    env = {**os.environ, "BOTD_CONFIG": str(path), "PYTHONPATH": f".:{BESIDE}"}
    child = subprocess.Popen([sys.executable, *words], env=env)
    try:
        wait_until(lambda: web._answers(port), 60)
        yield port, psutil.Process(child.pid).children()[0]
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()
        child.wait()


@contextmanager
def attacked(port: int, count: int, sent: str) -> Iterator[None]:
    """Meanwhile so many clients have sent this, and read nothing."""
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(1)
            with suppress(OSError):  # whoever takes no more clients is told by the next figure
                client.connect(("127.0.0.1", port))
                client.sendall(sent.encode())
        yield


@contextmanager
def locked(config: Config, port: int, seconds: float) -> Iterator[None]:
    """Meanwhile nobody can write the database, and some clients want a sweep."""
    path = Path(config.path).with_name("botd.db")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as database:
        database.execute("BEGIN IMMEDIATE")
        over = threading.Timer(seconds, lambda: database.execute("ROLLBACK"))
        over.start()
        with attacked(port, 4, f"GET {ALL}&max_age=0&wait=0 HTTP/1.1\r\n{HOST}\r\n"):
            yield
        over.join()


def longest(port: int, seconds: float) -> float:
    """How long the slowest of the answers took that everybody must always get."""
    until, most, turn = time.monotonic() + seconds, 0.0, 0
    while time.monotonic() < until:
        began_s = time.monotonic()
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection,
        ):
            connection.request("GET", ASKED[turn % len(ASKED)])
            connection.getresponse().read()
        most, turn = max(most, time.monotonic() - began_s), turn + 1
        time.sleep(0.02)
    return most


if __name__ == "__main__":
    raise SystemExit(run(measure, __doc__))
