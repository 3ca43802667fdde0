"""The web part as a site runs it: gunicorn on a store that an agent has filled, and an agent that goes on.

The store holds every check of every node, as long as real ones are. Nothing is simulated but the nodes: readings come
through the agent's own LatestReadings, answers from gunicorn with the options of `botd serve`.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from botd.agent.latest import LatestReadings
from botd.agent.loop import TICK_S
from botd.checks import site_checks
from botd.commands import serve as supervise
from botd.config import load_config
from botd.documents import encode
from botd.inventory import build
from botd.inventory.document import to_document
from botd.model import Group, Reading, SlurmNode, State, utc_now
from botd.settings import Config
from botd.store import Store
from tests.program import free_port, wait_until

SETTINGS = """\
[server]
listen = "127.0.0.1:{port}"
[sweep]
interval = 86400
[mounts]
scratch = "/global/scratch"
tmp = "/tmp"
"""
"""Readings of this morning are young enough: nobody asks for a sweep, which nobody here could do."""

RACK = 40
SICK_EVERY = 20
SWEEP_S = 30.0
"""A sweep of all nodes takes so long: 10,000 are never read faster."""

BEAT_S = 1.0


@dataclass(frozen=True)
class Web:
    """A web server at 127.0.0.1:`port`. `pid` is gunicorn's first process, which the workers are children of."""

    port: int
    pid: int

    def memory(self) -> int:
        """Bytes of all its processes (PSS): what they share is counted once."""
        first = psutil.Process(self.pid)
        return sum(each.memory_full_info().pss for each in (first, *first.children(recursive=True)))


@dataclass(frozen=True)
class Agent:
    """An agent that beats, and that reads all nodes again and again as long as `sweeping` is set."""

    sweeping: Event


def node_name(number: int) -> str:
    """The name of a node."""
    return f"n{number:05d}.big"


@contextmanager
def filled_site(count: int) -> Iterator[Config]:
    """The configuration of a new site with so many nodes, all read, in racks of 40; it is gone afterwards."""
    with TemporaryDirectory(prefix="botd-bench-") as folder:
        path = Path(folder) / "botd.toml"
        path.write_text(SETTINGS.format(port=free_port()))
        config = load_config(str(path))
        store, names = Store(config), [node_name(number) for number in range(count)]
        store.create()
        store.claim(os.getpid(), "bench", utc_now(), lambda _: True)
        racks = {f"rack-{at // RACK:03d}": tuple(names[at : at + RACK]) for at in range(0, count, RACK)}
        groups = {name: Group(name, "/etc/pdsh/group/" + name, members) for name, members in racks.items()}
        inventory = build(map(_slurm_node, range(count)), groups, utc_now())
        store.write_node_list(encode(to_document(inventory)), as_of=utc_now(), error=None, now=utc_now())
        checks = site_checks(config)
        _write(LatestReadings(checks, store, utc_now), checks, range(count), turn=0)
        store.close()
        yield config


