"""kill -9 at any point of writing: what is there is whole, and readings and changes never contradict each other."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from typing import Any

from tests.store.conftest import Open
from tests.store.writer import NODES

ROUNDS = 12


def killed_writer(url: str, chance: random.Random) -> int:
    """Runs the writer, kills it in the middle of something, and gives the number of flushes that it reported."""
    command = [sys.executable, "-m", "tests.store.writer", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        reported = -1
        for _ in range(chance.randint(1, 6)):
            reported = int(writer.stdout.readline())
        time.sleep(chance.random() / 50)  # somewhere in the next flush
        writer.kill()
    return reported


def test_readings_and_changes_agree_wherever_the_agent_was_killed(database_url: str, open_again: Open) -> None:
    chance = random.Random(7)
    store = open_again()
    for _ in range(ROUNDS):
        reported = killed_writer(database_url, chance)
        readings: dict[str, Any] = {node: each["ping"] for node, each in store.readings.since(0).items()}
        assert sorted(readings) == NODES
        turns = {int(reading["detail"]) for reading in readings.values()}
        assert len(turns) == 1, "a sweep is written whole or not at all"
        assert turns.pop() >= reported, "what was reported as written is there"
        words = store.changes.last_words()
        assert {words[node, "ping"] for node in NODES} == {reading["state"] for reading in readings.values()}
        found = store.changes.page(nodes=[NODES[0]], limit=1000)
        for newer, older in itertools.pairwise(found):
            assert newer.old == older.new, "no change is missing and none is there twice"
