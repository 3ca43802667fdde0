"""Hostile nodes, BMCs, tools, clients and rows, a lost database: meanwhile, and after, every honest node is read.

`make faults` plays all scenes with 30 hostile nodes and prints the figures; `make test` plays the fullest with three.
"""

from __future__ import annotations

import os
import random
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from botd.store.schema import metadata, sweeps
from tests.agent.test_sweeps import BAD_ROWS
from tests.hostile.conftest import HOSTILE, LONG, Figures
from tests.hostile.parts import AGAIN, ALL, BMCS, NODES, apart, serve_bmcs, serve_nodes
from tests.hostile.site import HostileSite
from tests.program import wait_until

ROUNDS = 3 if LONG else 1


@pytest.mark.parametrize("what", NODES if LONG else [ALL])
def test_hostile_nodes_cost_no_other_node(site: HostileSite, scenes: Figures, what: str) -> None:
    with scenes.scene(site, "nodes", what, HOSTILE * ROUNDS) as scene:
        with apart(serve_nodes, what, site.key, site.node_addresses, site.config.ssh.port), site.taken_over(nodes=True):
            for _ in range(ROUNDS):
                body = site.sweep()
                assert site.unread(body) == set(site.hostile)
                scene.found.add(site.compare(body))
        scene.found.add(site.compare(site.sweep()))
    assert scene.survived, scene.found


@pytest.mark.parametrize("what", BMCS if LONG else [ALL])
def test_hostile_bmcs_cost_no_other_node(site: HostileSite, scenes: Figures, what: str) -> None:
    with scenes.scene(site, "BMCs", what, HOSTILE * ROUNDS) as scene:
        with apart(serve_bmcs, what, site.bmc_addresses, site.config.bmc.port), site.taken_over(bmcs=True):
            for _ in range(ROUNDS):
                body = site.sweep()
                assert site.unread(body) or what == AGAIN
                scene.found.add(site.compare(body))
        scene.found.add(site.compare(site.sweep()))
    assert scene.survived, scene.found


TOOLS = {
    "fping": ["ping"],
    "squeue": ["jobs", "users"],
    "sacct": ["last_job"],
    "sinfo": [],
    "scontrol": [],
}
"""What cannot be read while a tool misbehaves; while sinfo or scontrol does, the last good list stays."""

FLOODS = {
    "one line of 50 MB": "head -c 50000000 /dev/zero | tr '\\0' '1'",
    "50 MB of errors": "head -c 50000000 /dev/zero | tr '\\0' '1' >&2",
    "lines without end": "exec yes '127.77.0.1 : 0.1 - 0.1'",
    "errors without end": "exec yes '127.77.0.1 : 0.1 - 0.1' >&2",
    "what stays behind": "sleep 600 & sleep 600 >/dev/null 2>&1 & exit 0",
}
SHORT_FLOODS = [("fping", "errors without end")]


@contextmanager
def replaced(tool: Path, script: str) -> Iterator[None]:
    """Meanwhile one of the site's commands is another program."""
    real = tool.with_name(f"{tool.name}.real")
    tool.rename(real)
    try:
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        yield
    finally:
        real.replace(tool)


@pytest.mark.parametrize(
    ("tool", "what"), [(tool, what) for tool in TOOLS for what in FLOODS] if LONG else SHORT_FLOODS
)
def test_a_tool_that_floods_costs_only_what_it_would_have_said(
    site: HostileSite, scenes: Figures, tool: str, what: str
) -> None:
    with scenes.scene(site, "tools", f"{tool}, {what}", 1) as scene:
        with replaced(site.cluster.tools / tool, FLOODS[what]):
            site.program.get("/api/v1/sinfo?max_age=0")
            scene.found.add(site.compare(site.sweep(), TOOLS[tool]))
        wait_until(lambda: site.program.get("/api/v1/sinfo?max_age=0")[0] == 200)
        scene.found.add(site.compare(site.sweep()))
    assert scene.survived, scene.found


HOST = "Host: 127.0.0.1\r\n"
WAITER = f"GET /api/v1/status?groups=all&max_age=0&wait=60 HTTP/1.1\r\n{HOST}\r\n"
CLIENTS: Mapping[str, tuple[int, str]] = {
    "nothing sent": (200, ""),
    "slow headers": (200, f"GET / HTTP/1.1\r\n{HOST}X-A: "),
    "slow bodies": (200, f"POST /api/v1/status HTTP/1.1\r\n{HOST}Content-Length: 9\r\n\r\n{{"),
    "answers unread": (140, f"GET /api/v1/table?groups=all HTTP/1.1\r\n{HOST}\r\n" * 20),
    "events unread": (140, f"GET /api/v1/sweeps/1/events HTTP/1.1\r\n{HOST}Accept: text/event-stream\r\n\r\n"),
    "waiters": (132, WAITER),
}


@pytest.mark.parametrize("what", CLIENTS if LONG else ["answers unread", "waiters"])
def test_hostile_clients_keep_nobody_from_the_answer(site: HostileSite, scenes: Figures, what: str) -> None:
    count, sent = CLIENTS[what]
    port = int(site.program.base.rpartition(":")[2])
    with scenes.scene(site, "clients", what, count) as scene:
        with ExitStack() as clients:
            for _ in range(count):
                client = clients.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what is not read stays with botd
                client.connect(("127.0.0.1", port))
                client.sendall(sent.encode())
            for _ in range(10):
                scene.found.add(site.compare(site.last_known()))
        scene.found.add(site.compare(site.sweep()))
    assert scene.survived, scene.found