@contextmanager
def running_agent(config: Config, count: int) -> Iterator[Agent]:
    """An agent on the site, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    agent, over = Agent(context.Event()), context.Event()
    child = context.Process(target=_agent, args=(config.path, count, agent.sweeping, over))
    child.start()
    try:
        yield agent
    finally:
        over.set()
        child.join()


@contextmanager
def running_web(config: Config, application: str = "wsgi:app", env: Mapping[str, str] | None = None) -> Iterator[Web]:
    """gunicorn as `botd serve` starts it, at a port of its own, with botd or another application on it."""
    port = free_port()
    config = replace(config, server=replace(config.server, listen=f"127.0.0.1:{port}"))
    words = [*supervise._web_words(config, "warning")[:-1], application]
    child = subprocess.Popen(words, env={**supervise._web_environment(config), **(env or {})})
    try:
        wait_until(lambda: _answers(port), 60)
        yield Web(port, child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)


def write_one(config: Config, turn: int) -> None:
    """Writes a new reading of one node, as the agent does."""
    store = Store(config)
    latest = LatestReadings(site_checks(config), store, utc_now)
    latest.load()
    latest.put(node_name(0), {"ping": reading_of("ping", 0, turn)}, latest.begin())
    latest.flush()
    store.close()


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer, as they came over the wire."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Accept-Encoding": "identity", **headers})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def _answers(port: int) -> bool:
    try:
        return get(port, "/api/v1/checks")[0] == 200
    except OSError:
        return False


def _agent(config_path: str, count: int, sweeping: Event, over: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses Ctrl-C ends this by `over`
    config = load_config(config_path)
    store, turn = Store(config), 0
    checks = site_checks(config)
    latest = LatestReadings(checks, store, utc_now)
    latest.load()
    store.claim(os.getpid(), "bench", utc_now(), lambda _: True)
    step = max(1, round(count * TICK_S / SWEEP_S))
    parts: Iterator[range] = iter(())
    next_beat_s = 0.0
    while not over.wait(TICK_S):
        if time.monotonic() >= next_beat_s:
            store.beat(os.getpid(), "bench", utc_now())
            next_beat_s = time.monotonic() + BEAT_S
        if sweeping.is_set():
            part = next(parts, None)
            if part is None:
                turn += 1
                parts = iter([range(at, min(at + step, count)) for at in range(0, count, step)])
                part = next(parts)
            _write(latest, checks, part, turn)
    store.close()


def _write(latest: LatestReadings, checks: Iterable[str], numbers: Sequence[int], turn: int) -> None:
    begun = latest.begin()
    for number in numbers:
        latest.put(node_name(number), {check: reading_of(check, number, turn) for check in checks}, begun)
    latest.flush()


def uptime_s(number: int) -> int:
    """How long a node is up, another time for each of 300,000 nodes."""
    return 86400 + number * 61 % 300_007 * 23


def reading_of(check: str, number: int, turn: int) -> Reading:
    """The reading of a check in a turn: numbers are new ones each time, one node in twenty is sick."""
    kind = "df" if check.startswith("df_") else check
    made = _SICK.get(kind) if number % SICK_EVERY == 0 else None
    read_at = utc_now() - timedelta(milliseconds=number * 7919 % 20_000)
    return replace(made or _well(kind, number, turn), at=read_at, took_s=round(number * 0.618 % 1, 3))


_SICK = {
    "df": Reading(State.FAIL, {"size": 10**12, "free": 0, "used_percent": 100.0, "mounted": True, "read_only": False,
                               "hung": False}, "B", detail="full: 0 B free of 931.3 GiB"),
    "ipmi_reachable": Reading(State.FAIL, False, detail="no answer within 3 s"),
    "ipmi_state": Reading(State.SKIPPED, None, detail="needs ipmi_reachable, which is fail"),
}  # fmt: skip


def _well(kind: str, number: int, turn: int) -> Reading:
    free = (number * 7919 + turn * 104_729) % 10**6 * 10**6
    known = {
        "ping": Reading(State.OK, 0.1 + (number * 7919 + turn) % 997 / 1000, "ms", detail="3 of 3 packets answered"),
        "ssh": Reading(State.OK, "up"),
        "uptime": Reading(State.OK, uptime_s(number), "s"),
        "load": Reading(State.OK, (number + turn) % 200 / 200, "per core", detail="load 12.07 on 24 cores"),
        "users": Reading(State.OK, [], detail="nobody without a job"),
        "df": Reading(State.OK, {"size": 10**12, "free": free, "used_percent": round(100 - free / 10**10, 1),
                                 "mounted": True, "read_only": False, "hung": False}, "B",
                      detail=f"{free / 2**30:.1f} GiB free of 931.3 GiB"),
        "memory": Reading(State.OK, {"size": 2**36 + number, "free": free, "expected": 2**36}, "B",
                          detail="64.0 GiB, as Slurm expects"),
        "slurmd": Reading(State.OK, "22.05.8", detail="slurmd 22.05.8 runs"),
        "jobs": Reading(State.OK, [str(44_000 + number)], detail=f"{44_000 + number} emeka running 2:02:40"),
        "ipmi_reachable": Reading(State.OK, True),
        "ipmi_state": Reading(State.OK, "on", detail="power is on"),
    }  # fmt: skip
    return known.get(kind, Reading(State.OK, None))


def _slurm_node(number: int) -> SlurmNode:
    name = node_name(number)
    if number % SICK_EVERY:
        return SlurmNode(name, "idle", "IDLE", partitions=("big",))
    return SlurmNode(name, "drained", "IDLE", ("DRAIN",), (), f"HW: DIMM {number} -jd", "root", partitions=("big",))
