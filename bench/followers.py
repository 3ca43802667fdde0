"""What a follower of a large sweep costs: the events of `/api/v1/sweeps/<id>/events`, as the web part makes them.

    python -m bench.followers [--nodes N] [--json FILE]

A sweep of all nodes is recorded as under way. Then, turn by turn, an agent finishes 25 nodes, and the stream is asked
for its next event: what that costs the web process in CPU, all threads together. What the agent writes is not counted.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Iterator

from bench import web
from bench.table import Figure, Options, all_right, at_most, run
from botd.agent.latest import LatestReadings
from botd.app import create_app
from botd.checks import site_checks
from botd.model import Reading, State, utc_now
from botd.settings import Config
from botd.store import Store

NODES = 10_000
AT_ONCE = 25
EVENTS = 40
"""Each takes a quarter of a second: so often a follower looks."""


def measure(options: Options) -> list[Figure]:
    """The CPU of an event, at the median."""
    count = options.nodes or NODES
    with web.filled_site(count) as config:
        found = list(_events(config, count))
    costs, right = zip(*found, strict=True)
    return [
        all_right("followers", f"a sweep of {count:,} nodes, every answer right", sum(right), len(right)),
        at_most("followers", f"an event of a sweep of {count:,} nodes, CPU", statistics.median(costs), 2, "ms"),
    ]


def _events(config: Config, count: int) -> Iterator[tuple[float, bool]]:
    """For each event its CPU in ms, and whether it told of the nodes that were finished."""
    store, checks = Store(config), site_checks(config)
    names = [web.node_name(number) for number in range(count)]
    sweep = store.sweeps.start(names, list(checks), utc_now())
    latest = LatestReadings(checks, store, utc_now)
    client = create_app(config).test_client()
    client.get("/api/v1/table?groups=all")  # a web process that has been asked before
    stream = iter(client.get(f"/api/v1/sweeps/{sweep.id}/events?format=ndjson", buffered=False).response)
    next(stream)
    for turn, first in enumerate(itertools.islice(itertools.cycle(range(0, count, AT_ONCE)), EVENTS)):
        part = names[first : first + AT_ONCE]
        for name in part:
            latest.put(name, {"ping": Reading(State.OK, 0.1 + turn, "ms", utc_now())}, latest.begin())
        latest.flush()
        store.sweeps.progress(sweep.id, min(count, (turn + 1) * AT_ONCE))
        began = time.process_time()
        event = next(stream)
        yield (time.process_time() - began) * 1000, json.loads(event)["finished"] == sorted(part)
    store.close()


if __name__ == "__main__":
    raise SystemExit(run(measure, __doc__))
