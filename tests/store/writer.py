"""A process that writes readings and their changes as fast as it can, until somebody kills it."""

from __future__ import annotations

import sys

from botd.agent.latest import LatestReadings
from botd.checks import site_checks
from botd.config import parse_config
from botd.model import Reading, State, utc_now
from botd.store import Store

NODES = [f"n{number:04}" for number in range(60)]


def main(url: str) -> None:
    """Turns the reading of every node over and over, each time as one sweep's end would."""
    config = parse_config({"store": {"url": url}})
    store = Store(config)
    store.create()
    latest = LatestReadings(site_checks(config), store, utc_now)
    latest.load()
    states = (State.FAIL, State.OK, State.WARN)
    for turn in range(1_000_000):
        for node in NODES:
            latest.put(node, {"ping": Reading(states[turn % 3], at=utc_now(), detail=str(turn))}, latest.begin())
        latest.flush()
        print(turn, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