FOREIGN = {"nodes": "127.0.9.77,evil.example,n[0000-9999].savio2", "checks": "ping,ssh,pong"}


def database(site: HostileSite) -> Path:
    return site.cluster.directory / "botd.db"


def forge(site: HostileSite, values: Mapping[str, Any]) -> None:
    """A waiting sweep like the last one, but for some values."""
    names = [column.name for column in sweeps.c if column.name != "id"]
    row = {name: name for name in names} | {"state": "'queued'", "open_key": "NULL", "ended_at": "NULL"}
    row |= dict.fromkeys(values, "?")
    given = [values[name] for name in names if name in values]
    with closing(sqlite3.connect(database(site), timeout=60)) as db, db:
        db.execute(
            f"INSERT INTO sweeps ({','.join(names)}) SELECT {','.join(row[name] for name in names)} "
            "FROM sweeps ORDER BY id DESC LIMIT 1",
            given,
        )


def test_forged_sweeps_harm_nobody(site: HostileSite, scenes: Figures) -> None:
    with scenes.scene(site, "stored rows", "sweeps", len(BAD_ROWS) + 1) as scene:
        for values in (*BAD_ROWS, FOREIGN):
            forge(site, values)
        scene.found.add(site.compare(site.last_known()))
        scene.found.add(site.compare(site.sweep()))
    assert scene.survived, scene.found


# Whose the database is stays out: another agent's name there ends this one, as it has to.
COLUMNS = [
    (table.name, column.name, "x'ff00ff'" if str(column.type) == "BLOB" else "'{[\u202e'")
    for table in metadata.sorted_tables
    for column in table.columns
    if not column.primary_key and not column.name.startswith("agent_")
]


@pytest.mark.parametrize(("table", "column", "value"), COLUMNS if LONG else [("latest", "readings", "x'ff00ff'")])
def test_a_column_that_says_anything_is_mended(
    site: HostileSite, scenes: Figures, table: str, column: str, value: str
) -> None:
    with scenes.scene(site, "stored rows", f"{table}.{column}", 1) as scene:
        with closing(sqlite3.connect(database(site), timeout=60)) as db, db:
            db.execute(f"UPDATE OR IGNORE {table} SET {column} = {value}")
        scene.found.add(come_back(site))
    assert scene.survived, scene.found


def come_back(site: HostileSite) -> Any:
    """The comparison once every honest node is read again, by sweeps as they come."""

    def again() -> Any:
        found = site.compare(site.sweep())
        return None if found.lost + found.wrong else found

    return wait_until(again, 180)


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    os.truncate(path, 0)


LOSSES = {"removed": remove, "emptied": empty}
"""What happens to the file while it is used."""


@pytest.mark.parametrize("what", LOSSES if LONG else ["removed"])
def test_a_database_lost_while_it_runs_comes_back(site: HostileSite, scenes: Figures, what: str) -> None:
    with scenes.scene(site, "database", what, ROUNDS) as scene:
        for _ in range(ROUNDS):
            LOSSES[what](database(site))
            scene.found.add(come_back(site))
    assert scene.survived, scene.found


ROUTES = (
    "/",
    "/nodes",
    "/healthz",
    "/metrics",
    "/cluster",
    "/changes",
    "/offenders",
    "/api/v1/status?groups=all",
    "/api/v1/table?groups=all",
    "/api/v1/sinfo",
    "/api/v1/groups",
    "/api/v1/changes",
)
MENDED_WITHIN_S = 60
"""docs/deployment.rst: what is damaged is written anew within a minute."""


def flip_bits(site: HostileSite, count: int, chance: random.Random) -> None:
    """Some bits of what is not empty are other ones, in the file or in its log, while others have both open."""
    files = [database(site), database(site).with_name("botd.db-wal")]
    for _ in range(count):
        path = chance.choices(files, [file.stat().st_size for file in files])[0]
        with path.open("r+b", buffering=0) as file:
            data = file.readall()
            place = chance.choice([place for place, byte in enumerate(data) if byte])
            file.seek(place)
            file.write(bytes([data[place] ^ 1 << chance.randrange(8)]))


def failing(site: HostileSite) -> dict[str, int]:
    """The routes that are answered with a fault of botd's, and nothing where nobody listens for the moment."""
    with suppress(OSError):
        found = {route: site.program.get(route)[0] for route in ROUTES}
        return {route: status for route, status in found.items() if status == 500}
    return {}


@pytest.mark.parametrize("count", [1, 3, 10, 30] * 10 if LONG else [10])
def test_bits_that_flip_while_it_runs_are_mended(
    site: HostileSite, scenes: Figures, count: int, request: pytest.FixtureRequest
) -> None:
    """tests/store/test_flips.py flips far more, and starts all anew after each; here all that runs goes on."""
    with scenes.scene(site, "flips", f"{count} at once", count) as scene:
        flip_bits(site, count, random.Random(request.node.name))
        wait_until(lambda: not failing(site), MENDED_WITHIN_S)
        scene.found.add(come_back(site))
        assert failing(site) == {}
    assert scene.survived, scene.found
