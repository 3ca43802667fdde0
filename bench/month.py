"""What a report of a month costs: 10,000 nodes, of which each goes out of service and comes back once.

    python -m bench.month [--nodes N] [--repeat DAYS] [--json FILE]

The answer is that of a web process, from the request to its bytes, out of an SQLite file with the changes of the month:
two of Slurm and two of the diagnosis for each time out of service, among many of other subjects.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.history import best
from bench.table import Figure, Options, at_most, run
from botd.app import create_app
from botd.config import parse_config
from botd.documents import encode
from botd.inventory import build
from botd.inventory.document import to_document
from botd.inventory.states import from_text
from botd.model import DIAGNOSIS, SLURM, Change, SlurmNode
from botd.store import Store

OUTS = 1
"""Times out of service of each node."""

OTHERS = 30
"""Changes of other subjects for each of these."""

CAUSES = ("silent", "mount missing", "powered off", "node health check", "memory lost", "a colleague's")

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def measure(options: Options) -> list[Figure]:
    """The CPU of a report."""
    with TemporaryDirectory(prefix="botd-bench-") as folder:
        return _measure(Path(folder), options.nodes or 10_000, options.repeat or 30)


def _measure(folder: Path, count: int, days: int) -> list[Figure]:
    config = parse_config({"store": {"url": "sqlite:///botd.db"}}, path=str(folder / "botd.toml"))
    store, nodes = Store(config), [f"n{number:05}.savio{number // 2500}" for number in range(count)]
    store.create(NOW - timedelta(days=days))
    rows = sorted((change for node in nodes for change in month_of(node, days)), key=lambda change: change.at)
    store.changes.record(rows)
    base, flags, _ = from_text("IDLE")
    listed = [SlurmNode(node, "idle", base, flags, partitions=(node.partition(".")[2],)) for node in nodes]
    document = encode({**to_document(build(listed, {}, NOW)), "as_of": None})
    store.write_node_list(document, as_of=NOW, error=None, now=NOW)
    client = create_app(config, clock=lambda: NOW).test_client()
    ask = partial(client.get, "/api/v1/report", query_string={"since": f"{days}d"})
    answer = ask()
    assert answer.status_code == 200, answer.text
    name = f"report of {days} days of {count:,} nodes, with {len(rows):,} changes"
    return [at_most("month", name, best(ask), 1000, "ms")]


def month_of(node: str, days: int) -> Iterator[Change]:
    """What happened to a node: out of service and back, and readings that changed."""
    chance = random.Random(node)
    for _ in range(OUTS):
        at, cause = NOW - timedelta(days=days * chance.random()), chance.choice(CAUSES)
        back = min(NOW, at + timedelta(hours=chance.expovariate(1 / 24)))
        yield Change(node, SLURM, "in service", "drained", at, "a reason of a usual length", is_bad=True)
        yield Change(node, DIAGNOSIS, "", cause, at, "a sentence of a usual length", is_bad=True)
        yield Change(node, SLURM, "drained", "in service", back)
        yield Change(node, DIAGNOSIS, cause, "", back)
        for _ in range(OTHERS):
            at = NOW - timedelta(days=days * chance.random())
            yield Change(node, "load", "ok", "warn", at, "a sentence of a usual length", is_bad=True)


if __name__ == "__main__":
    raise SystemExit(run(measure, __doc__))
