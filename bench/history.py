"""What the history costs: 10,000 nodes, 12 checks, a sweep each five minutes for 30 days.

    python -m bench.history [--nodes N] [--repeat DAYS] [--json FILE]

First some sweeps go through the agent's own LatestReadings and NumberCollector into an SQLite file, with one reading
in a thousand changing its state: what a sweep costs to write, and a web process to take it up. Then the days go by as
fast as they can be written, with as many changes and numbers, and with the agent's own forgetting: what is there at
the end, and how long it is read.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.table import Figure, Options, at_most, run
from botd.agent import numbers
from botd.agent.housekeeping import Housekeeping
from botd.agent.latest import LatestReadings
from botd.agent.numbers import NumberCollector
from botd.checks import site_checks
from botd.config import parse_config
from botd.model import Change, Reading, State
from botd.settings import Config
from botd.store import Store

CHECKS = ("ping", "ssh", "uptime", "load", "users", "df_scratch", "df_tmp", "memory", "slurmd", "jobs")
BMC_CHECKS = ("ipmi_reachable", "ipmi_state")
PLOTTED = ("ping", "load", "df_scratch", "df_tmp")
CHANGED = 0.001
INTERVAL = timedelta(minutes=5)
SWEEPS = 10
MOUNTS = {"scratch": "/global/scratch", "tmp": "/local"}


@dataclass(frozen=True)
class Costs:
    """The CPU of one sweep, in ms: taken into memory, written, its numbers written, read by another process."""

    taken: float
    written: float
    kept: float
    read: float


@dataclass
class World:
    """The nodes and their clock."""

    nodes: list[str]
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    bad: set[tuple[str, str]] = field(default_factory=set)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def turned(self) -> set[tuple[str, str]]:
        """The nodes and checks whose state is another one in the next sweep."""
        self.now += INTERVAL
        count = round(len(self.nodes) * len(CHECKS + BMC_CHECKS) * CHANGED)
        found = {(self.chance.choice(self.nodes), self.chance.choice(CHECKS + BMC_CHECKS)) for _ in range(count)}
        self.bad ^= found
        return found

    def sweep(self) -> Iterator[tuple[str, dict[str, Reading]]]:
        """New readings of every node."""
        self.turned()
        for node in self.nodes:
            yield node, {check: self._reading(node, check) for check in CHECKS + BMC_CHECKS}

    def changes(self) -> list[Change]:
        """The changes of the next sweep."""
        words = ("ok", "fail")
        return [
            Change(node, check, words[not is_bad], words[is_bad], self.now, "a sentence of a usual length", is_bad)
            for node, check in self.turned()
            for is_bad in ((node, check) in self.bad,)
        ]

    def numbers(self) -> dict[str, dict[str, float]]:
        """The numbers of one moment, none like the last."""
        return {node: {check: self.chance.random() for check in PLOTTED} for node in self.nodes}

    def _reading(self, node: str, check: str) -> Reading:
        value: object = self.chance.random() if check in ("ping", "load") else None
        if check.startswith("df_"):
            value = {"size": 10**12, "free": self.chance.random() * 10**12}
        state = State.FAIL if (node, check) in self.bad else State.OK
        return Reading(state, value, at=self.now, detail="a sentence of a usual length")


def measure(options: Options) -> list[Figure]:
    """What a sweep costs to write, and what is there after the days; times are CPU."""
    with TemporaryDirectory(prefix="botd-bench-") as folder:
        return _measure(Path(folder), options.nodes or 10_000, options.repeat or 30)


def _measure(folder: Path, count: int, days: int) -> list[Figure]:
    config = parse_config({"mounts": MOUNTS, "store": {"url": "sqlite:///botd.db"}}, path=str(folder / "botd.toml"))
    store, world = Store(config), World([f"n{number:04}.savio{number // 2500}" for number in range(count)])
    store.create()
    costs = write_sweeps(config, store, world)
    before = size_mb(folder)
    forgetting = let_pass(config, store, world, days)
    node, since = world.nodes[count // 2], world.now - timedelta(days=30)
    one_node = best(
        lambda: (store.changes.page(nodes=[node], limit=1000), store.samples.of_node(node, since, world.now))
    )
    store.close()
    return [
        at_most("history", f"readings and changes of a sweep of {count:,} nodes", costs.written, 50, "ms"),
        Figure("history", "numbers of the sweep", costs.kept, "ms"),
        Figure("history", "the sweep, taken into the agent's memory", costs.taken, "ms"),
        Figure("history", "the sweep, read by a web process", costs.read, "ms"),
        at_most("history", "30 days of one node, read", one_node, 20, "ms"),
        Figure("history", "longest step of forgetting", max(forgetting, default=0.0), "ms"),
        Figure("history", "forgetting, for each sweep", sum(forgetting) / (days * 288), "ms"),
        Figure("history", "database with latest readings only", before, "MB"),
        Figure("history", f"database after {days} days", size_mb(folder), "MB"),
    ]


def write_sweeps(config: Config, store: Store, world: World) -> Costs:
    """What a sweep costs: the medians of some sweeps."""
    numbers.SAMPLE_S = 0.0  # here five minutes pass in a moment
    checks = site_checks(config)
    latest = LatestReadings(checks, store, lambda: world.now)
    collector = NumberCollector(checks, store, lambda: world.now)
    reader, found = Store(config), list[Costs]()
    for _ in range(SWEEPS):
        sweep, revision = list(world.sweep()), reader.pulse().revision
        taken = cpu_ms(partial(put_all, latest, sweep))
        for node, readings in sweep:
            collector.put(node, readings)
        written, kept = cpu_ms(latest.flush), cpu_ms(collector.flush)
        found.append(Costs(taken, written, kept, cpu_ms(partial(reader.readings.since, revision))))
    reader.close()
    return Costs(*map(statistics.median, zip(*map(astuple, found), strict=True)))


def put_all(latest: LatestReadings, sweep: Iterable[tuple[str, dict[str, Reading]]]) -> None:
    begun = latest.begin()
    for node, readings in sweep:
        latest.put(node, readings, begun)


def let_pass(config: Config, store: Store, world: World, days: int) -> list[float]:
    """Writes the changes and numbers of these days; the CPU of each step of forgetting."""
    steps = []
    for turn in range(round(timedelta(days=days) / INTERVAL)):
        store.readings.write({world.nodes[0]: {}}, world.now, changes=world.changes())
        store.samples.write(world.numbers(), world.now)
        if turn % 12 == 0:
            keeper = Housekeeping(config.history, store, lambda: world.now)
            while not keeper.is_done:
                steps.append(cpu_ms(keeper.step))
    return steps


def size_mb(folder: Path) -> float:
    """The size of the database, its log included."""
    return sum(path.stat().st_size for path in folder.glob("botd.db*")) / 1e6


def cpu_ms(act: Callable[[], object]) -> float:
    """The CPU that a call takes, in ms."""
    began = time.process_time()
    act()
    return (time.process_time() - began) * 1000


def best(act: Callable[[], object]) -> float:
    """The shortest of five runs, in ms."""
    return min(cpu_ms(act) for _ in range(5))


if __name__ == "__main__":
    raise SystemExit(run(measure, __doc__))
