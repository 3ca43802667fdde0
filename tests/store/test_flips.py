"""Flipped bits and cut files: every answer is right or says what is wrong, and what an agent does next mends all.

Each damage is done to a database of its own, which a web process then reads and an agent takes up. It is survived when
nothing is raised that is not meant for a person, and when at the end the answers are whole again. `make faults` does
600 of them.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable

import pytest

from botd.agent.housekeeping import Housekeeping
from botd.agent.latest import LatestReadings
from botd.agent.numbers import NumberCollector
from botd.documents import encode
from botd.errors import StoreDamaged
from botd.inventory import build
from botd.inventory.document import to_document
from botd.model import Reading, State, SweepState
from botd.store import Store
from tests.conftest import Site, drained, happened
from tests.store.conftest import Flips

TRIED = int(os.environ.get("BOTD_FLIPS", "20"))

NODES = tuple(drained(f"n{number:04}.savio2") for number in range(40))

ROUTES = (
    "/",
    "/healthz",
    "/metrics",
    "/cluster",
    "/changes",
    "/offenders",
    "/node/n0001.savio2",
    "/api/v1/status?groups=all",
    "/api/v1/table?groups=all",
    "/api/v1/sinfo",
    "/api/v1/groups",
    "/api/v1/sweeps/1",
    "/api/v1/sweeps/1/events",
    "/api/v1/history/n0001.savio2",
    "/node/n0001.savio2/history.svg",
)

MAX_STARTS = 3


def document() -> bytes:
    return encode({**to_document(build(NODES, {}, None)), "as_of": None})


def work(site: Site) -> None:
    """What an agent does from its start to the end of a sweep. Raises StoreDamaged where it would end."""
    store = Store(site.config)
    try:
        store.create(site.now)
        store.claim(os.getpid(), "agent.example", site.now, lambda _: True)
        latest = LatestReadings(site.checks, store, lambda: site.now)
        latest.load()
        store.sweeps.cut(site.now)
        store.write_node_list(document(), as_of=site.now, error=None, now=site.now)
        while waiting := store.sweeps.claim(site.now):
            store.sweeps.end(waiting.id, SweepState.DONE, [], site.now)
        numbers = NumberCollector(site.checks, store, lambda: site.now)
        sweep = store.sweeps.start([node.node for node in NODES], ["ping"], site.now)
        begun = latest.begin()
        for node in NODES:
            found = {name: Reading(State.OK, 0.25, at=site.now) for name in site.checks}
            numbers.put(node.node, latest.put(node.node, found, begun))
        latest.flush()
        numbers.flush()
        store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
        latest.mend()
        latest.flush()
        Housekeeping(site.config.history, store, lambda: site.now).step()
        store.beat(os.getpid(), "agent.example", site.now)
    finally:
        store.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose agent has worked for a while."""
    site = Site(tmp_path_factory.mktemp("flips"))
    for _ in range(6):
        work(site)
        site.later(61)
    for number in range(40):
        happened(site, f"n{number:04}.savio2")
    site.store.sweeps.request(["n0001.savio2"], ["ping"], 0, site.now, queue_limit=9)
    site.store.close()
    site.later(400)
    return site


@pytest.fixture(scope="module")
def sound(site: Site) -> bytes:
    """Its database."""
    with sqlite3.connect(site.folder / "botd.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return (site.folder / "botd.db").read_bytes()


def flip(data: bytes, chance: random.Random) -> bytes:
    """One bit is another one."""
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def flip_used(data: bytes, chance: random.Random) -> bytes:
    """One bit of what is not empty."""
    place = chance.choice([place for place in range(len(data)) if data[place]])
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def flip_head(data: bytes, chance: random.Random) -> bytes:
    """One bit of the header of the file and of its schema."""
    return flip(data[:4096], chance) + data[4096:]


def cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data))]


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (flip, flip_used, flip_used, flip_head, cut)


def answers(site: Site) -> dict[str, tuple[int, str]]:
    """What a web process that knows nothing yet says, by route."""
    site.app.extensions["botd"].board._view = None
    found = {}
    for route in ROUTES:
        with site.client.get(route, headers={"Accept": "application/json"}) as response:
            found[route] = (response.status_code, response.get_data(as_text=True)[:300])
    return found


def recover(site: Site) -> None:
    """Starts an agent, and again where it ends, as systemd does."""
    for _ in range(MAX_STARTS):
        try:
            work(site)
        except StoreDamaged as error:
            told = error
        else:
            return
    raise told


@pytest.mark.parametrize("number", range(TRIED))
def test_damage_is_said_and_mended(site: Site, sound: bytes, flips: Flips, number: int) -> None:
    flips.tried += 1
    for part in site.folder.glob("botd.db*"):
        part.unlink()
    how = DAMAGES[number % len(DAMAGES)]
    (site.folder / "botd.db").write_bytes(how(sound, random.Random(number)))
    first = answers(site)
    assert {route: answer for route, answer in first.items() if answer[0] == 500} == {}
    recover(site)
    last = answers(site)
    assert {route: answer for route, answer in last.items() if answer[0] not in (200, 404)} == {}
    body = site.get("/api/v1/status?groups=all")
    assert (body["complete"], body["count"]) == (True, len(NODES))
    flips.survived += 1
